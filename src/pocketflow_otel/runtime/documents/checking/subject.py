"""What all checks of a document share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pocketflow_otel.runtime.registry.registry import NodeTypeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pocketflow_otel.runtime.documents.checking.types import Types
    from pocketflow_otel.runtime.documents.findings import Findings
    from pocketflow_otel.runtime.documents.graph import Uses
    from pocketflow_otel.runtime.documents.loaded import Loaded, Scope
    from pocketflow_otel.runtime.documents.model import Node
    from pocketflow_otel.runtime.documents.places import Path
    from pocketflow_otel.runtime.registry.node_types import NodeType


@dataclass(frozen=True, slots=True)
class Subject:
    """A document that is being checked.

    Attributes:
        loaded: The document.
        types: The node types that it names.
        uses: Its references.
        findings: Takes its faults.
        allow_shell: Whether the run allows commands.
        connections: The connections that nodes may name: those declared, and those that were probably meant to be.
        doubtful: Nodes of which it can't be told what they give, for something is wrong with them.
        meant: Scopes as they were probably meant, by their path: as `check_named_nodes` gives them.
        keys: The keys of stores that have been asked for, by the scope's path.
    """

    loaded: Loaded
    types: Types
    uses: Uses
    findings: Findings
    allow_shell: bool
    connections: frozenset[str]
    doubtful: set[Path] = field(default_factory=set)
    meant: dict[Path, Scope | None] = field(default_factory=dict)
    keys: dict[Path, Mapping[str, None] | None] = field(default_factory=dict)

    def type_of(self, node: Node) -> NodeType | None:
        """A node's type; None if it can't be had."""
        found = self.types.get(node.type)
        return None if isinstance(found, NodeTypeError) else found
