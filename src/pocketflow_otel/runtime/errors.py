"""What can end a node or a run, besides what nodes themselves raise."""

from __future__ import annotations


class RunError(Exception):
    """What the runtime itself raises."""


class InvalidInputs(RunError, ValueError):  # noqa: N818 - it names what it is about
    """A run is given what its document does not take, or lacks what it needs.

    Attributes:
        problems: A sentence each.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class NodeTimeout(RunError, TimeoutError):  # noqa: N818 - likewise
    """A try took longer than its node's ``timeout``."""


class UnroutedAction(RunError):  # noqa: N818 - likewise
    """A node chose an action that no edge takes."""


class InvalidConfig(RunError, ValueError):  # noqa: N818 - likewise
    """What a node is given, its references resolved, is not what its type takes."""


class LimitReached(RunError):  # noqa: N818 - the document asked for it
    """A run has used up what it may take."""


class Interrupted(RunError):  # noqa: N818 - likewise
    """A run was asked to end."""


class Cancelled(RunError):  # noqa: N818 - likewise
    """A node was ended because the run, or the nodes around it, came to an end."""
