"""Ways in which a text gets into a running program: stored, printed, returned, raised, or used as a name."""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pocketflow import BatchFlow, BatchNode, Flow, Node

MAX_VALUE_BYTES = 2048
"""The limit of recorded values under which `at the cuts` and its like put texts where values are cut."""


class Act(Node):
    """A node that is given its methods."""

    def __init__(self, **methods: Callable[..., Any]) -> None:
        super().__init__()
        self.methods = methods

    def prep(self, shared: Any) -> Any:
        return self.methods["prep"](shared) if "prep" in self.methods else None

    def exec(self, prepared: Any) -> Any:
        return self.methods["exec"]() if "exec" in self.methods else None

    def post(self, shared: Any, prepared: Any, result: Any) -> Any:
        return self.methods["post"](shared) if "post" in self.methods else None


class Items(BatchNode):
    def prep(self, shared: Any) -> Any:
        return shared["items"]

    def exec(self, item: Any) -> Any:
        return [item]


class Rounds(BatchFlow):
    def prep(self, shared: Any) -> Any:
        return [{"page": self.page}]

    page = ""


def run(node: Node, store: Any = None) -> None:
    """Runs a node or flow; what it raises was meant to be."""
    try:
        node.run({} if store is None else store)
    except (RuntimeError, KeyError):
        return


def _store(**values: Any) -> Callable[[Any], None]:
    return lambda shared: shared.update(values)


def _raise(error: BaseException, cause: BaseException | None = None) -> Callable[..., Any]:
    def raising(*_: Any) -> Any:
        raise error from cause

    return raising


def _raise_with_note(text: str) -> Callable[..., Any]:
    error = RuntimeError("failed")
    error.add_note(text)
    return _raise(error)


def stored(text: str) -> None:
    run(Act(post=_store(note=text)))


def stored_within(text: str) -> None:
    held = {"pages": [{"text": text}, (1, text)], "object": SimpleNamespace(text=text), "set": {text}}
    run(Act(post=_store(doc=held)))


def changed_in_place(text: str) -> None:
    run(Act(post=lambda shared: shared["notes"].append(text)), {"notes": []})


def stored_as_error(text: str) -> None:
    run(Act(post=_store(error=ValueError(text), errors=[ValueError(1, text)])))


