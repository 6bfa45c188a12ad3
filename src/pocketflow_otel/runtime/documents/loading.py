"""Loads documents: what they are made of is checked in full, and all that is wrong is told at once.

Whether the parts fit together, and to what is registered, is for `checks` to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from pocketflow_otel.runtime.documents.faults import Fault, InvalidDocument
from pocketflow_otel.runtime.documents.files import UnreadableFile, read_text
from pocketflow_otel.runtime.documents.findings import Findings
from pocketflow_otel.runtime.documents.guessing import body_model
from pocketflow_otel.runtime.documents.loaded import Body, Loaded, Scope
from pocketflow_otel.runtime.documents.mending import mended, unsound
from pocketflow_otel.runtime.documents.model import Document, ParallelConfig, WorkflowConfig
from pocketflow_otel.runtime.documents.places import Path, Places
from pocketflow_otel.runtime.documents.plain import plain
from pocketflow_otel.runtime.documents.sentences import complaints, shown
from pocketflow_otel.runtime.documents.text import read

if TYPE_CHECKING:
    from pocketflow_otel.runtime.documents.loaded import Config
    from pocketflow_otel.runtime.documents.sentences import Complaint

Model = TypeVar("Model", bound=BaseModel)

UNNAMED: Final = "<document>"
MAX_FILES: Final = 100
"""Documents that one document may bring along."""

_MOST_DETAILS: Final = 1000
_MOST_COUNTED: Final = 20_000
_TRIES: Final = 2
"""How often a part is mended: what was wrong may be missing then."""


def load(source: str | FilePath | Mapping[str, Any], *, name: str | None = None) -> Loaded:
    """Loads a document, and the documents that it names.

    Args:
        source: A file; a text that holds a line break or begins with ``{`` is the document itself; or its fields.
        name: What faults call it, if it is no file. Relative paths in it begin in that name's folder.

    Raises:
        InvalidDocument: With all that is wrong.
    """
    loaded, faults = load_in_part(source, name=name)
    if loaded is None or faults:
        raise InvalidDocument(faults)
    return loaded


def load_in_part(
    source: str | FilePath | Mapping[str, Any], *, name: str | None = None
) -> tuple[Loaded | None, list[Fault]]:
    """Loads what can be loaded of a document, be there faults in it.

    Args:
        source: As of `load`.
        name: Likewise.

    Returns:
        The document without what is wrong, or None if too much is; and all that is wrong.
    """
    loader = _Loader()
    loaded = loader.load(source, name)
    return loaded, loader.faults


class _Loader:
    """Loads one document and what it names; each file once."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._known: dict[FilePath, Loaded | None] = {}
        self._around: list[FilePath] = []

    def load(self, source: str | FilePath | Mapping[str, Any], name: str | None) -> Loaded | None:
        file = name or UNNAMED
        base = FilePath(name).parent if name else FilePath()
        if isinstance(source, Mapping):
            findings = Findings(file, Places())
            return self._keep(findings, self._document(plain(source, findings), findings, base))
        if isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{")):
            return self._text(source, file, base)
        try:
            return self._file(FilePath(source), str(source))
        except UnreadableFile as error:
            self.faults.append(Fault(str(source), 0, 0, "", str(error)))
            return None

    def _file(self, path: FilePath, file: str) -> Loaded | None:
        """Loads a file, if that has not been done.

        Raises:
            UnreadableFile: There is no such file, or it can't be read at all.
        """
        resolved = path.resolve()
        if resolved not in self._known:
            self._around.append(resolved)
            try:
                self._known[resolved] = self._text(read_text(path), file, path.parent)
            except UnreadableFile as error:
                if not error.line:
                    raise
                self.faults.append(Fault(file, error.line, error.column, "", str(error)))
                self._known[resolved] = None
            finally:
                self._around.pop()
        return self._known[resolved]

    def _text(self, text: str, file: str, base: FilePath) -> Loaded | None:
        done = read(text)
        findings = Findings(file, done.places)
        for problem in done.problems:
            findings.add(problem.mark, problem.path, problem.message)
            if problem.is_unknown:
                findings.unsound.add(problem.path)
        # What comes after the place where reading ended would be missed, and is not missing.
        loaded = self._document(done.value, findings, base, done.places) if done.whole else None
        return self._keep(findings, loaded)

    def _keep(self, findings: Findings, loaded: Loaded | None) -> Loaded | None:
        self.faults.extend(findings)
        return loaded

    def _document(self, value: Any, findings: Findings, base: FilePath, places: Places | None = None) -> Loaded | None:
        if not isinstance(value, dict):
            found = "nothing" if value is None else shown(value)
            findings.at_value((), f"expected a workflow: a mapping with the fields workflow and nodes; found {found}")
            return None
        document = _validated(Document, value, (), findings)
        bodies = self._bodies(value.get("nodes"), ("nodes",), findings, base)
        if document is None:
            return None
        scope = Scope((), "nodes", document.nodes, document.edges, document.start, bodies)
        return Loaded(document, scope, findings.file, base, places or Places(), findings.unsound)

    def _bodies(self, nodes: Any, path: Path, findings: Findings, base: FilePath) -> dict[str, Body]:
        """The bodies of the nodes that hold nodes. They are looked for in what has faults of its own too."""
        bodies: dict[str, Body] = {}
        for name, node in nodes.items() if isinstance(nodes, dict) else ():
            given = node.get("with", {}) if isinstance(node, dict) else None
            if not isinstance(given, dict) or (model := body_model(node.get("type"), given)) is None:
                continue
            body = self._body(model, given, (*path, name, "with"), findings, base)
            if body is not None:
                bodies[name] = body
        return bodies

    def _body(
        self, model: type[Config], given: dict[str, Any], path: Path, findings: Findings, base: FilePath
    ) -> Body | None:
        config = _validated(model, given, path, findings)
        bodies = self._bodies(given.get("do"), (*path, "do"), findings, base)
        if config is None:
            findings.unsound.add(path)
            return None
        if isinstance(config, WorkflowConfig) and config.path is not None:
            return Body(config, workflow=self._named(config.path, (*path, "path"), findings, base))
        return Body(config, _scope(config, path, bodies))

    def _named(self, name: str, path: Path, findings: Findings, base: FilePath) -> Loaded | None:
        """The document that a node names."""
        if "${" in name or "\0" in name:
            findings.at_value(
                path, "expected the path of a document, without references: it is loaded before anything runs"
            )
            return None
        file = base / name
        if file.resolve() in self._around:
            chain = [*self._around[self._around.index(file.resolve()) :], file]
            findings.at_value(path, f"workflows can't hold themselves: {' → '.join(one.name for one in chain)}")
            return None
        if len(self._known) + len(self._around) > MAX_FILES:
            findings.at_value(path, f"more than {MAX_FILES} documents belong to the one that is loaded")
            return None
        try:
            return self._file(file, str(file))
        except UnreadableFile as error:
            findings.at_value(path, f"{shown(name)}: {error}")
            return None


def _scope(config: Config, path: Path, bodies: dict[str, Body]) -> Scope:
    if isinstance(config, ParallelConfig):
        return Scope(path, "do", config.do, bodies=bodies)
    return Scope(path, "do", config.do, config.edges, config.start, bodies)


def _validated(model: type[Model], value: dict[str, Any], path: Path, findings: Findings) -> Model | None:
    """The part as its model; mended if there is something wrong with it, and None if that does not help."""
    made, found = _tried(model, value, findings)
    for complaint in found:
        add = findings.at_key if complaint.of_key else findings.at_value
        add((*path, *complaint.path), complaint.message, complaint.near)
    findings.unsound.update((*path, *one) for complaint in found for one in unsound(complaint))
    for _ in range(_TRIES):
        if not found or findings.overflows:
            break
        value = mended(value, found)
        made, found = _tried(model, value, findings)
    return made


def _tried(model: type[Model], value: dict[str, Any], findings: Findings) -> tuple[Model | None, list[Complaint]]:
    try:
        # By alias alone: `with_` is how code spells `with`, no second name for documents.
        return model.model_validate(value, by_alias=True, by_name=False), []
    except ValidationError as error:
        if error.error_count() > _MOST_COUNTED:
            # The list of them takes more memory than the document.
            findings.at_value((), f"{error.error_count()} things are wrong with it: too many to be listed")
            return None, []
        details = error.errors(include_url=False)
        findings.leave_out(len(details) - len(details[:_MOST_DETAILS]))
        return None, complaints(details[:_MOST_DETAILS], value, model, findings.near)
