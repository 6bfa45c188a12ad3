"""``template``: a text with references in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.model import Part
from pocketflow_otel.runtime.expressions.json_values import as_text
from pocketflow_otel.runtime.registry.node_types import FunctionType
from pocketflow_otel.runtime.registry.shapes import SINGLE

if TYPE_CHECKING:
    from pocketflow_otel.runtime.registry.node_types import Context


class TemplateConfig(Part):
    """A text.

    Attributes:
        text: The text, with references such as ``${inputs.name | upper}`` or ``${rows | bullets}``.
    """

    text: Any


def fill(config: TemplateConfig, _: Context) -> str:
    """The text, its references filled in.

    Raises:
        UnusableValue: A value can't be put into text.
    """
    return as_text(config.text)


NODE_TYPE: Final = FunctionType(
    name="template",
    summary="Makes a text of others: references in it are filled in.",
    config=TemplateConfig,
    call=fill,
    output="the text",
    gives=SINGLE,
)
