"""The secrets of a run: told to whatever shows something, and masked there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.capture import told
from pocketflow_otel.capture.redaction import MASK, Redactor
from pocketflow_otel.capture.seen import SeenSecrets
from pocketflow_otel.capture.windows import masked_head, masked_tail
from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.expressions.errors import MissingValue
from pocketflow_otel.runtime.expressions.paths import Namespace
from pocketflow_otel.runtime.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Mapping

# Whole numbers of fewer digits are remembered as no secret.
_LEAST_SECRET_NUMBER: Final = 100_000
_MOST_BITS: Final = 256
# So much of the beginning of a secret is not shown alone.
_TELLING: Final = 8


class Secrets:
    """The secrets that a run knows. Threads may share one.

    What is added is masked wherever it stands, also quoted for URLs, escaped, or in base64; in all traces of the
    process too. Texts of fewer than 6 characters, and words that everyone uses such as ``password``, are not: they
    would take much else along.
    """

    def __init__(self) -> None:
        self._redactor = Redactor()
        self._seen = SeenSecrets()
        self._parts = Parts()

    def add(self, text: str) -> None:
        """Takes a text for a secret, and what is secret within it, such as the password in a URL."""
        found = SeenSecrets()
        self._redactor.learn(text, found)
        self._take(found)

    def add_all(self, value: Any) -> None:
        """Takes all texts and numbers in a structure for secrets."""
        if isinstance(value, dict):
            value = [*value, *value.values()]
        if isinstance(value, list | tuple | set | frozenset):
            for item in value:
                self.add_all(item)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            self.add(str(value))

    def note(self, name: str, text: str) -> None:
        """Adds a text that stands under a secret's name; of another text, what looks like a secret."""
        if self._redactor.is_secret_name(name):
            self.add(text)
            return
        found = SeenSecrets()
        self._redactor.text(text, found)
        self._take(found)

    def shows(self, name: str, text: str) -> bool:
        """Whether a text under a name would show a secret: by its name or its shape."""
        return self._redactor.is_secret_name(name) or self._redactor.finds(text)

    def mask(self, text: str) -> str:
        """The text with a mask in place of every secret, and of what is left of one that was cut."""
        return self._parts.mask(self._seen.mask(text)) if self._seen.known else text

    def shown(self, text: str) -> str:
        """As `mask`, and with one in place of all that looks like a secret."""
        return self._parts.mask(self._redactor.text(text, self._seen)) if text else text

    def shown_head(self, text: str) -> str:
        """As `shown`, of a text whose end was cut off; `windows.MARGIN` characters more of its end are taken away."""
        return masked_head(text, self._redactor, self._seen)

    def shown_tail(self, text: str) -> str:
        """As `shown_head`, of a text whose beginning was cut off."""
        return masked_tail(text, self._redactor, self._seen)

    def stream(self) -> MaskedStream:
        """Masks a text that comes in pieces."""
        return MaskedStream(self._seen)

    def masked(self, value: Any) -> Any:
        """A structure of dicts, lists and tuples with a mask in place of every secret, in keys too."""
        return self._masked(value) if self._seen.known else value

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._seen.mask(value)
        if isinstance(value, dict):
            return {self._masked(key): self._masked(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._masked(item) for item in value]
        if type(value) is tuple:
            return tuple(self._masked(item) for item in value)
        if type(value) is int and abs(value) >= _LEAST_SECRET_NUMBER and value.bit_length() <= _MOST_BITS:
            return MASK if self._seen.find(str(value)) else value
        return value

    def _take(self, found: SeenSecrets) -> None:
        if found.known:
            self._seen.adopt(found)
            told.tell(found)
            for text in found.texts:
                self._parts.add(text)


class MaskedStream:
    """Masks a text that comes in pieces. What may be the beginning of a secret is kept back until more is known.

    Args:
        seen: The secrets; more may come.
    """

    __slots__ = ("_kept", "_seen")

    def __init__(self, seen: SeenSecrets) -> None:
        self._seen = seen
        self._kept = ""

    def piece(self, text: str) -> str:
        """What can be shown once this piece is there; often the piece itself."""
        if not self._seen.known:
            return text
        text = self._kept + text
        end = self._seen.unfinished(text)
        for begins, ends in self._seen.find(text):
            # Masked as a whole: nothing of it is the beginning of another.
            if begins < end < ends:
                end = ends
        self._kept = text[end:]
        return self._seen.mask(text[:end])

    def rest(self) -> str:
        """What was kept back, once no more comes: a mask where that is enough to tell a secret by."""
        kept, self._kept = self._kept, ""
        return kept if len(kept) < _TELLING else MASK


class Environment(Namespace):
    """What ``${env.X}`` gives. A variable whose name or value is a secret's is known as one from when it is read.

    Args:
        environ: The variables.
        secrets: Where secrets are noted.
    """

    __slots__ = ("_environ", "_noted", "_secrets")

    def __init__(self, environ: Mapping[str, str], secrets: Secrets) -> None:
        self._environ = environ
        self._secrets = secrets
        self._noted: set[tuple[str, str]] = set()

    def item(self, key: str) -> str:
        """The value of a variable.

        Raises:
            MissingValue: It is not set.
        """
        value = self._environ.get(key)
        if value is None:
            near = nearest(key, self._environ)
            raise MissingValue(f"env.{key} has no value: the environment variable {key} is not set", near)
        if (key, value) not in self._noted:
            self._secrets.note(key, value)
            self._noted.add((key, value))
        return value
