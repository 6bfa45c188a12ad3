"""Nodes that hold nodes: whether what they are given belongs together, and fits the document they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketflow_otel.runtime.documents.checking.inputs import misfit_of
from pocketflow_otel.runtime.documents.faults import listed
from pocketflow_otel.runtime.documents.graph import may_refer
from pocketflow_otel.runtime.documents.model import MapConfig, WorkflowConfig

if TYPE_CHECKING:
    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.loaded import Body, Scope
    from pocketflow_otel.runtime.documents.places import Path


def check_bodies(subject: Subject, scope: Scope) -> None:
    """Checks the nodes of a scope that hold nodes."""
    for name, body in scope.bodies.items():
        path = (*scope.path_of(name), "with")
        if isinstance(body.config, MapConfig):
            _check_over(subject, body.config, path)
        elif isinstance(body.config, WorkflowConfig):
            _check_workflow(subject, body, body.config, path)


def _check_over(subject: Subject, config: MapConfig, path: Path) -> None:
    over = config.over
    if not isinstance(over, list) and not may_refer(over):
        from pocketflow_otel.runtime.documents.sentences import shown

        subject.findings.at_value((*path, "over"), f"expected a list, or a reference to one, not {shown(over)}")


def _check_workflow(subject: Subject, body: Body, config: WorkflowConfig, path: Path) -> None:
    given = config.model_fields_set
    if config.path is None:
        if not config.do:
            subject.findings.at_key(path, "expected either 'path', another document, or 'do', nodes in place")
        if "inputs" in given:
            subject.findings.at_key((*path, "inputs"), "'inputs' belong to 'path': nodes in place see all around them")
        return
    for field in ("do", "edges", "start", "output"):
        if field in given:
            subject.findings.at_key((*path, field), f"{field!r} has no meaning beside 'path': the document says it")
    if body.workflow is not None:
        _check_inputs(subject, body, config, path)


def _check_inputs(subject: Subject, body: Body, config: WorkflowConfig, path: Path) -> None:
    if body.workflow is None:
        return
    declared = body.workflow.document.inputs
    for name, value in config.inputs.items():
        at = (*path, "inputs", name)
        if name not in declared:
            message = f"{body.workflow.file} has no input {name!r}; there are {listed(declared) or 'none'}"
            subject.findings.at_key(at, message, subject.findings.near(name, declared))
        elif not may_refer(value) and (misfit := misfit_of(declared[name], value)):
            subject.findings.at_value(at, misfit)
    for name, one in declared.items():
        if one.is_required and name not in config.inputs:
            subject.findings.at_key(path, f"the input {name!r} of {body.workflow.file} is missing")
