"""The shared store as a PocketFlow class of a document sees it: under the class's own keys."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from pocketflow_otel.runtime.errors import Cancelled
from pocketflow_otel.runtime.values.envelope import copied
from pocketflow_otel.visiting import StoreView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MISSING: Any = object()


class View(MutableMapping[Any, Any], StoreView):
    """A store under other keys.

    Args:
        stores: The store to write to and read, and those around it that are only read, the nearest first.
        reads: Keys of the node, to keys of the store that it reads instead.
        writes: Keys of the node, to keys of the store that it writes instead, and reads once it has written them.
        values: Keys of the node, to values that it reads instead of anything in the store.

    Attributes:
        written: What the node has written, by its own keys.
    """

    def __init__(
        self,
        stores: Sequence[dict[Any, Any]],
        reads: Mapping[str, str],
        writes: Mapping[str, str],
        values: Mapping[str, Any],
    ) -> None:
        self.viewed_store = stores[0]
        self._stores = stores
        self._reads = reads
        self._writes = writes
        self._values = dict(values)
        self.written: dict[Any, Any] = {}
        self._outer: dict[Any, Any] = {}
        self._closed = False

    def close(self) -> None:
        """Lets nothing be written any more: the node that holds it was given up."""
        self._closed = True

    def __getitem__(self, key: Any) -> Any:
        if key in self._values:
            return self._values[key]
        value = self._find(self._key_to_read(key))
        if value is _MISSING:
            raise KeyError(key)
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        self._check_open()
        self.written[key] = value
        self._values.pop(key, None)
        self.viewed_store[self._key_to_write(key)] = value

    def __delitem__(self, key: Any) -> None:
        self._check_open()
        if key not in self:
            raise KeyError(key)
        if key in self._values:
            del self._values[key]
            return
        own_key = self._key_to_read(key)
        self.written.pop(key, None)
        self.viewed_store.pop(own_key, None)

    def __iter__(self) -> Iterator[Any]:
        renamed = {*self._reads.values(), *self._writes.values()}
        own = [key for key in dict.fromkeys([*self._values, *self._reads, *self._writes]) if key in self]
        seen = set(own)
        yield from own
        for store in self._stores:
            for key in list(store):
                if key not in seen and key not in renamed:
                    seen.add(key)
                    yield key

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, key: object) -> bool:
        return key in self._values or self._find(self._key_to_read(key)) is not _MISSING

    def __repr__(self) -> str:
        return repr(dict(self))

    def _key_to_read(self, key: Any) -> Any:
        if key in self.written:
            return self._key_to_write(key)
        return self._reads.get(key) or self._writes.get(key, key)

    def _key_to_write(self, key: Any) -> Any:
        return self._writes.get(key) or self._reads.get(key, key)

    def _find(self, key: Any) -> Any:
        own = self.viewed_store.get(key, _MISSING)
        if own is not _MISSING:
            return own
        if key in self._outer:
            return self._outer[key]
        for around in self._stores[1:]:
            value = around.get(key, _MISSING)
            if value is not _MISSING:
                # A copy: what nodes inside change in place stays inside.
                self._outer[key] = copied(value)
                return self._outer[key]
        return _MISSING

    def _check_open(self) -> None:
        if self._closed:
            raise Cancelled("the run has given this node up: what it writes now is not kept")
