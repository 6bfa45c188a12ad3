"""``set``: puts values into the run's store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field, StringConstraints, model_validator

from pocketflow_otel.runtime.documents.model import Part
from pocketflow_otel.runtime.expressions.bound import Bound  # noqa: TC001 - pydantic looks at it
from pocketflow_otel.runtime.registry.node_types import FunctionType
from pocketflow_otel.runtime.registry.shapes import Shape, object_of, of_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pocketflow_otel.runtime.registry.node_types import Context

Key = Annotated[str, StringConstraints(pattern=r"^[^_]", max_length=200)]


class SetConfig(Part):
    """What is put into the store.

    Attributes:
        values: Values by key, with references.
        compute: Expressions by key, such as ``length(rows) + 1``. None sees what the same node sets.
    """

    values: dict[Key, Any] = Field(default={})
    compute: dict[Key, Bound] = Field(default={})

    @model_validator(mode="after")
    def _sets_each_key_once(self) -> SetConfig:
        if not self.values and not self.compute:
            raise ValueError("expected something to set: values or compute")
        if twice := self.values.keys() & self.compute.keys():
            raise ValueError(f"expected each key once; both in values and in compute: {', '.join(sorted(twice))}")
        return self


def set_values(config: SetConfig, _: Context) -> dict[str, Any]:
    """What is put into the store, by key.

    Raises:
        MissingValue: An expression's path has no value.
        UnusableValue: An expression can't be evaluated with the values there are.
    """
    return {**config.values, **{key: bound.value() for key, bound in config.compute.items()}}


def gives(with_: Mapping[str, Any]) -> Shape | None:
    """What it gives: the keys that it sets."""
    values, compute = with_.get("values", {}), with_.get("compute", {})
    if not isinstance(values, dict) or not isinstance(compute, dict):
        return None
    return object_of(*compute, **{key: of_value(value) for key, value in values.items()})


NODE_TYPE: Final = FunctionType(
    name="set",
    summary="Puts values into the run's store.",
    config=SetConfig,
    call=set_values,
    output="what was set, by key",
    writes_store=True,
    expressions=(("compute", "*"),),
    gives=gives,
)