def stored_at_the_cut(text: str) -> None:
    for before in range(MAX_VALUE_BYTES - len(text) - 40, MAX_VALUE_BYTES, max(1, len(text) // 8)):
        run(Act(post=_store(note=f"{'word ' * (max(before, 0) // 5)}{text} {'more ' * 200}")))


def in_store_from_start(text: str) -> None:
    run(Flow(Act()), {"note": text, "nested": {"note": [text]}})


def printed(text: str) -> None:
    run(Act(exec=lambda: print(text)))


def printed_to_stderr(text: str) -> None:
    run(Act(exec=lambda: print("Error:", text, file=sys.stderr)))


def printed_in_pieces(text: str) -> None:
    def write() -> None:
        for start in range(0, len(text), 5):
            sys.stdout.write(text[start : start + 5])
            sys.stdout.flush()
        sys.stdout.writelines(["\n", text[:3], text[3:], "\n"])

    run(Act(exec=write))


def printed_at_the_cuts(text: str) -> None:
    def write(before: int, after: int) -> Callable[[], None]:
        return lambda: print("word " * (before // 5), text, "more " * (after // 5))

    half = MAX_VALUE_BYTES // 2
    for place in range(half - len(text) - 30, half + 30, max(1, len(text) // 4)):
        run(Act(exec=write(max(place, 0), 30_000)))
        run(Act(exec=write(30_000, max(place, 0))))
    # What is dropped while the program still prints is cut elsewhere.
    for place in range(4096 + MAX_VALUE_BYTES - len(text), 4096 + MAX_VALUE_BYTES + 2, max(1, len(text) // 2)):
        run(Act(exec=write(max(place, 0), 30_000)))
        run(Act(exec=write(30_000, max(place, 0))))


def params(text: str) -> None:
    node = Act()
    node.set_params({"page": text, "pages": [text]})
    run(node)


def batch_params(text: str) -> None:
    flow = Rounds(Act())
    flow.page = text
    run(flow)


def prepared(text: str) -> None:
    run(Act(prep=lambda _: {"prompt": [text]}))


def returned(text: str) -> None:
    run(Act(exec=lambda: [1, text, {"answer": text}]))


def batch_items(text: str) -> None:
    run(Items(), {"items": [text, {"page": text}]})


def raised(text: str) -> None:
    run(Flow(Flow(Act(exec=_raise(RuntimeError(text))))))


def raised_in_post(text: str) -> None:
    run(Flow(Act(post=_raise(KeyError(text, "missing")))))


def raised_as_cause(text: str) -> None:
    run(Act(exec=_raise(RuntimeError("failed"), ValueError("no", text))))


def raised_with_a_note(text: str) -> None:
    run(Act(exec=_raise_with_note(text)))


def raised_in_tries(text: str) -> None:
    node = Act(exec=_raise(RuntimeError(text)))
    node.max_retries = 2
    run(node)


def raised_at_the_cut(text: str) -> None:
    for before in range(2048 - len(text) - 10, 2048, max(1, len(text) // 2)):
        run(Act(exec=_raise(RuntimeError(f"{'word ' * (max(before, 0) // 5)}{text} {'more ' * 200}"))))


def raised_from_a_long_trace(text: str) -> None:
    for length in range(3800 - len(text), 4300, max(1, len(text) // 2)):
        run(
            Act(exec=_raise(RuntimeError("x " * 3000), ValueError(f"{'word ' * (length // 5)}{text} {'more ' * 2000}")))
        )


def returned_as_action(text: str) -> None:
    first = Act(post=lambda _: text)
    first.next(Act(), text)
    run(Flow(Flow(first)))


def used_as_key(text: str) -> None:
    run(Act(post=lambda shared: shared.update({text: 1, (1, text): 2})))
    run(Act(post=lambda shared: shared.update({text: 2})), {text: 1})
    run(Act(post=lambda shared: shared.pop(text)), {text: 1})


def used_as_key_within(text: str) -> None:
    run(Act(post=_store(doc={"pages": [{text: 1}]})))


def used_as_param_name(text: str) -> None:
    node = Act()
    node.set_params({text: 1})
    run(node)


def used_as_name(text: str) -> None:
    first, second = Act(), Act()
    first.name, second.name = text, f"{text} again"
    first >> second
    flow = Flow(first)
    flow.name = text
    run(Flow(flow))
    alone = Act()
    alone.name = text
    run(alone)


def stored_under(key: str, value: str) -> None:
    run(Act(post=lambda shared: shared.update({key: value})))
    run(Act(post=lambda shared: shared.update({key: [value]})), {key: "another"})


def stored_within_under(key: str, value: str) -> None:
    held = {"config": {key: value}, "pair": (key, value), "pairs": [(key, value)], "object": SimpleNamespace()}
    vars(held["object"])[key] = value
    run(Act(post=_store(doc=held)))


def returned_under(key: str, value: str) -> None:
    run(Act(prep=lambda _: {key: value}, exec=lambda: [{"headers": {key: value}}]))


def given_under(key: str, value: str) -> None:
    flow = Flow(Act())
    flow.set_params({key: value, "more": {key: [value]}})
    run(flow, {key: value, "config": {key: value}})


def raised_with(key: str, value: str) -> None:
    run(Act(post=_raise(RuntimeError({key: value}))))
    run(Act(post=_raise(KeyError("no", {"config": {key: value}}))))


UNDER_A_KEY: tuple[Callable[[str, str], None], ...] = (
    stored_under,
    stored_within_under,
    returned_under,
    given_under,
    raised_with,
)
"""Where a value stands under a key."""


def _by_name(*functions: Callable[[str], None]) -> dict[str, Callable[[str], None]]:
    return {function.__name__: function for function in functions}


CONTENT = _by_name(
    stored,
    stored_within,
    changed_in_place,
    stored_as_error,
    in_store_from_start,
    printed,
    printed_to_stderr,
    printed_in_pieces,
    params,
    batch_params,
    prepared,
    returned,
    batch_items,
    used_as_key_within,
    used_as_param_name,
)
"""Where a text is content: it is shown only if that is asked for."""

ERRORS = _by_name(raised, raised_in_post, raised_as_cause, raised_with_a_note, raised_in_tries)
"""Where a text is part of an error message: it is always told."""

NAMES = _by_name(returned_as_action, used_as_key, used_as_name)
"""Where a text is a name, a key or an action: these are always told, and cut if they are long."""

CUTS = _by_name(stored_at_the_cut, printed_at_the_cuts, raised_at_the_cut, raised_from_a_long_trace)
"""Where a text is cut in all places that it can be cut in."""
