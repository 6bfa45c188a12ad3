"""Inputs: what a document says of them, and whether values fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.faults import listed
from pocketflow_otel.runtime.documents.sentences import shown

if TYPE_CHECKING:
    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.model import Input
    from pocketflow_otel.runtime.documents.places import Path

STORE_KEY: Final = "_run"
"""The key of the store that tells of the run."""
_KINDS: Final[dict[str, tuple[str, tuple[type, ...]]]] = {
    "text": ("a text", (str,)),
    "integer": ("a whole number", (int,)),
    "number": ("a number", (int, float)),
    "boolean": ("true or false", (bool,)),
    "list": ("a list", (list,)),
    "object": ("a mapping", (dict,)),
    "any": ("a value", (object,)),
}


def check_inputs(subject: Subject) -> None:
    """Checks what inputs say of themselves."""
    for name, declared in subject.loaded.document.inputs.items():
        path: Path = ("inputs", name)
        if name == STORE_KEY:
            subject.findings.at_key(path, f"{STORE_KEY!r} is where the store tells of the run: another name is needed")
        if declared.choices is not None:
            _check_choices(subject, (*path, "choices"), declared)
        if declared.default is not None and (misfit := misfit_of(declared, declared.default)):
            subject.findings.at_value((*path, "default"), misfit)


def _check_choices(subject: Subject, path: Path, declared: Input) -> None:
    if not declared.choices:
        subject.findings.at_value(path, "expected at least 1 choice: without any, no value is right")
    for number, choice in enumerate(declared.choices or ()):
        if not _is_of(declared.type, choice):
            subject.findings.at_value((*path, number), f"expected {_KINDS[declared.type][0]}, not {shown(choice)}")


def misfit_of(declared: Input, value: Any) -> str | None:
    """Why a value is none for an input; None if it is one."""
    told = "this" if declared.secret else shown(value)
    if not _is_of(declared.type, value):
        return f"expected {_KINDS[declared.type][0]}, not {told}"
    if declared.choices is not None and not any(_is_same(value, choice) for choice in declared.choices):
        return f"expected one of {listed(map(shown, declared.choices))}, not {told}"
    return None


def _is_of(kind: str, value: Any) -> bool:
    kinds = _KINDS[kind][1]
    return isinstance(value, kinds) and (not isinstance(value, bool) or kind in {"boolean", "any"})


def _is_same(value: Any, choice: Any) -> bool:
    return bool(value == choice) and isinstance(value, bool) == isinstance(choice, bool)
