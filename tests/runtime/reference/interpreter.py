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
    Done,
    Entry,
    Failure,
    Flow,
    Groups,
    Limit,
    Scope,
    Settled,
    Stop,
    Undone,
    Visit,
    each,
)

HOLDERS = ("map", "parallel", "workflow")


class Reference(Account):
    """Runs a document.

    Args:
        document: As a dict. It has to be valid.
        inputs: What it is given.
        stops_at_once: Whether nothing begins any more once a node has failed for good; otherwise
            whatever does not depend on it goes on, as it may in a run with several nodes at once.
    """

    def __init__(self, document: dict[str, Any], inputs: dict[str, Any], *, stops_at_once: bool) -> None:
        super().__init__()
        self.document, self.stops_at_once = document, stops_at_once
        self.limits = document.get("limits", {})
        self.retry = document.get("defaults", {}).get("retry")
        given = {name: about.get("default") for name, about in document.get("inputs", {}).items()} | inputs
        flow = Flow(document["nodes"], document.get("edges", []), document.get("start"))
        self.top = Scope(flow, {"inputs": given, "run": {"id": ""}}, dict(given))
        self.count = 0
        self.numbers: Counter[tuple[str, tuple[Any, ...]]] = Counter()
        try:
            self.run_flow(self.top, ())
            self.outputs = self.given_back(self.top, document.get("outputs"))
        except Stop as stop:
            self.stop = stop
        if self.may_reach_limit:
            self.doubt(0, 0, 0)

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
        self.may_fail.add(scope.prefix + name)
        return Failure(scope.prefix + name, "UnroutedAction")

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

    def given_back(self, scope: Scope, template: Any) -> Any:
        """What a flow gives: its template's value, or what the nodes give that no other one uses."""
        if template is not None:
            return resolved(template, scope)
        used = {head for spec in scope.flow.do.values() for head, _ in heads(spec)}
        return {
            name: scope.outputs[name] for name in scope.flow.scheduled if name in scope.outputs and name not in used
        }

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
            try:
                own = each(visit.identity for visit in self.visits[began:])
                self.run_node(handler, scope.flow.do[handler], seen, (*after, *own))
            except Failure:
                raise failure from None
            entry.status, entry.output = "degraded", scope.outputs[handler]
            self.gave(name, spec, scope, entry, [])
            return True

    def run_node(
        self, name: str, spec: dict[str, Any], scope: Scope, after: tuple[Groups, ...]
    ) -> tuple[bool, str | None]:
        """Whether the node gave something, and its action."""
        inner: list[Done] = []
        status, action = "succeeded", None
        try:
            self.count_visit(name, spec, scope)
            if "when" in spec and not holds(spec["when"], scope):
                self.skipped(name, scope)
                return False, None
            if spec["type"] in HOLDERS:
                output, degraded = self.body(name, spec, scope, after, inner)
                status = "degraded" if degraded else "succeeded"
            else:
                output, action = self.call(name, spec, scope, after)
        except (Failure, MissingValue, UnusableValue) as error:
            if spec.get("on_error") != "continue":
                self.entries.append(Entry(scope.prefix + name, "failed"))
                self.may_fail.add(scope.prefix + name)
                raise (
                    error if isinstance(error, Failure) else Failure(scope.prefix + name, type(error).__name__)
                ) from error
            status, output, spec = "degraded", spec.get("fallback"), {**spec, "action": "default"}
        self.entries.append(Entry(scope.prefix + name, status, output))
        self.gave(name, spec, scope, self.entries[-1], inner)
        if "action" in spec:
            action = resolved(spec["action"], scope.with_names(output=output))
        return True, action

    def count_visit(self, name: str, spec: dict[str, Any], scope: Scope) -> None:
        self.count += 1
        scope.visited[name] += 1
        if scope.visited[name] > spec.get("visits", self.count) or self.count > self.limits.get("visits", self.count):
            raise Limit(scope.prefix + name, "Limit")

    def gave(self, name: str, spec: dict[str, Any], scope: Scope, entry: Entry, inner: list[Done]) -> None:
        """Notes an output; what a class gave is where it wrote it, and what stands for that under the node's name."""
        scope.outputs[name] = entry.output
        if entry.status == "degraded" or not is_class(spec):
            scope.store[name] = entry.output
        scope.done.append(Done(spec.get("undo"), entry.output, scope, inner))

    def body(
        self, name: str, spec: dict[str, Any], scope: Scope, after: tuple[Groups, ...], inner: list[Done]
    ) -> tuple[Any, bool]:
        """What a node gives that holds nodes, and whether something in it is missing."""
        if spec["type"] != "map":
            return self.inside(name, spec["with"], scope, after, inner), False
        items = resolved(spec["with"]["over"], scope)
        if not isinstance(items, list):
            raise Failure(scope.prefix + name, "TypeError")
        marks = self.marks()
        try:
            return self.for_each(items, name, spec["with"], scope, after, inner)
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
            try:
                names = {config["as"]: item, "index": index}
                outputs.append(self.inside(name, config, scope, after, inner, names, (item,)))
            except Stop as stop:
                outputs.append(None)
                first = self.first_of(first, stop)
                if self.stops_at_once and (config["on_error"] == "stop" or isinstance(stop, Limit)):
                    break
            if config["parallel"] == 1:
                after = (*after, *each(visit.identity for visit in self.visits[began:]))
        if first and (config["on_error"] == "stop" or isinstance(first, Limit)):
            raise first
        return outputs, first is not None

    def inside(
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
        flow = Flow(config["do"], config.get("edges", []), config.get("start"))
        child = Scope(flow, names or {}, {}, f"{scope.prefix}{name}.", (*scope.at, *at), scope)
        self.run_flow(child, after)
        try:
            output = self.given_back(child, config.get("output"))
        except MissingValue as missing:
            failure = Failure(scope.prefix + name, "MissingValue")
            self.take_back(child.done, failure)
            raise failure from missing
        inner.extend(child.done)
        return output

    def call(self, name: str, spec: dict[str, Any], scope: Scope, after: tuple[Groups, ...]) -> tuple[Any, str | None]:
        """What a node gives that holds none, and its action."""
        given = resolved(spec.get("with", {}), scope)
        if spec["type"] in BUILT_IN:
            return BUILT_IN[spec["type"]](given, scope)
        number = number_read(spec, scope)
        calls, succeeds = tries(spec, given, self.retry)
        self.numbers[name, scope.at] += 1
        self.visits.append(Visit((name, scope.at, self.numbers[name, scope.at]), calls, succeeds, after))
        if not succeeds:
            raise Failure(scope.prefix + name, "PlannedFailure")
        return added(spec, given, number, scope) if is_class(spec) else worked(given)

    def take_back(self, done: list[Done], stop: Stop) -> None:
        """Runs the undo nodes, the latest visit's first."""
        for visit in reversed(done):
            if visit.undo:
                spec = visit.scope.flow.do[visit.undo]
                error = {"node": stop.node, "type": stop.type}
                given = resolved(spec["with"], visit.scope.with_names(output=visit.output, error=error))
                succeeds = tries(spec, given, self.retry)[1]
                self.undone.append(Undone(visit.scope.prefix + visit.undo, visit.scope.at, given["gave"], succeeds))
            self.take_back(visit.inner, stop)
        done.clear()
