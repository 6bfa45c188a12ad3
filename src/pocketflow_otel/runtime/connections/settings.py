"""A connection's settings: checked as a document has them, and resolved when the connection is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError

from pocketflow_otel.runtime.connections.errors import ConnectionFailed, UnknownConnection
from pocketflow_otel.runtime.connections.families import Families, Family
from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.documents.sentences import Complaint, complaints
from pocketflow_otel.runtime.expressions.errors import ExpressionError, MissingValue
from pocketflow_otel.runtime.expressions.json_values import as_text
from pocketflow_otel.runtime.expressions.paths import Namespace
from pocketflow_otel.runtime.expressions.references import parse, syntax_errors
from pocketflow_otel.runtime.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pocketflow_otel.runtime.expressions.paths import Lookup
    from pocketflow_otel.runtime.expressions.references import Template

    Path = tuple[str | int, ...]
    Found = tuple[Path, str, str | None]

HEADS: Final = ("env", "inputs")
"""What references in settings may begin with."""


def check_settings(name: str, settings: Mapping[str, Any], families: Families | None = None) -> list[Found]:
    """All that is wrong with a connection's settings, as a document has them.

    Args:
        name: ``family.alias``.
        settings: The settings, references unresolved.
        families: The families there are.

    Returns:
        Where (the path in the settings; empty for the connection itself), a sentence, the nearest valid name if any.
    """
    try:
        family = (families or Families()).get(name.partition(".")[0])
    except UnknownConnection as error:
        return [((), str(error.args[0]).partition("; did you mean")[0], error.near)]
    broken: list[Found] = [(error.path, error.message, error.near) for error in syntax_errors(settings)]
    if broken:
        return broken
    secrets = Secrets()
    literal = list(_literal_secrets(family, settings, secrets))
    told = {path for path, *_ in literal}
    unfit = [found for found in _unfit(family, settings, secrets) if found[0] not in told]
    return [(path, secrets.mask(message), near) for path, message, near in [*_foreign(settings), *literal, *unfit]]


def resolved(name: str, family: Family, settings: Mapping[str, Any], lookup: Lookup, secrets: Secrets) -> BaseModel:
    """The settings to open a connection with. Their secrets are told before anything is done with them.

    Args:
        name: ``family.alias``.
        family: The family.
        settings: As the document has them.
        lookup: Gives ``env`` and ``inputs``.
        secrets: Where secrets are told.

    Raises:
        ConnectionFailed: A reference has no value, or the settings do not fit.
    """
    values: dict[str, Any] = {}
    try:
        for key, value in settings.items():
            values[key] = parse(value).resolve(lookup)
            _tell(family, (key,), values[key], secrets)
    except MissingValue as error:
        raise ConnectionFailed(secrets.mask(f"@{name}: {key}: {error}")) from None
    except ExpressionError as error:
        raise ConnectionFailed(secrets.mask(f"@{name}: {key}: it can't be resolved: {error}")) from None
    try:
        return family.config.model_validate(values)
    except ValidationError as error:
        found = _complaints(error, values, family, secrets)
        sentences = "; ".join(f"{'.'.join(map(str, each.path))}: {each.message}" for each in found)
        raise ConnectionFailed(secrets.mask(f"@{name}: {sentences}")) from None


def _complaints(
    error: ValidationError, settings: Mapping[str, Any], family: Family, secrets: Secrets
) -> list[Complaint]:
    # Masked before they are cut: of a secret that was cut, nothing tells the rest.
    details = error.errors(include_url=False)
    for detail in details:
        detail["input"] = secrets.masked(detail["input"])
    return complaints(details, settings, family.config, nearest)


def _tell(family: Family, path: Path, value: Any, secrets: Secrets) -> None:
    for at, text in _texts(value, path):
        if is_secret(family.config, at):
            secrets.add(text)
        else:
            secrets.note(_name_of(at), text)


def _foreign(settings: Mapping[str, Any]) -> Iterator[Found]:
    for reference in parse(settings).references:
        if reference.head not in HEADS:
            message = f"${{{reference.text}}}: settings of connections refer to env and inputs only"
            yield reference.at, message, nearest(reference.head, HEADS)


def _literal_secrets(family: Family, settings: Mapping[str, Any], secrets: Secrets) -> Iterator[Found]:
    for path, text in _texts(settings, ()):
        template = parse(text)
        if is_secret(family.config, path):
            variable = f"{family.name}_{path[-1]}".upper()
            if _is_there_without_references(template):
                secrets.add(text)
                yield path, f"a secret has no place in a document: give it as ${{env.{variable}}} or the like", None
                continue
        if template.is_constant and secrets.shows(_name_of(path), text):
            secrets.note(_name_of(path), text)
            yield path, "this is, or holds, a secret: give it as ${env.NAME}, it has no place in a document", None
        elif not template.is_constant and secrets.shows("", beside := _beside_references(template)):
            secrets.note("", beside)
            yield path, "this holds a secret beside its references: it has no place in a document", None


def _is_there_without_references(template: Template) -> bool:
    def nothing(head: str) -> NoReturn:
        raise MissingValue(head)

    try:
        return template.resolve(nothing) not in {None, ""}
    except ExpressionError:
        return False


class _Placeholders(Namespace):
    __slots__ = ()

    def item(self, key: str) -> str:
        return f"${{{key}}}"


def _beside_references(template: Template) -> str:
    """A text with what everyone takes for placeholders in place of its references."""
    placeholders = _Placeholders()
    try:
        return as_text(template.resolve(lambda _: placeholders))
    except ExpressionError:
        return ""


def _unfit(family: Family, settings: Mapping[str, Any], secrets: Secrets) -> Iterator[Found]:
    try:
        family.config.model_validate(settings)
    except ValidationError as error:
        for each in _complaints(error, settings, family, secrets):
            if each.of_key or parse(_at(settings, each.path)).is_constant:
                yield each.path, each.message, each.near


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, str(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _name_of(path: Path) -> str:
    return next((step for step in reversed(path) if isinstance(step, str)), "")


def is_secret(annotation: Any, path: Path) -> bool:
    """Whether a model, or another type of a field, has a secret at a path."""
    if annotation is SecretStr:
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        field = next((each for name, each in fields.items() if path and path[0] in {name, each.alias}), None)
        return field is not None and is_secret(field.annotation, path[1:])
    inside = path[1:] if get_origin(annotation) in {dict, list, tuple} else path
    return any(is_secret(argument, inside) for argument in get_args(annotation))
