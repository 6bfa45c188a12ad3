"""The table of options as the documentation shows it, made from the one in the code.

``python tests/docs/options_table.py`` writes it into docs/options.md.
"""

import re
from pathlib import Path

from pocketflow_otel.options import FIELDS, environment_variable

PAGE = Path(__file__).resolve().parents[2] / "docs/options.md"
BEGIN, END = "<!-- options -->\n\n", "\n<!-- /options -->"

_REGION = re.compile(f"{BEGIN}.*?{END}", re.DOTALL)


def table() -> str:
    """A row for each option: its name, variable, flag, YAML key, default and meaning."""
    rows = [_row(name) for name in FIELDS]
    head = "| option, and YAML key | environment variable | flag of `opentelemetry-instrument` | default | meaning |"
    return "\n".join([head, "|---|---|---|---|---|", *rows]) + "\n"


def _row(name: str) -> str:
    field = FIELDS[name]
    variable = environment_variable(name)
    flag = "--" + variable.removeprefix("OTEL_PYTHON_").lower()
    default = "unset" if field.default in (None, ()) else f"`{field.default}`"
    return f"| `{name}` | `{variable}` | `{flag}` | {default} | {field.metadata['help']} |"


def shown() -> str:
    """The table as the page has it."""
    region = _REGION.search(PAGE.read_text(encoding="utf-8"))
    assert region is not None
    return region[0].removeprefix(BEGIN).removesuffix(END)


if __name__ == "__main__":
    PAGE.write_text(_REGION.sub(lambda _: BEGIN + table() + END, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
