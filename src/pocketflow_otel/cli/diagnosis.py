"""What ``doctor`` finds out: facts, and what is wrong with them."""

from __future__ import annotations

import os
import platform
import re
import socket
import stat
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distributions, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pocketflow_otel.cli.endpoints import mistakes
from pocketflow_otel.export import chosen, last_run, otlp, places
from pocketflow_otel.export.instrumentors import DISABLED, GROUP, disabled_names
from pocketflow_otel.options import CONTENT_ENV, FIELDS, Options, environment_variable, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_SECONDS: Final = 1.0
_MOST_FILES: Final = 2_000
_LARGEST_COPY_BYTES: Final = 256 * 1024
_COPY: Final = re.compile(rb"^class BaseNode\b.*^class Flow\b.*\bdef _orch\b", re.DOTALL | re.MULTILINE)
_SKIPPED: Final = frozenset({"node_modules", "site-packages", "__pycache__"})
_PACKAGES: Final = ("pocketflow-otel", "pocketflow", "wrapt", "genai-prices")


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something that is wrong."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Setting:
    """An option in force."""

    name: str
    value: str
    source: str
    """``default``, or the environment variable it comes from."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where spans go."""

    exporter: str
    target: str
    answers: bool | None = None
    """Whether something listens there; None where nothing is sent over a network."""


@dataclass(frozen=True, slots=True)
class TraceDirectory:
    """The directory of trace files, and what is in it."""

    path: str
    exists: bool
    writable: bool
    mode: str | None
    traces: int
    size_bytes: int
    unfinished: int
    """Traces with spans that have not ended: their programs are running, or were killed."""


@dataclass(slots=True)
class Diagnosis:
    """All facts, and what is wrong."""

    python: str
    packages: dict[str, str]
    """Versions by name."""
    pocketflow_copies: list[str]
    """Files that define PocketFlow: the installed one, and copies below the working directory."""
    instrumentations: dict[str, str]
    """What they are for, with the packages they come from: several may be for the same."""
    options: list[Setting]
    destinations: list[Destination]
    trace_directory: TraceDirectory
    last_run: last_run.LastRun | None
    """The last run, if something went wrong in it."""
    complaints: list[Complaint] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.complaints


def diagnose() -> Diagnosis:
    """Looks at this environment, working directory and machine."""
    options, nonsense = resolve({})
    names, unknown = chosen.wanted()
    complaints = [Complaint(sentence, "correct or unset the variable") for sentence in nonsense]
    complaints += [Complaint(f"{chosen.TRACES_EXPORTER}: {sentence}", "correct the variable") for sentence in unknown]
    complaints += _complaints_about_prices(options)
    destinations = []
    directory = _trace_directory(places.trace_dir(options.trace_dir))
    for name in names:
        try:
            destinations.append(_destination(name, directory.path))
        except ValueError as error:
            complaints.append(Complaint(f"exporter {name}: {error}", "correct the OTEL_EXPORTER_OTLP_ variables"))
    if any(destination.answers is not None for destination in destinations):
        complaints += [Complaint(what, remedy) for what, remedy in mistakes()]
    found = Diagnosis(
        python=f"{platform.python_version()} on {platform.system()}",
        packages=_packages(),
        pocketflow_copies=list(_pocketflow_copies()),
        instrumentations=_instrumentations(),
        options=_settings(options),
        destinations=destinations,
        trace_directory=directory,
        last_run=last_run.recall(),
        complaints=complaints,
    )
    found.complaints += _complaints(found)
    return found


def _packages() -> dict[str, str]:
    found = {name: version(name) for name in _PACKAGES if _is_installed(name)}
    for distribution in distributions():
        name = distribution.name or ""
        if name.startswith(("opentelemetry-", "openinference-")):
            found[name] = distribution.version
    return dict(sorted(found.items()))


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _pocketflow_copies() -> Iterator[str]:
    spec = find_spec("pocketflow")
    if spec is not None and spec.origin:
        yield spec.origin
    installed = spec.origin if spec else None
    for path in _sources(Path.cwd()):
        if str(path) != installed and _defines_pocketflow(path):
            yield str(path)


def _sources(root: Path) -> Iterator[Path]:
    """Python files below a directory, the first 2,000."""
    left = _MOST_FILES
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not name.startswith("."))
        for name in sorted(files):
            if name.endswith(".py"):
                left -= 1
                if left < 0:
                    return
                yield Path(folder, name)


