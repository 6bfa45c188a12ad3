"""Makes node types of functions and of PocketFlow classes: their signature says what ``with`` holds."""

from __future__ import annotations

import copy
import inspect
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PydanticSchemaGenerationError,
    PydanticUserError,
    TypeAdapter,
    create_model,
)

from pocketflow_otel.runtime.registry import docstrings
from pocketflow_otel.runtime.registry.constructors import signature_of, with_those_of_bases
from pocketflow_otel.runtime.registry.errors import UnusableType
from pocketflow_otel.runtime.registry.node_types import ClassType, FunctionType, HolderType
from pocketflow_otel.runtime.registry.shapes import of_annotation

if TYPE_CHECKING:
    from collections.abc import Callable

    from pocketflow_otel.runtime.registry.node_types import Context, NodeType

CONTEXT: Final = "context"
"""The parameter by which a function is given the run's `Context`."""


def node_type_of(thing: Any, name: str) -> NodeType:
    """Makes a node type of what a document or an entry point names.

    Args:
        thing: A node type; a PocketFlow class or node; a function that is annotated to return such a node; or any
            other function.
        name: What documents call it.

    Raises:
        UnusableType: It is none of these, or has parameters that no document can give.
    """
    if isinstance(thing, FunctionType | ClassType | HolderType):
        return thing
    from pocketflow import BaseNode

    if isinstance(thing, BaseNode):
        return ClassType(name, docstrings.summary(type(thing)), _model(name, []), lambda: copy.copy(thing))
    if isinstance(thing, type) and not issubclass(thing, BaseNode):
        raise UnusableType(f"{name} is a class, but none of PocketFlow's: expected a PocketFlow class, or a function")
    if not callable(thing):
        raise UnusableType(f"{name} is a {type(thing).__name__}: expected a PocketFlow class, or a function")
    signature = _signature(thing, name)
    if isinstance(thing, type) or _makes_node(signature, BaseNode):
        return _class_type(thing, signature, name)
    return _function_type(thing, signature, name)


def arguments(config: BaseModel) -> dict[str, Any]:
    """The arguments that a configuration holds, by the parameters' names: those that were given, no defaults."""
    names = _parameters(type(config))
    held, given = config.__dict__, config.__pydantic_fields_set__
    values = {parameter: held[name] for name, parameter in names if name in given}
    return {**values, **config.model_extra} if config.model_extra else values


@cache
def _parameters(model: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    """Each field's name, and the parameter's that it stands for."""
    return tuple((name, field.alias or name) for name, field in model.model_fields.items())


def _signature(thing: Callable[..., Any], name: str) -> inspect.Signature:
    try:
        return signature_of(thing)
    except ValueError as error:
        raise UnusableType(f"{name} does not tell its parameters: {error}") from None


def _makes_node(signature: inspect.Signature, base: type) -> bool:
    returned = signature.return_annotation
    return isinstance(returned, type) and issubclass(returned, base)


def _class_type(thing: Callable[..., Any], signature: inspect.Signature, name: str) -> ClassType:
    parameters = list(signature.parameters.values())
    described = docstrings.parameters(getattr(thing, "__init__", None)) | docstrings.parameters(thing)
    taken = with_those_of_bases(thing, parameters) if isinstance(thing, type) else parameters
    model = _model(name, taken, described)
    return ClassType(name, docstrings.summary(thing), model, _by_name(thing, parameters))


def _function_type(thing: Callable[..., Any], signature: inspect.Signature, name: str) -> FunctionType:
    parameters = [one for one in signature.parameters.values() if one.name != CONTEXT]
    call = _by_name(thing, list(signature.parameters.values()))
    takes_context = CONTEXT in signature.parameters

    def given(config: BaseModel, context: Context) -> dict[str, Any]:
        return {**arguments(config), **({CONTEXT: context} if takes_context else {})}

    def run(config: BaseModel, context: Context) -> Any:
        return _no_node(call(**given(config, context)), name)

    async def run_async(config: BaseModel, context: Context) -> Any:
        return await call(**given(config, context))

    is_async = inspect.iscoroutinefunction(thing) or inspect.iscoroutinefunction(getattr(thing, "__call__", None))  # noqa: B004
    model = _model(name, parameters, docstrings.parameters(thing))
    gives = of_annotation(signature.return_annotation)
    return FunctionType(name, docstrings.summary(thing), model, run_async if is_async else run, gives=gives)


def _no_node(value: Any, name: str) -> Any:
    from pocketflow import BaseNode

    if issubclass(type(value), BaseNode):
        kind = type(value).__name__
        raise TypeError(f"{name} returned a PocketFlow node; annotate what it returns (-> {kind}), and the node is run")
    return value


def _by_name(thing: Callable[..., Any], parameters: list[inspect.Parameter]) -> Callable[..., Any]:
    """The callable, with all its arguments by name."""
    positional = [one for one in parameters if one.kind is inspect.Parameter.POSITIONAL_ONLY]
    if not positional:
        return thing

    def call(**given: Any) -> Any:
        first = []
        for one in positional:
            if one.name not in given:
                break
            first.append(given.pop(one.name))
        return thing(*first, **given)

    return call


def _model(
    name: str, parameters: list[inspect.Parameter], descriptions: dict[str, str] | None = None
) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    takes_more = False
    for number, parameter in enumerate(parameters):
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            takes_more = True
        elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            description = (descriptions or {}).get(parameter.name)
            fields[_field_name(parameter.name, number)] = _field(parameter, description)
    config = ConfigDict(extra="allow" if takes_more else "forbid", protected_namespaces=())
    return create_model(name.rpartition(":")[2] or name, __config__=config, **fields)


def _field_name(parameter: str, number: int) -> str:
    """Models have names of their own, and none that begin with an underscore: those fields go by their alias."""
    return f"parameter_{number}" if parameter.startswith("_") or hasattr(BaseModel, parameter) else parameter


def _field(parameter: inspect.Parameter, description: str | None) -> tuple[Any, Any]:
    default = ... if parameter.default is inspect.Parameter.empty else parameter.default
    alias = parameter.name if _field_name(parameter.name, 0) != parameter.name else None
    return _checkable(parameter.annotation), Field(default=default, alias=alias, description=description)


def _checkable(annotation: Any) -> Any:
    """The annotation, if values can be checked against it; else anything goes."""
    if annotation is inspect.Parameter.empty or isinstance(annotation, str):
        return Any
    try:
        TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError, NameError):
        return Any
    return annotation
