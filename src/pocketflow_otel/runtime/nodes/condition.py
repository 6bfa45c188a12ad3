"""``condition``: chooses the action of the first case that holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field, StringConstraints

from pocketflow_otel.runtime.documents.model import Part
from pocketflow_otel.runtime.expressions.bound import Bound  # noqa: TC001 - pydantic looks at it
from pocketflow_otel.runtime.registry.node_types import FunctionType, Output
from pocketflow_otel.runtime.registry.shapes import SINGLE, object_of

if TYPE_CHECKING:
    from pocketflow_otel.runtime.registry.node_types import Context

Action = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Case(Part):
    """A case.

    Attributes:
        when: A condition. It sees what the node's own ``when`` would.
        action: What is chosen where it holds.
    """

    when: Bound
    action: Action


class ConditionConfig(Part):
    """What is chosen among.

    Attributes:
        cases: Looked at in order, up to the first that holds; an error in one is an error of the node.
        otherwise: What is chosen where none holds.
    """

    cases: Annotated[list[Case], Field(min_length=1)]
    otherwise: Action = "default"


def choose(config: ConditionConfig, _: Context) -> Output:
    """The action of the first case that holds.

    Raises:
        MissingValue: A path in a condition has no value.
        UnusableValue: A condition can't be evaluated, or is neither true nor false.
    """
    action = next((case.action for case in config.cases if case.when.holds()), config.otherwise)
    return Output({"action": action}, action=action)


NODE_TYPE: Final = FunctionType(
    name="condition",
    summary="Chooses an action: that of the first case whose condition holds.",
    config=ConditionConfig,
    call=choose,
    output="action: the one that was chosen",
    expressions=(("cases", "*", "when"),),
    gives=object_of(action=SINGLE),
)
