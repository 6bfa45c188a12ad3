"""Random documents, as dicts: all that the interpreter knows, in any combination that is valid."""

import posixpath
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from runtime.reference.drawing import LITERALS, Draw, Known, Place, Wanted
from runtime.reference.drawing_nodes import HOPELESS, NodeDrawing, Nodes, known_node
from runtime.reference.model import HOLDERS, Workflow

DEEPEST = 3
INPUTS = {"number": {"type": "integer", "default": 3}, "list": {"type": "list", "default": [2, 5, 9]}}
GIVEN = {"at": {"type": "list"}, "word": {"type": "any", "default": "w"}}


class Writer(NodeDrawing):
    """Writes documents."""

    def __init__(self, draw: Draw, wanted: Wanted) -> None:
        super().__init__(draw, wanted)
        self.files: dict[str, dict[str, Any]] = {}

    def document(self, place: Place) -> dict[str, Any]:
        """A document, without its inputs."""
        flow, own = self.flow(place, by_action=self.chance(40))
        document = {"workflow": "random", "nodes": flow.pop("do"), **flow}
        by_action = "edges" in document
        if by_action and self.chance(30):
            document["start"] = next(iter(document["nodes"]))
        in_order = self.wanted.in_line or not any(one.kind in HOLDERS for one in own)
        if by_action and in_order and self.chance(30):
            document["limits"] = {"visits": self.draw(st.integers(1, 8))}
        if self.chance(30):
            document["defaults"] = self.one_of([{"retry": {"tries": 2}}, {"timeout": 30}])
        if self.chance(60) or by_action:
            document["outputs"] = {f"out{number}": self.given_back(one) for number, one in enumerate(own)}
        return document

    def given_back(self, one: Known) -> str:
        default = f" ?? {self.one_of(LITERALS)}" if self.chance(95) else ""
        return f"${{{one.name}{self.one_of(one.paths)}{default}}}"

    def flow(self, place: Place, by_action: bool) -> tuple[dict[str, Any], list[Known]]:
        """What stands under `do` and `edges`, and what the flow's end can refer to."""
        place = replace(place, known=list(place.known), keys=list(place.keys))
        nodes, edges = self.by_action(place) if by_action else (self.by_data(place), [])
        own = [known for known in place.known if known.name in nodes]
        if edges:
            return {"do": nodes, "edges": edges}, own
        return {"do": {name: nodes[name] for name in self.draw(st.permutations(list(nodes)))}}, own

    def by_data(self, place: Place) -> Nodes:
        nodes: Nodes = {}
        scheduled: list[Known] = []
        for _ in range(self.draw(st.integers(2, 6) if place.depth == 1 else st.integers(1, 3))):
            before = self.draw(st.lists(st.sampled_from(scheduled), unique=True, max_size=3)) if scheduled else []
            known = known_node(self.name("n"), self.kind(place, ["work", "work", "class", "set", "template"]))
            waits = self.wanted.in_line and any(one.kind in HOLDERS for one in (known, *scheduled))
            join = self.join(before, all_settle=waits)
            spec = self.node(self.in_sight(place, before, join), known, nodes)
            if before:
                spec["needs"] = [one.name for one in before]
            if join != "all":
                spec["join"] = join
            if self.chance(30):
                spec["priority"] = self.draw(st.integers(-2, 2))
            if waits and scheduled:
                self.wait_for(scheduled, spec)
            nodes[known.name] = spec
            scheduled.append(known)
            place.known.append(known)
        return nodes

    def join(self, before: list[Known], *, all_settle: bool) -> Any:
        choices = ["all", "all", "any", "first", 2, 3]
        fitting = [one for one in choices if not isinstance(one, int) or one <= len(before)]
        return (
            self.one_of([one for one in fitting if one in ("all", "any")] if all_settle else fitting)
            if before
            else "all"
        )

    def in_sight(self, place: Place, before: list[Known], join: Any) -> Place:
        """What a node can refer to that waits for some of those before it."""
        if join == "all":
            written = [f"key_{one.name}" for one in before if one.kind in ("class", "set")]
            return replace(place, keys=[*place.keys, *written])
        seen = [one for one in place.known if join == "any" or self.wanted.in_line or one not in before]
        return replace(place, known=[replace(one, may_miss=one.may_miss or one.is_node) for one in seen])

    def wait_for(self, before: list[Known], spec: dict[str, Any]) -> None:
        """Lets a node wait for others whatever comes of them."""
        terms = [f"(exists({one.name}) or not exists({one.name}))" for one in before]
        spec["when"] = " and ".join([*terms, f"({spec['when']})"] if "when" in spec else terms)

    def by_action(self, place: Place) -> tuple[Nodes, list[dict[str, str]]]:
        names = [self.name("n") for _ in range(self.draw(st.integers(2, 4)))]
        routes = {name: self.routes(names) for name in names}
        routes[names[0]] = routes[names[0]] or {"default": self.one_of([*names, "end"])}
        reached = [names[0]]
        for name in reached:
            reached += [to for to in dict.fromkeys(routes[name].values()) if to not in (*reached, "end")]
        kinds = ["work", "work", "class", "condition", "set"]
        own = [known_node(name, self.kind(place, kinds), may_miss=True) for name in reached]
        place.known += own
        place.keys += [f"key_{one.name}" if one.kind in ("class", "set") else one.name for one in own]
        nodes: Nodes = {}
        edges = []
        for one in own:
            name = one.name
            seen = [other for other in place.known if one.kind not in HOLDERS or other is not one]
            spec = self.node(replace(place, known=seen), one, nodes, list(routes[name]))
            spec["visits"] = self.one_of([4, 2, 6, 1, 25])
            nodes[name] = spec
            edges += [
                {"from": name, "to": to} | ({"action": action} if action != "default" else {})
                for action, to in routes[name].items()
            ]
            handler = spec.get("on_error", "continue")
            if handler != "continue" and self.chance(50):
                edges.append({"from": handler, "to": self.one_of([*reached, "end"])})
                nodes[handler]["visits"] = 3
        return {name: nodes[name] for name in (*reached, *nodes)}, edges

    def routes(self, names: list[str]) -> dict[str, str]:
        actions = self.draw(st.lists(st.sampled_from(["default", "go", "back"]), unique=True, max_size=2))
        return {action: self.one_of([*names, "end", "end"]) for action in actions}

    def kind(self, place: Place, kinds: list[str]) -> str:
        holds = self.wanted.holds_nodes and place.depth < DEEPEST
        kind = self.one_of([*kinds, "holder", "holder", "holder"] if holds else kinds)
        return self.one_of(HOLDERS) if kind == "holder" else kind

    def node(self, place: Place, known: Known, nodes: Nodes, actions: list[str] | None = None) -> dict[str, Any]:
        """What is said of a node; its handler and its undo node are put beside it."""
        spec = getattr(self, "class_" if known.kind == "class" else known.kind)(place, known.name, actions)
        self.action(spec, known.kind, actions)
        if self.chance(25) and place.known:
            spec["when"] = self.condition_text(place)
        self.failing(place, spec, nodes, known.kind)
        self.undone(place, spec, nodes)
        return spec

    def map(self, place: Place, name: str, _: list[str] | None) -> dict[str, Any]:
        item = f"item_{name}"
        text = f"${{{item}}}"
        known = [*place.known, Known(item, ("",)), Known("index", ("",))]
        inside = replace(place, at=[*place.at, text], items=(*place.items, text), known=known)
        config = {
            "over": self.items(place),
            "as": item,
            "parallel": 1 if self.wanted.in_line else self.one_of([1, 2, 4]),
        }
        config["on_error"] = self.one_of(["stop", "continue"])
        return self.holder(inside, "map", config)

    def parallel(self, place: Place, name: str, _: list[str] | None) -> dict[str, Any]:
        return self.holder(place, "parallel", {})

    def workflow(self, place: Place, name: str, _: list[str] | None) -> dict[str, Any]:
        others = self.wanted.names_others and self.chance(60)
        return self.other_document(place, name) if others else self.holder(place, "workflow", {})

    def holder(self, place: Place, kind: str, config: dict[str, Any]) -> dict[str, Any]:
        place = place.inside()
        if self.wanted.hangs and not self.wanted.in_line and self.chance(10):
            return {"type": kind, "timeout": 0.1, "with": config | self.hanging(place)}
        flow, own = self.flow(place, kind != "parallel" and self.chance(40))
        if kind == "map" or flow.get("edges") or self.chance(50):
            flow["output"] = self.given_back(self.one_of(own))
        return {"type": kind, "with": config | flow}

    def hanging(self, place: Place) -> dict[str, Any]:
        """A node that waits for ever, after one that can be taken back; now and then in a flow of its own."""
        first, last = self.name("n"), self.name("n")
        nodes: Nodes = {first: self.work(replace(place, known=[]), first, None)}
        nodes[first]["with"].pop("fails", None)
        self.undone(place, nodes[first], nodes)
        nodes[last] = self.work(replace(place, known=[]), last, None) | {"needs": [first]}
        nodes[last]["with"] |= {"fails": HOPELESS, "hangs": True}
        if self.chance(30):
            nodes[last]["on_error"] = "continue"
        if self.chance(30):
            return {"do": {self.name("n"): {"type": "workflow", "with": {"do": nodes}}}}
        return {"do": nodes}

    def other_document(self, place: Place, name: str) -> dict[str, Any]:
        """Names a document: one that is there already, or one that is written now."""
        path = self.one_of(list(self.files)) if self.files and self.chance(40) else self.written(place)
        inputs: dict[str, Any] = {"at": [*place.at, name]}
        if self.chance(50):
            inputs["number"] = self.one_of([4, "${inputs.number}", self.reference(place)])
        if self.chance(50):
            inputs["word"] = self.value(place)
        return {"type": "workflow", "with": {"path": posixpath.relpath(path, place.folder or "."), "inputs": inputs}}

    def written(self, place: Place) -> str:
        folder = posixpath.join(place.folder, self.one_of(["", "inner", "a/b"]))
        inside = Place([Known("inputs", (".word",))], ["${inputs.at}"], depth=place.depth + 1, folder=folder)
        document = {"inputs": {**INPUTS, **GIVEN}, **self.document(inside)}
        path = posixpath.join(folder, f"{self.name('d')}.json")
        self.files[path] = document
        return path


@st.composite
def _documents(draw: Draw, wanted: Wanted) -> Workflow:
    writer = Writer(draw, wanted)
    document = {"inputs": INPUTS, **writer.document(Place(known=[]))}
    return Workflow(document, writer.files)


def documents(**wanted: bool) -> st.SearchStrategy[Workflow]:
    """Valid documents, with those that they name; options are those of `Wanted`."""
    return _documents(Wanted(**wanted))


def lone_documents() -> st.SearchStrategy[dict[str, Any]]:
    """Valid documents that name no others, and in which nothing waits for ever."""
    return documents(names_others=False, hangs=False).map(lambda workflow: workflow.document)
