"""What the types of random documents do, said a second time: without a call, a retry or a class."""

from typing import Any

from pocketflow_otel.runtime.errors import NodeTimeout
from runtime.reference import nodes_for_documents as types
from runtime.reference.expressions import as_text, holds, resolved
from runtime.reference.model import Scope


def is_class(spec: dict[str, Any]) -> bool:
    return spec["type"].endswith((":Adds", ":AddsAsync"))


def tries(spec: dict[str, Any], given: dict[str, Any], otherwise: dict[str, Any] | None) -> tuple[int, str | None]:
    """How often the code of a visit is called, and with what error it fails at last, if it does.

    A class tries again by itself within each of these calls, so that it fails in all of them or in none.
    """
    retry = spec.get("retry") or otherwise or {"tries": 1}
    error = NodeTimeout if given.get("hangs") else types.PlannedFailure
    fits = not retry.get("on") or any(kind.__name__ in retry["on"] for kind in error.__mro__)
    most, fails = retry["tries"] if fits else 1, given.get("fails", 0)
    if is_class(spec):
        succeeds = fails < given.get("max_retries", 1) and not given.get("hangs")
        return (1 if succeeds else most), None if succeeds else error.__name__
    return min(fails + 1, most), None if fails < most else error.__name__


def worked(given: dict[str, Any]) -> tuple[Any, str | None]:
    seen = given.get("seen", 0)
    return types.made(given["name"], given.get("value"), seen), types.chosen(given.get("actions"), seen)


def number_read(spec: dict[str, Any], scope: Scope) -> Any:
    """What a class finds under its key: of the store, or what a reference leads to."""
    source = spec.get("reads", {}).get("number", "number")
    return resolved(source, scope) if "${" in source else scope.whole_store().get(source, 0)


def added(spec: dict[str, Any], given: dict[str, Any], number: Any, scope: Scope) -> tuple[Any, str | None]:
    total = types.digit(given["name"], number)
    scope.store[spec.get("writes", {}).get("total", "total")] = total
    return {"total": total}, given.get("action")


def set_values(given: dict[str, Any], _: Scope) -> tuple[Any, str | None]:
    return given["values"], None


def choose(given: dict[str, Any], scope: Scope) -> tuple[Any, str | None]:
    chosen = [case["action"] for case in given["cases"] if holds(case["when"], scope)]
    action = (*chosen, given.get("otherwise", "default"))[0]
    return {"action": action}, action


BUILT_IN = {"set": set_values, "condition": choose, "template": lambda given, _: (as_text(given["text"]), None)}
