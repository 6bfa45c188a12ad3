"""What nodes give that have a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from pocketflow_otel.runtime.registry.shapes import SINGLE, Shape, list_of, object_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pocketflow_otel.runtime.values.table import Table

OUTPUT: Final = (
    "table, rows (how many), columns (their names), first (row); with fetch, items: the rows as a list of objects"
)
Fetch = Annotated[int, Field(ge=1, le=1_000_000)]


def gives(with_: Mapping[str, Any], *more: str) -> Shape:
    """What is known of what `told` gives.

    Args:
        with_: What the node is given, as the document has it.
        more: The names of what else it gives.
    """
    items = {} if with_.get("fetch") is None else {"items": list_of()}
    return object_of("table", "first", *more, rows=SINGLE, columns=list_of(SINGLE), **items)


def told(table: Table, fetch: int | None, **more: Any) -> dict[str, Any]:
    """A table, and what references can take from it.

    Args:
        table: The table.
        fetch: How many rows it may have to be given as a list of objects too; None where it is not.
        more: What else is given.

    Returns:
        ``table``, ``rows`` (how many), ``columns`` (their names), ``first`` (row, as an object; null without one), and
        ``items``, the list, if it was asked for.

    Raises:
        ValueError: There are more rows than are to be fetched.
    """
    first = table.json_rows(1)
    given = {"table": table, "rows": table.rows, "columns": table.columns, "first": first[0] if first else None, **more}
    if fetch is None:
        return given
    if table.rows > fetch:
        raise ValueError(f"there are {table.rows} rows, and fetch allows {fetch}")
    return given | {"items": table.json_rows()}
