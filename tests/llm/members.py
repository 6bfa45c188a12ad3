"""The nodes and flows of programs described in `llm.flows`: each takes down where it is, and makes its calls there."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pocketflow

from llm.flows import Flow, Node, Step
from llm.journal import Answer, FailedError, Place

if TYPE_CHECKING:
    from llm.running import Program


class _Member:
    """What nodes do, sync or async."""

    plan: Node
    program: "Program"
    params: dict[str, Any]
    max_retries: int

    def begin(self) -> Place:
        """Begins a visit: PocketFlow makes a copy of the node for each."""
        self.around: Place = self.params["at"]
        self.at = self.program.journal.visit("invoke_node", self.plan.name, self.around)
        self.kept: list[Answer] = []
        return self.at

    def prepared(self, answers: list[Answer]) -> Any:
        self.keep(answers)
        return list(range(self.plan.items)) if "Batch" in self.plan.kind else None

    def trial(self, item: int | None) -> Place:
        return self.at if item is None else (*self.at, ("item", "", item))

    def begin_try(self, item: int | None) -> tuple[Step, Place]:
        trial = self.trial(item)
        number = self.program.journal.next_number(trial)
        step = self.plan.tries[((item or 0) + number - 1) % len(self.plan.tries)]
        return step, trial if self.max_retries == 1 else (*trial, ("attempt", "", number))

    def try_ended(self, step: Step, at: Place, answers: list[Answer]) -> Any:
        error = next((answer.error for answer in answers if answer.error is not None), None)
        if step.raises or error is not None:
            raise FailedError from error
        return self.returned(answers, at)

    def returned(self, answers: list[Answer], at: Place) -> Any:
        self.keep(answers)
        responses = [answer for answer in answers if answer.is_response]
        if not responses or self.plan.returns == "texts":
            return "a text"
        if self.plan.returns == "first":
            responses = responses[:1]
        self.program.journal.tell(responses, at)
        if self.plan.returns == "first":
            return responses[0].value
        values = [answer.value for answer in responses]
        return values if self.plan.returns == "list" else {f"answer {n}": value for n, value in enumerate(values)}

    def keep(self, answers: list[Answer]) -> None:
        self.kept += [answer for answer in answers if answer.is_response]

    def stored(self, answers: list[Answer], shared: dict[str, Any]) -> str | None:
        """Puts the responses into the store, and decides where to go."""
        self.keep(answers)
        kept = self.kept if self.plan.stores is not None else []
        if self.plan.stores == "usage":
            kept = [answer for answer in kept if answer.label in self.program.journal.told]
        for number, answer in enumerate(kept):
            shared[f"{self.plan.name} {number}"] = _FORMS[self.plan.stores](answer.value)
        self.program.journal.tell(kept, self.at)
        times = self.program.journal.next_number(self.around, self.plan.name, "back")
        return "back" if times <= self.plan.back else None


def _bare_usage(response: Any) -> Any:
    return getattr(response, "usage", None) or getattr(response, "usage_metadata", None)


_FORMS: Final[dict[str | None, Callable[[Any], Any]]] = {
    "same": lambda response: response,
    "dump": lambda response: response.model_dump(),
    "usage": _bare_usage,
    "bare": _bare_usage,
}


class _Sync(_Member):
    def prep(self, shared: dict[str, Any]) -> Any:
        at = self.begin()
        return self.prepared(self.program.take(self.plan.prep, at))

    def exec(self, item: int | None) -> Any:
        step, at = self.begin_try(item)
        try:
            if self.plan.inner is not None:
                inner = self.program.built(self.plan.inner)
                inner.set_params({"at": at})
                inner.run({})
            return self.try_ended(step, at, self.program.take(step, at))
        except FailedError:
            self.program.journal.try_failed(at)
            raise

    def exec_fallback(self, item: int | None, error: Exception) -> Any:
        if self.plan.fallback is None:
            raise error
        at = self.trial(item)
        return self.returned(self.program.take(self.plan.fallback, at), at)

    def post(self, shared: dict[str, Any], prepared: Any, result: Any) -> str | None:
        return self.stored(self.program.take(self.plan.post, self.at), shared)


class _Async(_Member):
    async def prep_async(self, shared: dict[str, Any]) -> Any:
        at = self.begin()
        return self.prepared(await self.program.take_async(self.plan.prep, at))

    async def exec_async(self, item: int | None) -> Any:
        step, at = self.begin_try(item)
        try:
            if self.plan.inner is not None:
                inner = self.program.built(self.plan.inner)
                inner.set_params({"at": at})
                await inner.run_async({})
            return self.try_ended(step, at, await self.program.take_async(step, at))
        except FailedError:
            self.program.journal.try_failed(at)
            raise

    async def exec_fallback_async(self, item: int | None, error: Exception) -> Any:
        if self.plan.fallback is None:
            raise error
        at = self.trial(item)
        return self.returned(await self.program.take_async(self.plan.fallback, at), at)

    async def post_async(self, shared: dict[str, Any], prepared: Any, result: Any) -> str | None:
        return self.stored(await self.program.take_async(self.plan.post, self.at), shared)


class _Whole:
    """What flows do, sync or async."""

    plan: Flow
    program: "Program"
    params: dict[str, Any]

    def begin(self) -> list[dict[str, Place]]:
        self.at = self.program.journal.visit("invoke_workflow", self.plan.name, self.params["at"])
        self.params = {**self.params, "at": self.at}  # what its nodes are given
        return [{"at": (*self.at, ("iteration", "", number))} for number in range(self.plan.rounds)]


class _SyncWhole(_Whole):
    def prep(self, shared: dict[str, Any]) -> list[dict[str, Place]]:
        rounds = self.begin()
        self.program.take(self.plan.prep, self.at)
        return rounds

    def post(self, shared: dict[str, Any], prepared: Any, result: Any) -> None:
        self.program.take(self.plan.post, self.at)


class _AsyncWhole(_Whole):
    async def prep_async(self, shared: dict[str, Any]) -> list[dict[str, Place]]:
        rounds = self.begin()
        await self.program.take_async(self.plan.prep, self.at)
        return rounds

    async def post_async(self, shared: dict[str, Any], prepared: Any, result: Any) -> None:
        await self.program.take_async(self.plan.post, self.at)


def _classes(behaviour: type, *kinds: str) -> dict[str, type]:
    return {kind: type(kind, (behaviour, getattr(pocketflow, kind)), {}) for kind in kinds}


CLASSES: Final = {
    **_classes(_Sync, "Node", "BatchNode"),
    **_classes(_Async, "AsyncNode", "AsyncBatchNode", "AsyncParallelBatchNode"),
    **_classes(_SyncWhole, "Flow", "BatchFlow"),
    **_classes(_AsyncWhole, "AsyncFlow", "AsyncBatchFlow", "AsyncParallelBatchFlow"),
}
