"""What a node is given: its configuration, references resolved and checked, and a class its view of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.documents.sentences import complaints
from pocketflow_otel.runtime.errors import InvalidConfig
from pocketflow_otel.runtime.expressions.references import Template
from pocketflow_otel.runtime.running.views import View
from pocketflow_otel.runtime.values.envelope import copied

if TYPE_CHECKING:
    from pocketflow_otel.runtime.planning import PlannedNode
    from pocketflow_otel.runtime.running.steps import Step
    from pocketflow_otel.runtime.secrets import Secrets


def inputs_of(step: Step) -> Any:
    """What a node is given, as the document has it, references resolved. Checked, it is the step's `config`.

    Raises:
        MissingValue: A reference leads nowhere.
        InvalidConfig: It is not what the node's type takes.
    """
    planned = step.planned
    if planned.config is None:
        return None
    if planned.constant is not None:
        step.config = planned.constant
        return planned.node.with_ or None
    given = copied(planned.config.resolve(step.lookup))
    try:
        step.config = planned.type.config.model_validate(given)
    except ValidationError as error:
        raise InvalidConfig(_problems(planned, given, error, step.frame.run.secrets)) from None
    return given


def view_of(step: Step) -> View:
    """The store as a class sees it in one try."""
    reads, values = {}, {}
    for key, source in step.planned.reads.items():
        if isinstance(source, Template):
            values[key] = copied(source.resolve(step.lookup))
        else:
            reads[key] = source
    return View(step.frame.stores(), reads, step.planned.node.writes, values)


def _problems(planned: PlannedNode, given: Any, error: ValidationError, secrets: Secrets) -> str:
    # Masked before they are cut: of a secret that was cut, nothing tells the rest.
    details = error.errors(include_url=False)
    for detail in details:
        detail["input"] = secrets.masked(detail["input"])
    found = complaints(details, given, planned.type.config, nearest)
    hints = [f"; did you mean {one.near!r}?" if one.near else "" for one in found]
    told = [
        f"{'.'.join(map(str, one.path)) or 'with'}: {one.message}{hint}" for one, hint in zip(found, hints, strict=True)
    ]
    return f"{planned.path} ({planned.type.name}) is given what it does not take: " + "; ".join(told)
