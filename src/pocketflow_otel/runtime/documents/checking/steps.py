"""Steps of references: whether they lead to something, as far as that is known before anything runs."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from pocketflow_otel.runtime.documents.checking.shapes import keys_of_store, shape_of_input
from pocketflow_otel.runtime.documents.faults import listed
from pocketflow_otel.runtime.registry.shapes import misstep

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable

    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.graph import Use
    from pocketflow_otel.runtime.documents.loaded import Scope
    from pocketflow_otel.runtime.registry.shapes import Shape


def check_steps(subject: Subject, use: Use, shape: Shape | None, done: int = 0) -> None:
    """Checks the steps into a value.

    What has a default may well be missing: there only a step that looks like another is a fault.

    Args:
        subject: The document.
        use: The reference.
        shape: What is known of the value.
        done: How many of the steps lead to the value.
    """
    reference = use.reference
    found = misstep(shape, reference.steps[done:])
    if found is None:
        return
    before = _shown(reference.head, reference.steps[: done + found.number])
    near = None
    if isinstance(found.step, str):
        near = before if found.shape.kind == "single value" else subject.findings.near(found.step, found.names)
    if near is None and reference.optional:
        return
    subject.findings.at_use(use, f"{before} {found.message}", near)


def check_inputs(subject: Subject, use: Use) -> None:
    """Checks what is taken of the inputs."""
    inputs = subject.loaded.document.inputs
    name = str(use.reference.steps[0])
    if name in inputs:
        check_steps(subject, use, shape_of_input(inputs[name]), done=1)
    else:
        check_member(subject, use, inputs, "input")


def check_member(subject: Subject, use: Use, members: Collection[str], what: str) -> None:
    """Checks that the first step is one of some names.

    Args:
        subject: The document.
        use: The reference.
        members: The names.
        what: What they are names of.
    """
    name = str(use.reference.steps[0])
    if name in members:
        return
    there = f"; there are {listed(members)}" if members else ""
    message = f"there is no {what} called {name!r}{there}"
    subject.findings.at_use(use, message, subject.findings.near(name, members))


def check_store(subject: Subject, use: Use, scopes: Iterable[Scope], brought: Container[str]) -> None:
    """Checks what is taken of the store: whether anything is ever put there under that key.

    Args:
        subject: The document.
        use: The reference.
        scopes: The scopes whose stores are read.
        brought: Further names that may stand there.
    """
    key = str(use.reference.steps[0])
    if key in brought:
        return
    keys: list[Collection[str]] = []
    for scope in scopes:
        own = keys_of_store(subject, scope)
        if own is None or key in own:
            return
        keys.append(own)
    near = subject.findings.near(key, chain.from_iterable(keys))
    if near is not None or not use.reference.optional:
        message = f"nothing puts {key!r} into the store; what is put there is {listed(chain.from_iterable(keys))}"
        subject.findings.at_use(use, message, near)


def _shown(head: str, steps: Iterable[str | int]) -> str:
    shown = head
    for step in steps:
        shown += f"[{step}]" if isinstance(step, int) else f".{step}" if step.isidentifier() else f"[{step!r}]"
    return shown
