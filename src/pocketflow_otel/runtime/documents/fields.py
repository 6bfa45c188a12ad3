"""Which fields a model has, as documents call them, at any depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pocketflow_otel.runtime.documents.places import Path


def field_names(model: type[BaseModel]) -> list[str]:
    """A model's fields."""
    return [field.alias or name for name, field in model.model_fields.items()]


def fields_at(model: type[BaseModel], path: Path) -> list[str]:
    """The fields of the models that may stand at a path inside a model."""
    found: list[Any] = [model]
    for step in path:
        found = [inner for kind in found for part in _parts(kind) for inner in _inside(part, step)]
    models = [part for kind in found for part in _parts(kind) if _is_model(part)]
    return list(dict.fromkeys(name for one in models for name in field_names(one)))


def models_in(model: type[BaseModel]) -> list[type[BaseModel]]:
    """A model and all models that parts of it are of, each once."""
    found: dict[type[BaseModel], None] = {}
    waiting: list[Any] = [model]
    while waiting:
        for part in _parts(waiting.pop()):
            if _is_container(get_origin(part)):
                waiting.extend(get_args(part))
            elif _is_model(part) and part not in found:
                found[part] = None
                waiting.extend(field.annotation for field in part.model_fields.values())
    return list(found)


def _parts(kind: Any) -> Iterator[Any]:
    """The kinds that a type is made of, where it is one of several, or an annotated one."""
    origin = get_origin(kind)
    if origin is None or _is_container(origin):
        yield kind
        return
    for argument in get_args(kind):
        yield from _parts(argument)


def _inside(kind: Any, step: str | int) -> Iterator[Any]:
    if _is_model(kind):
        yield from (field.annotation for name, field in kind.model_fields.items() if step in (name, field.alias))
    elif _is_container(get_origin(kind)):
        yield from get_args(kind)[-1:]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_container(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Mapping | Sequence | set | frozenset)
