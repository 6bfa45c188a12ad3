"""Tracing calls nothing of the program's values: what they are asked untraced they are asked traced, and no more."""

import pytest

from instrumentation.positions import POSITIONS, Program
from instrumentation.recording import traced

_HOOKS = (
    "__bool__ __bytes__ __call__ __contains__ __copy__ __deepcopy__ __delattr__ __dir__ __eq__ __float__ __format__ "
    "__ge__ __get__ __getattr__ __getattribute__ __getitem__ __getstate__ __gt__ __hash__ __index__ __int__ __iter__ "
    "__le__ __len__ __length_hint__ __lt__ __ne__ __next__ __reduce__ __reduce_ex__ __repr__ __reversed__ "
    "__set_name__ __sizeof__ __str__ copy get items keys model_dump to_dict values"
).split()
_ANSWERS = {
    "__bool__": True,
    "__bytes__": b"",
    "__contains__": False,
    "__dir__": [],
    "__float__": 1.0,
    "__format__": "spy",
    "__hash__": 7,
    "__index__": 1,
    "__int__": 1,
    "__len__": 1,
    "__length_hint__": 1,
    "__repr__": "spy",
    "__sizeof__": 1,
    "__str__": "spy",
}
_BASES = {"object": object, "dict": dict, "list": list, "str": str, "int": int, "exception": ValueError}


def _spy(base: type) -> tuple[object, list[str]]:
    """A value that answers whatever it is asked, and the list of what that was."""
    asked: list[str] = []

    def hook(name):
        def method(self, *arguments):
            asked.append(name)
            if name == "__getattribute__":
                asked.append(arguments[0])
                return object.__getattribute__(self, *arguments)
            if name == "__getattr__":
                raise AttributeError(arguments[0])
            if name in ("__iter__", "__reversed__", "keys", "items", "values"):
                return iter(())
            return _ANSWERS.get(name)

        return method

    def watched(name):
        return property(lambda self: asked.append(name))

    hooks = {name: hook(name) for name in _HOOKS if name not in ("__call__", "__get__") or base is object}
    kind = type("Spy", (base,), {**hooks, "shape": watched("shape"), "__dict__": watched("__dict__")})
    return kind.__new__(kind), asked


# What an exception says is the program's to tell: it is asked for it, as a traceback would.
_SAYS = {"__str__", "__repr__"}


@pytest.mark.parametrize("content", [False, True], ids=["no content", "content"])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("base", _BASES)
@pytest.mark.parametrize("position", POSITIONS)
def test_a_value_is_asked_no_more_than_by_the_program(position, base, is_async, content):
    untraced = _asked(position, base, is_async)
    options = dict.fromkeys(("capture_values", "capture_output", "capture_io"), content)
    with traced(**options, store_depth=4):
        assert _asked(position, base, is_async) == untraced


def _asked(position: str, base: str, is_async: bool) -> list[str]:
    value, asked = _spy(_BASES[base])
    program = Program(value, is_async)
    program.run(POSITIONS[position](program))
    if "exception" in position:
        return [name for name in asked if name not in _SAYS]
    return asked


def test_a_batch_is_taken_by_the_program_alone_and_no_sooner():
    def run():
        program = Program(None, is_async=False)

        def items():
            for number in range(3):
                program.calls.append(f"gives {number}")
                yield number

        node = program.node(prep=lambda *_: items(), exec=lambda node, item: item * 2, batch=True)
        return program.run(program.flow(node))

    untraced = run()
    assert [call for call in untraced.calls if call[0] in ("exec", "g")] == [
        "gives 0", ("exec", "<int>"), "gives 1", ("exec", "<int>"), "gives 2", ("exec", "<int>"),
    ]  # fmt: skip
    with traced(capture_io=True, capture_values=True) as recording:
        assert run() == untraced
    assert recording.attributes("invoke_node BatchStep")["pocketflow.batch.size"] == 3
