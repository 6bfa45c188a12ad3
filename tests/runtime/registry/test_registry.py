"""Node types by name: built in, installed, or named as module:attribute; made of functions and classes."""

import asyncio
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from pocketflow import Flow, Node

from pocketflow_otel.runtime.registry import registry as registries
from pocketflow_otel.runtime.registry.errors import NodeTypeError, UnknownType, UnusableType
from pocketflow_otel.runtime.registry.node_types import ClassType, FunctionType, HolderType
from pocketflow_otel.runtime.registry.registry import Registry
from pocketflow_otel.runtime.registry.signatures import arguments, node_type_of


def test_every_type_that_comes_along_can_be_had_by_its_name():
    for name, kind in Registry().all().items():
        assert not isinstance(kind, NodeTypeError), name
        assert kind.name == name
        assert kind.summary.endswith(".")


def test_what_holds_nodes_is_a_type_too():
    assert isinstance(Registry().get("map"), HolderType)


def test_one_type_is_imported_without_the_others():
    code = (
        "import sys; from pocketflow_otel.runtime.registry.registry import Registry; Registry().get('template');"
        "print([name for name in sys.modules if name.startswith('pocketflow_otel.runtime.nodes.')],"
        "      {'duckdb', 'openai', 'httpx', 'pocketflow'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "['pocketflow_otel.runtime.nodes.template'] set()\n"


def test_an_unknown_name_is_told_with_the_nearest_and_all_there_are():
    with pytest.raises(UnknownType) as raised:
        Registry().get("http.requst")

    assert raised.value.near == "http.request"
    assert all(name in str(raised.value) for name in Registry().names())


def test_a_type_whose_library_is_missing_says_what_installs_it(monkeypatch):
    place = registries._BuiltIn("sql_query", needs="no_such_library", extra="data")
    monkeypatch.setitem(registries._BUILT_IN, "sql.query", place)

    with pytest.raises(
        UnusableType, match=r"^sql\.query needs no_such_library: pip install 'pocketflow-otel\[data\]'$"
    ):
        Registry().get("sql.query")


def entry_point(name, value):
    return EntryPoint(name, value, registries.GROUP)


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Installs a package with node types."""
    (tmp_path / "plug_in_nodes.py").write_text(
        "from pocketflow import Node\nclass Shout(Node):\n    'Shouts.'\ndef add(a: int): return a\nodd = 5\n"
    )
    metadata = tmp_path / "plug_in-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plug-in\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[pocketflow_otel.nodes]\nshout = plug_in_nodes:Shout\nadd = plug_in_nodes:add\nodd = plug_in_nodes:odd\n"
        "gone = plug_in_gone:x\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def test_installed_types_go_by_the_name_of_their_entry_point(installed):
    registry = Registry()

    assert {"shout", "add", "odd", "gone"} < {*registry.names()}
    shout = registry.get("shout")
    assert (type(shout), shout.name, shout.summary) == (ClassType, "shout", "Shouts.")
    assert isinstance(registry.get("add"), FunctionType)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("odd", "odd is a int: expected a PocketFlow class, or a function"),
        ("gone", "gone of plug-in can't be loaded: ModuleNotFoundError: No module named 'plug_in_gone'"),
    ],
)
def test_an_installed_type_that_is_none_is_told(installed, name, message):
    with pytest.raises(UnusableType, match=f"^{message}$"):
        Registry().get(name)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "1 / 0",
            r"importing failing fails: ZeroDivisionError: division by zero \(.*failing.py, line 1\)",
        ),
        ("x = (", r"importing failing fails: SyntaxError"),
        (
            "import nowhere",
            "importing failing fails: ModuleNotFoundError: No module named 'nowhere'",
        ),
        ("raise SystemExit(3)", "importing failing fails: SystemExit: 3"),
    ],
)
def test_a_module_that_fails_is_told_with_the_place(tmp_path, monkeypatch, code, message):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "failing.py").write_text(code + "\n")

    with pytest.raises(UnusableType, match=message):
        Registry().get("failing:x", tmp_path)


class Summarize(Node):
    """Sums up.

    Args:
        words: How many words.
    """

    def __init__(self, words: int, _hidden: str = "x", json: bool = False, **more: object) -> None:
        super().__init__()
        self.given = (words, _hidden, json, more)


def make_flow(first: str) -> Flow:
    """Makes a flow."""
    return Flow(Summarize(len(first)))


def test_a_class_s_constructor_says_what_it_is_given():
    kind = node_type_of(Summarize, "m:Summarize")

    assert isinstance(kind, ClassType)
    assert kind.config.model_json_schema()["properties"]["words"] == {
        "description": "How many words.",
        "title": "Words",
        "type": "integer",
    }
    config = kind.config.model_validate({"words": "7", "_hidden": "y", "json": True, "other": [1]})
    assert kind.make(**arguments(config)).given == (7, "y", True, {"other": [1]})


def test_defaults_stay_the_constructor_s():
    kind = node_type_of(Summarize, "m:Summarize")

    assert arguments(kind.config.model_validate({"words": 1})) == {"words": 1}


def test_a_function_that_is_annotated_to_return_a_node_makes_nodes():
    kind = node_type_of(make_flow, "m:make_flow")

    assert isinstance(kind, ClassType)
    assert isinstance(kind.make(**arguments(kind.config(first="abc"))), Flow)


def test_a_node_stands_for_copies_of_itself():
    node = Summarize(3)

    kind = node_type_of(node, "m:node")

    assert isinstance(kind, ClassType)
    made = kind.make()
    assert made is not node
    assert made.given == node.given


def test_a_function_is_called_with_its_arguments_and_the_context():
    def add(a: int, b: int = 2, *rest: int, context: object, scale: float = 1.0) -> object:
        return (a + b) * scale, context

    kind = node_type_of(add, "m:add")

    assert isinstance(kind, FunctionType)
    assert [*kind.config.model_fields] == ["a", "b", "scale"]
    assert kind.call(kind.config(a="1"), "the context") == (3.0, "the context")


def test_parameters_without_names_are_given_in_their_order():
    def pair(a: int, b: int = 2, /, c: int = 3) -> tuple[int, int, int]:
        return a, b, c

    kind = node_type_of(pair, "m:pair")

    assert isinstance(kind, FunctionType)
    assert kind.call(kind.config(a=1, c=9), None) == (1, 2, 9)


def test_an_async_function_is_one_still():
    async def wait(seconds: float) -> float:
        return seconds

    kind = node_type_of(wait, "m:wait")

    assert isinstance(kind, FunctionType)
    assert asyncio.iscoroutinefunction(kind.call)
    assert asyncio.run(kind.call(kind.config(seconds=2), None)) == 2.0


def test_annotations_that_nothing_can_be_checked_against_let_anything_through():
    def odd(a: "NoSuchName", b: Summarize) -> None:  # noqa: F821
        return None

    kind = node_type_of(odd, "m:odd")

    assert kind.config(a=1, b=2).model_dump() == {"a": 1, "b": 2}


def test_a_function_that_returns_a_node_without_saying_so_is_told():
    def make():
        return Flow()

    kind = node_type_of(make, "m:make")

    assert isinstance(kind, FunctionType)
    with pytest.raises(TypeError, match=r"annotate what it returns \(-> Flow\)"):
        kind.call(kind.config(), None)


@pytest.mark.parametrize("thing", [5, "text", dict, int, None])
def test_other_things_are_no_node_types(thing):
    with pytest.raises(UnusableType):
        node_type_of(thing, "m:thing")
