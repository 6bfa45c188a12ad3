"""Nodes of random documents, but for those that hold others: what they do, and how they fail and are taken back."""

from dataclasses import replace
from typing import Any

from runtime.reference.drawing import Drawing, Known, Place
from runtime.reference.model import HOLDERS

HERE = "runtime.reference.nodes_for_documents"
HOPELESS, SOON = 99, 0.02  # how often a node fails that always does; seconds until a node is given up
IN_GOOD_TIME = 1.0  # seconds that a node has which is to be given up once, and done the next time

Nodes = dict[str, dict[str, Any]]


class NodeDrawing(Drawing):
    """Draws nodes that hold none."""

    def called(self, place: Place, name: str) -> dict[str, Any]:
        """What all nodes with code of ours are given."""
        given: dict[str, Any] = {"name": name, "at": list(place.at)}
        if self.chance(25):
            given["fails"] = self.one_of([1, 2, *place.items])
        return given

    def work(self, place: Place, name: str, actions: list[str] | None) -> dict[str, Any]:
        given = self.called(place, name) | {"value": self.value(place)}
        if self.chance(40):
            given["pause"] = self.one_of([0.001, 0.002])
        if actions:
            given["seen"] = f"${{{name}.seen ?? 0}}"
            given["actions"] = self.actions(actions)
        return {"type": f"{HERE}:{self.one_of(['work', 'work_async'])}", "with": given}

    def actions(self, actions: list[str]) -> list[str]:
        """What a node chooses in its first visit, its second, and so on; a few go round for long."""
        chosen = [self.one_of(actions) for _ in range(self.one_of([1, 2, 3]))]
        return [chosen[0]] * self.one_of([1] * 9 + [20]) + chosen[1:]

    def class_(self, place: Place, name: str, actions: list[str] | None) -> dict[str, Any]:
        given = self.called(place, name) | {"run": "${run.id}"} | self.one_of([{}, {"max_retries": 2}])
        if actions and "default" not in actions:
            given["action"] = self.one_of(actions)
        source = self.one_of([self.one_of(place.keys), self.reference(place)])
        reads, writes = {"number": source}, {"total": f"key_{name}"}
        return {"type": f"{HERE}:{self.one_of(['Adds', 'AddsAsync'])}", "with": given, "reads": reads, "writes": writes}

    def set(self, place: Place, name: str, _: list[str] | None) -> dict[str, Any]:
        return {"type": "set", "with": {"values": {f"key_{name}": self.value(place)}}}

    def template(self, place: Place, name: str, _: list[str] | None) -> dict[str, Any]:
        return {"type": "template", "with": {"text": self.value(place)}}

    def condition(self, place: Place, name: str, actions: list[str] | None) -> dict[str, Any]:
        config: dict[str, Any] = {
            "cases": [{"when": self.condition_text(place), "action": self.one_of(actions or ["x"])}]
        }
        if actions and "default" not in actions:
            config["otherwise"] = self.one_of(actions)
        return {"type": "condition", "with": config}

    def action(self, spec: dict[str, Any], kind: str, actions: list[str] | None) -> None:
        """Says which action a node takes whose type chooses none."""
        if actions and kind in (*HOLDERS, "set") and self.chance(70):
            action = self.one_of(actions)
            spec["action"] = self.one_of([action] * 4 + [f'${{output.none ?? "{action}"}}'] * 4 + ["${inputs.list[9]}"])

    def failing(self, place: Place, spec: dict[str, Any], nodes: Nodes, kind: str) -> None:
        """Says what happens where a node fails; its handler is put beside it."""
        self.trying(spec, kind)
        if self.chance(20):
            spec["on_error"] = "continue"
            spec["fallback"] = self.one_of([None, 5, {"value": 4, "items": [1], "total": 2}, [8]])
        elif self.chance(20):
            handler = self.name("h")
            spec["on_error"] = handler
            nodes[handler] = self.handler(replace(place, known=[]), handler, nodes, about=kind not in HOLDERS)

    def trying(self, spec: dict[str, Any], kind: str) -> None:
        """Says how often a node is tried, and how long each of its tries may take."""
        if kind in HOLDERS:
            if self.chance(10):
                spec["retry"] = {"tries": 2}
            return
        if self.chance(40):
            spec["retry"] = {"tries": self.one_of([1, 2, 3])}
            if self.chance(30):
                spec["retry"]["on"] = [self.one_of(["PlannedFailure", "ValueError", "KeyError", "TimeoutError"])]
        given = spec["with"]
        if self.wanted.hangs and given.get("fails") in (1, 2) and self.chance(25):
            given |= {"fails": HOPELESS, "hangs": True}
            spec["timeout"] = SOON
            if kind == "work" and self.chance(10):
                given["fails"] = 1
                spec |= {"timeout": IN_GOOD_TIME, "retry": {"tries": 2}}

    def handler(self, place: Place, name: str, nodes: Nodes, *, about: bool) -> dict[str, Any]:
        """A node that takes over for another.

        Args:
            place: Where it stands.
            name: What it is called.
            nodes: Is given the node that takes it back, if there is one.
            about: Whether it gives something that depends on what failed.
        """
        inner = self.name("n") if self.chance(20) and not self.wanted.in_line else None
        work = self.work(place, inner or name, None)
        if about:
            work["with"]["value"] = "${error.node}"
        if inner:
            return {"type": "workflow", "with": {"do": {inner: work}, "output": f"${{{inner}}}"}}
        if self.chance(30):
            work["retry"] = {"tries": 2}
        if self.chance(15):
            work["when"] = f"{self.one_of(['exists', 'not exists'])}(inputs.number)"
        self.undone(place, work, nodes)
        return work

    def undone(self, place: Place, spec: dict[str, Any], nodes: Nodes) -> None:
        """Says, now and then, what takes a node back; that is put beside it."""
        if not self.chance(50):
            return
        undo = self.name("u")
        spec["undo"] = undo
        if self.chance(80):
            nodes[undo] = self.take_back(place, undo)
            return
        first, second = self.name("u"), self.name("u")
        steps = {second: self.take_back(place, second) | {"needs": [first]}, first: self.take_back(place, first)}
        nodes[undo] = {"type": self.one_of(["workflow", "parallel"]), "with": {"do": steps}}

    def take_back(self, place: Place, name: str) -> dict[str, Any]:
        given = {"name": name, "at": list(place.at), "gave": "${output}", "because": "${error.node}"}
        given["fails"] = self.one_of([0, 0, 1])
        spec: dict[str, Any] = {"type": f"{HERE}:take_back", "with": given}
        if self.chance(10):
            spec["when"] = "inputs.number != 3"
        return spec


def known_node(name: str, kind: str, *, may_miss: bool = False) -> Known:
    """A node as others see it."""
    paths = {
        "work": ("", ".value", ".seen", ".items[0]"),
        "class": ("", ".total"),
        "set": ("", f".key_{name}"),
        "condition": ("", ".action"),
        "map": ("", "[0]"),
    }
    return Known(name, paths.get(kind, ("",)), (".items",) if kind == "work" else (), may_miss, kind)
