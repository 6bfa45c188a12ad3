"""The one table of options.

Each field of `Options` is an option. From it come the keyword arguments of ``PocketFlowInstrumentor().instrument()``,
the environment variables (``OTEL_PYTHON_POCKETFLOW_`` and the upper-case name), the flags of
``opentelemetry-instrument``, the keys under ``pocketflow:`` in a declarative configuration file, and the docs page.

Precedence: keyword arguments in code and flags, then the environment, then the declarative file, then the default.
A value that makes no sense is reported and the next source is used: options never stop the user's program.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ENV_PREFIX: Final = "OTEL_PYTHON_POCKETFLOW_"
CONTENT_ENV: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

RedactHook = Callable[[str, str | None], str]
"""Called with a text and the key it stands under (None for printed text and messages); returns what may be shown."""


class Verbosity(enum.StrEnum):
    """How much the live console tells."""

    MINIMAL = "minimal"
    NORMAL = "normal"
    VERBOSE = "verbose"


class ContentMode(enum.StrEnum):
    """Where content (values, printed text, inputs and outputs) goes. The names are the GenAI conventions' own."""

    NO_CONTENT = "NO_CONTENT"
    SPAN_ONLY = "SPAN_ONLY"
    EVENT_ONLY = "EVENT_ONLY"
    SPAN_AND_EVENT = "SPAN_AND_EVENT"

    @property
    def on_spans(self) -> bool:
        """Whether content goes into span attributes."""
        return self in (ContentMode.SPAN_ONLY, ContentMode.SPAN_AND_EVENT)

    @property
    def on_events(self) -> bool:
        """Whether content goes into log records."""
        return self in (ContentMode.EVENT_ONLY, ContentMode.SPAN_AND_EVENT)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in ("true", "1", "yes", "on"):
        return True
    if text in ("false", "0", "no", "off"):
        return False
    raise ValueError("expected true or false")


