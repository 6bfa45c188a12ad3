"""Values as YAML, for people: texts of several lines as they stand."""

from __future__ import annotations

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - nobody reads an alias with pleasure
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def as_yaml(value: Any, width: int = 10_000) -> str:
    """A JSON value as YAML, in lines of so many characters where they can be broken."""
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=width)