def _defines_pocketflow(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _COPY.search(file.read(_LARGEST_COPY_BYTES)) is not None
    except OSError:
        return False


def _instrumentations() -> dict[str, str]:
    disabled = disabled_names()
    found: dict[str, list[str]] = {}
    for point in entry_points(group=GROUP):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        off = "*" in disabled or point.name in disabled
        found.setdefault(point.name, []).append(f"{package}, off by {DISABLED}" if off else package)
    return {name: "; ".join(sorted(packages)) for name, packages in sorted(found.items())}


def _settings(options: Options) -> list[Setting]:
    return [_setting(options, name) for name in FIELDS]


def _setting(options: Options, name: str) -> Setting:
    value = getattr(options, name)
    source = environment_variable(name) if os.environ.get(environment_variable(name)) else "default"
    if name.startswith("capture_"):
        source = CONTENT_ENV if source == "default" and os.environ.get(CONTENT_ENV) else source
        return Setting(name, options.content(value).value, source)
    if name == "trace_dir":
        return Setting(name, str(places.trace_dir(value)), source)
    return Setting(name, ", ".join(value) if isinstance(value, tuple) else str(value), source)


def _destination(exporter: str, trace_directory: str) -> Destination:
    receiver = otlp.receiver(exporter)
    if receiver is not None:
        return Destination(exporter, receiver, answers=_answers(receiver))
    return Destination(exporter, {chosen.FILE: trace_directory, chosen.CONSOLE: "stderr"}.get(exporter, "installed"))


def _answers(receiver: str) -> bool:
    url = urlsplit(receiver)
    try:
        with socket.create_connection((url.hostname, url.port or 443), CONNECT_SECONDS):
            return True
    except OSError:
        return False


def _trace_directory(path: Path) -> TraceDirectory:
    traces = size = unfinished = 0
    mode = None
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        for entry in os.scandir(path):
            traces += entry.name.endswith(".jsonl")
            unfinished += entry.name.endswith(".open")
            size += entry.stat().st_size
    except OSError:
        # It is made with the first trace. One that cannot be read cannot be written either, which is told.
        pass
    nearest = next(parent for parent in (path, *path.parents) if parent.exists())
    return TraceDirectory(
        path=str(path),
        exists=path.is_dir(),
        writable=nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK),
        mode=None if mode is None else f"{mode:04o}",
        traces=traces,
        size_bytes=size,
        unfinished=unfinished,
    )


def _complaints(found: Diagnosis) -> Iterator[Complaint]:
    if not found.pocketflow_copies:
        yield Complaint("there is no PocketFlow here", "pip install pocketflow, or run this where your copy is")
    if "off by" in found.instrumentations.get("pocketflow", ""):
        yield Complaint("the PocketFlow instrumentation is switched off", f"take pocketflow out of {DISABLED}")
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield Complaint("all of OpenTelemetry is switched off", "unset OTEL_SDK_DISABLED")
    for destination in found.destinations:
        if destination.answers is False:
            where = destination.target
            yield Complaint(
                f"nothing answers at {where}", "start the collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT"
            )
    yield from _complaints_about(found.trace_directory)
    if found.last_run is not None:
        for source, problem in found.last_run.problems.items():
            lost = f", {problem.dropped} lost" if problem.dropped else ""
            what = (
                f"in the last run ({found.last_run.program}, {found.last_run.ended}): {source}: {problem.message}{lost}"
            )
            yield Complaint(what, "see above if the cause is still there; the next run without a problem clears this")


def _complaints_about(directory: TraceDirectory) -> Iterator[Complaint]:
    if not directory.writable:
        yield Complaint(f"{directory.path} cannot be written", "set OTEL_PYTHON_POCKETFLOW_TRACE_DIR to one that can")
    if directory.mode is not None and os.name == "posix" and int(directory.mode, 8) & 0o077:
        yield Complaint(
            f"others may look into {directory.path}, whose mode is {directory.mode}", f"chmod 700 {directory.path}"
        )


def _complaints_about_prices(options: Options) -> Iterator[Complaint]:
    from pocketflow_otel.llm.price_entry import PriceTableError
    from pocketflow_otel.llm.price_table import PriceTable

    try:
        if isinstance(options.price_file, str):
            PriceTable.load(options.price_file)
    except (PriceTableError, OSError) as error:
        yield Complaint(f"price_file: {error}", f"correct it, or {environment_variable('price_file')}")


def as_json(found: Diagnosis) -> dict[str, Any]:
    """The diagnosis as JSON can carry it."""
    from dataclasses import asdict

    return {**asdict(found), "is_well": found.is_well}
