"""A runtime as small as can be: one node after the other, in plain Python, from the design alone.

What runs side by side in the real one comes here in one order of many. Where nothing fails for good, all orders end in
the same; what another order might have left out is marked as not `certain`.
"""

from collections import Counter
from typing import Any

from runtime.reference.account import Account
from runtime.reference.calls import BUILT_IN, added, is_class, number_read, tries, worked
from runtime.reference.expressions import MissingValue, UnusableValue, heads, holds, resolved
from runtime.reference.joins import groups, readiness
from runtime.reference.model import (
    HOLDERS,
    Done,
    Entry,
    Failure,
    Flow,
    Groups,
    Home,
    Limit,
    Scope,
    Settled,
    Stop,
    TimedOut,
    Undone,
    Visit,
    Workflow,
    each,
    other_document,
)


class Reference(Account):
    """Runs a document.

    Args:
        workflow: The document, with those that it names. It has to be valid, and do without inputs.
        stops_at_once: Whether nothing begins any more once a node has failed for good; otherwise
            whatever does not depend on it goes on, as it may in a run with several nodes at once.
    """

    def __init__(self, workflow: Workflow, *, stops_at_once: bool) -> None:
        super().__init__()
        self.workflow, self.stops_at_once = workflow, stops_at_once
        self.numbers: Counter[tuple[str, tuple[Any, ...]]] = Counter()
        self.timed: list[str] = []
        self.top = self.opened(Home(workflow.document), {})
        try:
            self.outputs = self.run_to_end(self.top, workflow.document.get("outputs"), ())
        except Stop as stop:
            self.stop = stop
        if self.may_reach_limit:
            self.doubt(0, 0, 0)

    def opened(self, home: Home, given: dict[str, Any], **place: Any) -> Scope:
        """The scope of a document's nodes, before any of them has run."""
        declared = home.document.get("inputs", {})
        inputs = {name: given.get(name, about.get("default")) for name, about in declared.items()}
        return Scope(
            Flow.of_document(home.document), home, {"inputs": inputs, "run": {"id": ""}}, dict(inputs), **place
        )

    def run_to_end(self, scope: Scope, template: Any, after: tuple[Groups, ...]) -> Any:
        """Runs a flow; gives what it gives."""
        self.run_flow(scope, after)
        try:
            return self.given_back(scope, template)
        except MissingValue as missing:
            failure = self.failed(Failure(scope.prefix[:-1], "MissingValue"))
            self.take_back(scope.done, failure)
            raise failure from missing

    def given_back(self, scope: Scope, template: Any) -> Any:
        """What a flow gives: its template's value, or what the nodes give that no other one uses."""
        if template is not None:
            return resolved(template, scope)
        used = {head for spec in scope.flow.do.values() for head, _ in heads(spec)}
        return {
            name: scope.outputs[name] for name in scope.flow.scheduled if name in scope.outputs and name not in used
        }

    def run_flow(self, scope: Scope, after: tuple[Groups, ...]) -> None:
        marks = self.marks()
        try:
            if scope.flow.edges:
                self.by_action(scope, after)
            else:
                self.by_data(scope, after)
        except Stop as stop:
            self.take_back(scope.done, stop)
            if not scope.flow.edges and not self.stops_at_once:
                self.doubt(*marks)
            raise

    def by_action(self, scope: Scope, after: tuple[Groups, ...]) -> None:
        name: str | None = scope.flow.start or scope.flow.scheduled[0]
        error: Failure | None = None
        while name:
            began = len(self.visits)
            spec = scope.flow.do[name]
            try:
                seen = scope.with_names(error={"node": error.node, "type": error.type}) if error else scope
                _, action = self.run_node(name, spec, seen, after)
                name, error = self.next_node(name, action, scope), None
            except Failure as failure:
                handler = spec.get("on_error", "continue")
                if error or handler == "continue":
                    raise error or failure from None
                self.entries[-1].status = "degraded"
                name, error = handler, failure
            after = (*after, *each(visit.identity for visit in self.visits[began:]))

    def next_node(self, name: str, action: str | None, scope: Scope) -> str | None:
        routes = {edge.get("action", "default"): edge["to"] for edge in scope.flow.edges if edge["from"] == name}
        if not routes:
            return None
        if (action or "default") not in routes:
            raise self.unrouted(name, scope)
        to = routes[action or "default"]
        return None if to == "end" else to

    def unrouted(self, name: str, scope: Scope) -> Failure:
        """What a visit becomes when its action leads nowhere."""
        if self.entries[-1].status != "skipped":
            scope.done[-1].undo = None  # what was done in it remains to be taken back
            scope.outputs.pop(name)
        self.entries[-1].status, self.entries[-1].unrouted = "failed", self.entries[-1].status
        return self.failed(Failure(scope.prefix + name, "UnroutedAction"))

    def by_data(self, scope: Scope, after: tuple[Groups, ...]) -> None:
        settled: dict[str, Settled] = {}
        left, first = list(scope.flow.scheduled), None
        while True:
            state = {name: readiness(scope.flow, name, settled) for name in left}
            out_of_reach = [name for name in left if state[name] == "skip"]
            ready = [name for name in left if state[name] == "ready"]
            if not (out_of_reach or ready):
                break
            name = (
                out_of_reach[0] if out_of_reach else max(ready, key=lambda each: scope.flow.do[each].get("priority", 0))
            )
            left.remove(name)
            if out_of_reach:
                settled[name] = self.skipped(name, scope)
                continue
            began = len(self.visits)
            try:
                succeeded = self.with_handler(name, scope, (*after, *groups(scope.flow, name, settled)))
            except Stop as stop:
                first = self.first_of(first, stop)
                if self.stops_at_once:
                    break
            else:
                settled[name] = Settled(succeeded, frozenset(visit.identity for visit in self.visits[began:]))
        if first:
            raise first

    def skipped(self, name: str, scope: Scope) -> Settled:
        self.entries.append(Entry(scope.prefix + name, "skipped"))
        return Settled(False, frozenset())

    def with_handler(self, name: str, scope: Scope, after: tuple[Groups, ...]) -> bool:
        """Runs a node of a flow by data; whether it gave something."""
        spec = scope.flow.do[name]
        began = len(self.visits)
        try:
            return self.run_node(name, spec, scope, after)[0]
        except Failure as failure:
            handler = spec.get("on_error")
            if not handler:
                raise
            entry = self.entries[-1]
            seen = scope.with_names(error={"node": failure.node, "type": failure.type})
            own = each(visit.identity for visit in self.visits[began:])
            try:
                took_over, _ = self.run_node(handler, scope.flow.do[handler], seen, (*after, *own))
            except Failure:
                took_over = False
            if not took_over:
                raise
            entry.status, entry.output = "degraded", scope.outputs[handler]
            self.gave(name, spec, scope, entry, [])
            return True

    def run_node(
        self, name: str, spec: dict[str, Any], scope: Scope, after: tuple[Groups, ...]
    ) -> tuple[bool, str | None]:
        """Whether the node gave something, and its action."""
        path, inner = scope.prefix + name, list[Done]()
        try:
            self.count_visit(name, spec, scope)
            if "when" in spec and not holds(spec["when"], scope):
                self.skipped(name, scope)
                return False, None
            status, output, action = self.tried(name, spec, scope, after, inner)
        except (Failure, MissingValue, UnusableValue) as error:
            if spec.get("on_error") != "continue":
                self.entries.append(Entry(path, "failed"))
                raise self.failed(self.failure_of(path, error)) from error
            status, output, action = "degraded", spec.get("fallback"), None
        self.entries.append(Entry(path, status, output))
        self.gave(name, spec, scope, self.entries[-1], inner)
        if spec["type"] == "set" and isinstance(output, dict):
            scope.store.update(output)
        return True, action

    def failed(self, failure: Failure) -> Failure:
        self.may_fail.add((failure.node, failure.type))
        return failure

    def failure_of(self, path: str, error: Exception) -> Failure:
        return error if isinstance(error, Failure) else Failure(path, type(error).__name__)

    def count_visit(self, name: str, spec: dict[str, Any], scope: Scope) -> None:
        scope.visited[name] += 1
        home: Home | None = scope.home
        while home:
            home.visits += 1
            if home.visits > home.document.get("limits", {}).get("visits", home.visits):
                raise Limit(scope.prefix + name, "LimitReached")
            home = home.around
        if scope.visited[name] > spec.get("visits", scope.visited[name]):
            raise Limit(scope.prefix + name, "LimitReached")

    def gave(self, name: str, spec: dict[str, Any], scope: Scope, entry: Entry, inner: list[Done]) -> None:
        """Notes an output; what a class gave is where it wrote it, and what stands for that under the node's name."""
        scope.outputs[name] = entry.output
        if entry.status == "degraded" or not is_class(spec):
            scope.store[name] = entry.output
        scope.done.append(Done(spec.get("undo"), entry.output, scope, inner))

    def tried(
        self, name: str, spec: dict[str, Any], scope: Scope, after: tuple[Groups, ...], inner: list[Done]
    ) -> tuple[str, Any, str | None]:
        """What comes of a node, what it gives, and its action."""
        if spec["type"] not in HOLDERS:
            output, action = self.call(name, spec, scope, after)
            return "succeeded", output, self.action(spec, scope, output) or action
        last = spec.get("retry", {"tries": 1})["tries"]
        for number in range(1, last + 1):
            try:
                output, degraded = self.body(name, spec, scope, after, inner)
                return "degraded" if degraded else "succeeded", output, self.action(spec, scope, output)
            except (Failure, MissingValue, UnusableValue) as error:
                self.take_back(inner, self.failure_of(scope.prefix + name, error))
                if number == last:
                    raise
        raise AssertionError(name)

    def action(self, spec: dict[str, Any], scope: Scope, output: Any) -> str | None:
        return resolved(spec.get("action"), scope.with_names(output=output))

    def call(self, name: str, spec: dict[str, Any], scope: Scope, after: tuple[Groups, ...]) -> tuple[Any, str | None]:
        """What a node gives that holds none, and its action."""
        given = resolved(spec.get("with", {}), scope)
        if spec["type"] in BUILT_IN:
            return BUILT_IN[spec["type"]](given, scope)
        number = number_read(spec, scope)
        calls, error = tries(spec, given, scope.home.retry)
        self.numbers[name, scope.at] += 1
        self.visits.append(Visit((name, scope.at, self.numbers[name, scope.at]), calls, error is None, after))
        if error == "NodeTimeout" and "timeout" not in spec:
            raise TimedOut(self.timed[-1], error)
        if error:
            raise Failure(scope.prefix + name, error)
        return added(spec, given, number, scope) if is_class(spec) else worked(given)

    def body(
        self, name: str, spec: dict[str, Any], scope: Scope, after: tuple[Groups, ...], inner: list[Done]
    ) -> tuple[Any, bool]:
        """What a node gives that holds nodes, and whether something in it is missing."""
        path, marks = scope.prefix + name, self.marks()
        if "timeout" not in spec:
            return self.inside(name, spec, scope, after, inner)
        self.timed.append(path)
        try:
            return self.inside(name, spec, scope, after, inner)
        except TimedOut as stop:
            self.doubt(*marks)
            if stop.node != path:
                raise
            raise Failure(path, stop.type) from None
        finally:
            self.timed.pop()

    def inside(
        self, name: str, spec: dict[str, Any], scope: Scope, after: tuple[Groups, ...], inner: list[Done]
    ) -> tuple[Any, bool]:
        config = spec["with"]
        if "path" in config:
            return self.other_document(name, config, scope, after, inner), False
        if spec["type"] != "map":
            return self.once(name, config, scope, after, inner), False
        items = resolved(config["over"], scope)
        if not isinstance(items, list):
            raise Failure(scope.prefix + name, "TypeError")
        marks = self.marks()
        try:
            return self.for_each(items, name, config, scope, after, inner)
        except Stop as stop:
            self.take_back(inner, stop)
            if not self.stops_at_once:
                self.doubt(*marks)
            raise

    def for_each(
        self,
        items: list[Any],
        name: str,
        config: dict[str, Any],
        scope: Scope,
        after: tuple[Groups, ...],
        inner: list[Done],
    ) -> tuple[list[Any], bool]:
        outputs: list[Any] = []
        first: Stop | None = None
        for index, item in enumerate(items):
            began = len(self.visits)
            names = {config["as"]: item, "index": index}
            try:
                outputs.append(self.once(name, config, scope, after, inner, names, (item,)))
            except Stop as stop:
                outputs.append(None)
                first = self.first_of(first, stop)
                if self.stops_at_once and not self.goes_on(config, stop):
                    break
            if config["parallel"] == 1:
                after = (*after, *each(visit.identity for visit in self.visits[began:]))
        if first and not self.goes_on(config, first):
            raise first
        return outputs, first is not None

    def goes_on(self, config: dict[str, Any], stop: Stop) -> bool:
        return config["on_error"] == "continue" and isinstance(stop, Failure)

    def once(
        self,
        name: str,
        config: dict[str, Any],
        scope: Scope,
        after: tuple[Groups, ...],
        inner: list[Done],
        names: dict[str, Any] | None = None,
        at: tuple[Any, ...] = (),
    ) -> Any:
        """Runs the nodes inside one, once, and gives what they give."""
        prefix = f"{scope.prefix}{name}."
        child = Scope(Flow.of_body(config), scope.home, names or {}, {}, prefix, (*scope.at, *at), scope)
        output = self.run_to_end(child, config.get("output"), after)
        inner.extend(child.done)
        return output

    def other_document(
        self, name: str, config: dict[str, Any], scope: Scope, after: tuple[Groups, ...], inner: list[Done]
    ) -> Any:
        """Runs a document that a node names, which sees nothing but its inputs."""
        document, folder = other_document(self.workflow, scope.home.folder, config["path"])
        home = Home(document, folder, scope.home)
        given = resolved(config["inputs"], scope)
        if not isinstance(given.get("number", 0), int):
            raise Failure(scope.prefix + name, "InvalidInputs")
        child = self.opened(home, given, prefix=f"{scope.prefix}{name}.", at=(*scope.at, name))
        output = self.run_to_end(child, document.get("outputs"), after)
        inner.extend(child.done)
        return output

    def take_back(self, done: list[Done], stop: Stop) -> None:
        """Runs the undo nodes, the latest visit's first."""
        for visit in reversed(done):
            if visit.undo:
                self.undo(visit.undo, visit, stop)
            self.take_back(visit.inner, stop)
        done.clear()

    def undo(self, name: str, visit: Done, stop: Stop) -> None:
        """Runs an undo node, or the nodes in it, one after the other until one fails or is skipped."""
        scope, spec = visit.scope, visit.scope.flow.do[name]
        seen = scope.with_names(output=visit.output, error={"node": stop.node, "type": stop.type})
        steps = spec["with"]["do"] if spec["type"] in HOLDERS else {name: spec}
        for step in sorted(steps, key=lambda each: "needs" in steps[each]):
            if "when" in steps[step] and not holds(steps[step]["when"], seen):
                return
            given = resolved(steps[step]["with"], seen)
            succeeds = tries(steps[step], given, scope.home.retry)[1] is None
            self.undone.append(Undone(step, scope.at, given["gave"], given["because"], succeeds))
            if not succeeds:
                return
