"""References and conditions as the reference interpreter understands them: only the forms that its documents have."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

Lookup = Callable[[str], Any]

PATH = r"[A-Za-z_]\w*(?:\.\w+|\[-?\d+\])*"
TEMPLATE = re.compile(r"\$\{([^}]*)\}")
OPERAND = re.compile(rf"exists\(({PATH})\)|default\(({PATH}), ([^)]*)\)|([A-Za-z_]\w*(?:\.\w+)+)")


class MissingValue(Exception):
    """A reference leads nowhere."""


class UnusableValue(Exception):
    """A condition is neither true nor false."""


def value_at(path: str, lookup: Lookup) -> Any:
    head, *steps = re.findall(r"\w+|\[-?\d+\]", path)
    value = lookup(head)
    for step in steps:
        if isinstance(value, str):
            raise MissingValue(path)
        try:
            value = value[int(step[1:-1])] if step.startswith("[") else value[step]
        except (KeyError, IndexError, TypeError):
            raise MissingValue(path) from None
    return value


def referred(text: str, lookup: Lookup) -> Any:
    """The first of paths, and at last a literal, that is not missing or null."""
    *alternatives, last = text.split(" ?? ")
    for path in alternatives:
        try:
            value = value_at(path, lookup)
        except MissingValue:
            continue
        if value is not None:
            return value
    return value_at(last, lookup) if is_path(last) else json.loads(last)


def is_path(text: str) -> bool:
    return bool(re.fullmatch(PATH, text)) and text not in ("null", "true", "false")


def as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def resolved(value: Any, lookup: Lookup) -> Any:
    if isinstance(value, dict):
        return {key: resolved(item, lookup) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(item, lookup) for item in value]
    if not isinstance(value, str):
        return value
    whole = TEMPLATE.fullmatch(value)
    if whole:
        return referred(whole[1], lookup)
    return TEMPLATE.sub(lambda found: as_text(referred(found[1], lookup)), value)


def holds(condition: str, lookup: Lookup) -> bool:
    def exists(path: str) -> bool:
        try:
            value_at(path, lookup)
        except MissingValue:
            return False
        return True

    def quoted(found: re.Match[str]) -> str:
        asked, optional, otherwise, plain = found.groups()
        if asked:
            return f"exists({asked!r})"
        return f"default({optional!r}, {otherwise!r})" if optional else f"value({plain!r})"

    functions = {
        "exists": exists,
        "default": lambda path, otherwise: referred(f"{path} ?? {otherwise}", lookup),
        "value": lambda path: value_at(path, lookup),
    }
    truth = eval(OPERAND.sub(quoted, condition), {"__builtins__": {}, **functions})
    if not isinstance(truth, bool):
        raise UnusableValue(condition)
    return truth


def heads(spec: Any) -> Iterator[tuple[str, bool]]:
    """What a part of a document refers to, at every depth, and whether it can do without it."""
    if isinstance(spec, dict):
        for key, item in spec.items():
            if key == "when":
                for exists, default, _, plain in OPERAND.findall(item):
                    yield head_of(exists or default or plain), not plain
            else:
                yield from heads(item)
    elif isinstance(spec, list):
        for item in spec:
            yield from heads(item)
    elif isinstance(spec, str):
        for text in TEMPLATE.findall(spec):
            *paths, last = text.split(" ?? ")
            yield from ((head_of(path), True) for path in paths)
            if is_path(last):
                yield head_of(last), False


def head_of(path: str) -> str:
    return re.split(r"[.\[]", path)[0]