def _whole_number(least: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        try:
            if isinstance(value, (bool, float)):
                raise TypeError  # noqa: TRY301 - told as text that is no number is
            number = int(value)
        except (TypeError, ValueError):
            raise ValueError("expected a whole number") from None
        if number < least:
            raise ValueError(f"expected a whole number of at least {least}")
        return number

    return parse


def _amount(value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError  # noqa: TRY301 - told as text that is no number is
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError("expected a number") from None
    if not 0 <= number < math.inf:
        raise ValueError("expected a number of at least 0")
    return number


def _prices(value: Any) -> str | Mapping[str, Any]:
    return value if isinstance(value, Mapping) else _path(value)


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, Sequence) or not all(isinstance(part, str) for part in value):
        raise ValueError("expected names separated by commas")
    return tuple(part.strip() for part in value if part.strip())


def _path(value: Any) -> str:
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ValueError("expected a path")
    return str(Path(value).expanduser())


def _verbosity(value: Any) -> Verbosity:
    try:
        return Verbosity(str(value).strip().lower())
    except ValueError:
        raise ValueError("expected minimal, normal or verbose") from None


def _redaction(value: Any) -> tuple[str, ...] | RedactHook:
    if callable(value):
        return value  # type: ignore[no-any-return]
    # A pattern may hold a comma, so patterns in one string are separated by line ends.
    if not isinstance(value, str | Sequence):
        raise ValueError("expected regular expressions, one a line, or a function")  # noqa: TRY004 - told, not raised
    patterns = tuple(value.splitlines()) if isinstance(value, str) else tuple(value)
    for pattern in patterns:
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise ValueError(f"expected regular expressions, one a line: {error}") from None
    return tuple(pattern for pattern in patterns if pattern)


# What a dataclass calls a field specifier; the linter knows only `dataclasses.field` itself.
def _option(default: Any, parse: Callable[[Any], Any], text: str) -> Any:
    return dataclasses.field(default=default, metadata={"parse": parse, "help": text})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Settings of one instrumentation, read once and never changed."""

    capture_values: bool | None = _option(
        None, _boolean, "Record the values of store keys that a node added or modified, and params."
    )
    capture_output: bool | None = _option(None, _boolean, "Record the text that a node prints to stdout and stderr.")
    capture_io: bool | None = _option(
        None, _boolean, "Record what prep and exec returned, and the store before and after a flow."
    )
    max_value_bytes: int = _option(2048, _whole_number(64), "Longest recorded value, in bytes.")
    max_store_keys: int = _option(32, _whole_number(1), "Most store keys of one node with a shape and a value.")
    store_depth: int = _option(1, _whole_number(0), "How deep below a store key changes in place are looked for.")
    redact: tuple[str, ...] | RedactHook = _option(
        (), _redaction, "More to mask: regular expressions, one a line; in code also a function (text, key) -> text."
    )
    modules: tuple[str, ...] = _option((), _names, "Modules that hold a copy of PocketFlow.")
    include: tuple[str, ...] = _option((), _names, "Trace only flows and nodes whose names match one of these.")
    exclude: tuple[str, ...] = _option(
        (), _names, "Leave out flows and nodes, with all inside, that match one of these."
    )
    detailed: tuple[str, ...] = _option(
        (), _names, "Record content and deep store changes for flows and nodes whose names match one of these."
    )
    trace_dir: str | None = _option(None, _path, "Where trace files go. Default: this platform's state directory.")
    verbosity: Verbosity = _option(Verbosity.NORMAL, _verbosity, "The live console: minimal, normal or verbose.")

    price_file: str | Mapping[str, Any] | None = _option(
        None, _prices, "Prices of models that go before the known ones: a JSON or TOML file; in code also a mapping."
    )
    refresh_prices: bool = _option(False, _boolean, "Fetch genai-prices' newest price list once, in the background.")
    budget_usd: float | None = _option(None, _amount, "US dollars that one run of an outermost flow may cost.")
    budget_tokens: int | None = _option(None, _whole_number(0), "Tokens that one run of an outermost flow may use.")
    budget_visits: int | None = _option(None, _whole_number(0), "Visits of nodes in one run of an outermost flow.")
    budget_seconds: float | None = _option(None, _amount, "Seconds after which an outermost flow runs no more nodes.")

    content_mode: ContentMode = ContentMode.NO_CONTENT

    @property
    def limits(self) -> tuple[float | None, int | None, int | None, float | None]:
        """What an outermost flow may use: US dollars, tokens, visits, seconds; None for what is not limited."""
        return self.budget_usd, self.budget_tokens, self.budget_visits, self.budget_seconds

    def content(self, capture: bool | None) -> ContentMode:
        """Where content of one kind goes: the option where it is set, else the standard variable."""
        if capture is None:
            return self.content_mode
        if not capture:
            return ContentMode.NO_CONTENT
        return self.content_mode if self.content_mode is not ContentMode.NO_CONTENT else ContentMode.SPAN_ONLY


FIELDS: Final = {field.name: field for field in dataclasses.fields(Options) if "help" in field.metadata}
"""The options by name."""

DECLARATIVE_MARK: Final = "declared_in_file"

_UNKNOWN: Final = "unknown_in_file"


def _take_declared(self: Any, **given: Any) -> None:
    for name in FIELDS:
        setattr(self, name, given.pop(name, None))
    setattr(self, DECLARATIVE_MARK, True)
    setattr(self, _UNKNOWN, given or None)


DeclarativeOptions: Final[type] = dataclasses.make_dataclass(
    "DeclarativeOptions",
    [(name, Any, dataclasses.field(default=None)) for name in FIELDS]
    # The SDK forwards every field that is set, so this default tells values of a file from arguments in code.
    + [(DECLARATIVE_MARK, bool, dataclasses.field(default=True))]
    # For a key that is no field the SDK would drop the whole section.
    + [(_UNKNOWN, Any, dataclasses.field(default=None))],
    namespace={"__init__": _take_declared},
    init=False,
)
"""What ``instrumentation/development: python: pocketflow:`` in a declarative configuration file may hold."""


def environment_variable(name: str) -> str:
    """The environment variable of an option."""
    return ENV_PREFIX + name.upper()


def resolve(arguments: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> tuple[Options, list[str]]:
    """Reads the options from arguments and environment.

    Args:
        arguments: Keyword arguments by option name; from a declarative file if `DECLARATIVE_MARK` is among them.
        environ: The environment.

    Returns:
        The options, and a sentence for each value that made no sense.
    """
    problems: list[str] = []
    given = {**arguments, **(arguments.get(_UNKNOWN) or {})}
    given = {
        key: value for key, value in given.items() if key not in (DECLARATIVE_MARK, _UNKNOWN) and value is not None
    }
    from_file = DECLARATIVE_MARK in arguments
    for unknown in given.keys() - FIELDS.keys():
        from difflib import get_close_matches

        near = get_close_matches(unknown, FIELDS, 1)
        problems.append(f"unknown option {unknown!r}" + (f": did you mean {near[0]!r}?" if near else ""))
    settings: dict[str, Any] = {}
    for name, field in FIELDS.items():
        variable = environment_variable(name)
        in_environment = [(variable, environ[variable])] if environ.get(variable) else []
        in_arguments = [(name, given[name])] if name in given else []
        # Lowest precedence first: each source that makes sense replaces the one before.
        for source, value in in_arguments + in_environment if from_file else in_environment + in_arguments:
            try:
                settings[name] = field.metadata["parse"](value)
            except (ValueError, TypeError) as error:
                problems.append(f"{source}={value!r} is ignored: {error}")
    settings["content_mode"] = _content_mode(environ, problems)
    return Options(**settings), problems


def _content_mode(environ: Mapping[str, str], problems: list[str]) -> ContentMode:
    value = environ.get(CONTENT_ENV, "").strip()
    if not value or value.lower() == "false":
        return ContentMode.NO_CONTENT
    if value.lower() == "true":
        return ContentMode.SPAN_ONLY
    try:
        return ContentMode(value.upper())
    except ValueError:
        expected = ", ".join(ContentMode)
        problems.append(f"{CONTENT_ENV}={value!r} is ignored: expected one of {expected}")
        return ContentMode.NO_CONTENT
