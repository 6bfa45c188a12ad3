"""Finds what a document names as ``module:attribute``."""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import TYPE_CHECKING, Any

from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.registry.errors import UnknownType, UnusableType

if TYPE_CHECKING:
    from pathlib import Path


def imported(target: str, base: Path | None) -> Any:
    """What ``package.module:name`` or ``module:Class.name`` names. Its module is imported, which runs its code.

    Args:
        target: Its name.
        base: A folder whose modules can be named, as those beside a program can; it goes to the front of ``sys.path``.

    Raises:
        UnknownType: There is no such module, or nothing of that name in it.
        UnusableType: Its module fails when it is imported.
    """
    module_name, _, path = target.partition(":")
    if not module_name or not all(part.isidentifier() for part in (*module_name.split("."), *path.split("."))):
        raise UnknownType(f"expected module:name, not {target!r}")
    found: Any = _module(module_name, base)
    for step in path.split("."):
        try:
            found = getattr(found, step)
        except AttributeError:
            names = [name for name in dir(found) if not name.startswith("_")]
            near = nearest(step, names)
            hint = target.removesuffix(path) + near if near and path == step else near
            raise UnknownType(f"there is no {step!r} in {getattr(found, '__name__', module_name)}", hint) from None
    return found


def _module(name: str, base: Path | None) -> Any:
    if base is not None and (folder := str(base.resolve())) not in sys.path:
        sys.path.insert(0, folder)
        importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UnknownType(f"there is no module {error.name!r}", _near_module(name, base)) from None
        raise UnusableType(f"importing {name} fails: {_told(error)}") from error
    except (Exception, SystemExit) as error:
        raise UnusableType(f"importing {name} fails: {_told(error)}") from error


def _near_module(name: str, base: Path | None) -> str | None:
    if base is None:
        return None
    beside = [path.stem for path in base.glob("*.py")] + [path.parent.name for path in base.glob("*/__init__.py")]
    return nearest(name, beside)


def _told(error: BaseException) -> str:
    """An error in a line, with the last place of its traceback that is not the import system's."""
    text = "".join(traceback.format_exception_only(error)[-1:]).strip()
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    last = frames[-1] if frames else None
    if last is None or last.filename in {__file__, importlib.__file__}:
        return text
    return f"{text} ({last.filename}, line {last.lineno})"
