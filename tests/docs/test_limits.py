"""The limits that docs/what-is-recorded.md and docs/privacy.md admit: what is lifted in the code must go from there."""

import logging
import subprocess
import sys
import threading

import pytest
from pocketflow import Flow, Node


class Writer(Node):
    """A node whose ``prep`` does something to the store."""

    def __init__(self, write):
        super().__init__()
        self.write = write

    def prep(self, shared):
        self.write(shared)


class Document:
    def __init__(self):
        self.title = "old"


def deep(shared):
    shared["key"][0][0].append(1)


def attribute(shared):
    shared["key"].title = "new"


def middle(shared):
    shared["key"][50] = "new"


def come_and_go(shared):
    shared["new"] = 1
    del shared["new"]


@pytest.mark.parametrize(
    ("make", "write", "depth"),
    [
        (lambda: [[[0]]], deep, 3),
        (Document, attribute, 2),
        (lambda: list(range(100)), middle, 4),
    ],
    ids=["deep", "attribute", "middle"],
)
def test_change_in_place_is_seen_at_its_depth_only(traced, make, write, depth):
    for looked, seen in ((depth - 1, None), (depth, ("key",))):
        with traced(store_depth=looked) as recording:
            Flow(start=Writer(write)).run({"key": make()})
        assert recording.store("invoke_node Writer").get("modified") == seen


@pytest.mark.parametrize("keys", [1_999, 2_000])
def test_changes_in_place_are_seen_up_to_2000_keys(traced, keys):
    with traced() as recording:
        Flow(start=Writer(lambda shared: shared["list"].append(1))).run({"list": []} | dict.fromkeys(range(keys)))
    seen = recording.store("invoke_node Writer").get("modified")
    assert seen == (("list",) if keys < 2_000 else None)


@pytest.mark.parametrize("keys", [19_998, 20_000])
def test_keys_are_compared_up_to_20000(traced, keys):
    with traced() as recording:
        Flow(start=Writer(lambda shared: shared.update(new=1))).run(dict.fromkeys(range(keys)))
    seen = recording.store("invoke_node Writer").get("added")
    assert seen == (("new",) if keys < 20_000 else None)


def test_key_that_came_and_went_is_not_seen(traced):
    with traced() as recording:
        Flow(start=Writer(come_and_go)).run({})
    assert recording.store("invoke_node Writer") == {}


def test_names_beyond_eight_times_the_shapes_are_not_listed(traced):
    with traced(max_store_keys=2) as recording:
        Flow(start=Writer(lambda shared: shared.update(dict.fromkeys(map(str, range(20)))))).run({})
    told = recording.store("invoke_node Writer")
    assert len(told["added"]) == 16
    assert told["omitted"] == 18
    assert len([key for key in told if key.startswith("shape.")]) == 2


def test_only_what_goes_through_the_streams_is_noted_as_printed(traced, capfd):
    old_handler = logging.StreamHandler(sys.stdout)

    class Prints(Node):
        def prep(self, shared):
            sys.stdout.buffer.write(b"buffer\n")
            old_handler.emit(logging.makeLogRecord({"msg": "old handler"}))
            subprocess.run([sys.executable, "-c", "print('process')"], check=True)
            thread = threading.Thread(target=print, args=("thread",))
            thread.start()
            thread.join()
            print("print")

    with traced(capture_output=True) as recording:
        Flow(start=Prints()).run({})
    assert recording.attributes("invoke_node Prints")["pocketflow.stdout"] == "print\n"
    printed = capfd.readouterr().out
    assert sorted(printed.split("\n")) == ["", "buffer", "old handler", "print", "process", "thread"]


def test_tries_of_an_exec_on_an_instance_are_not_seen(traced):
    node = Node(max_retries=2)
    node.exec = lambda prep_res: 1
    with traced() as recording:
        Flow(start=node).run({})
    assert recording.names == [("invoke_workflow Flow", ["invoke_node Node"])]
    assert "pocketflow.attempts" not in recording.attributes("invoke_node Node")


def test_flow_with_its_own_routing_tells_no_next_node(traced):
    class Own(Flow):
        def get_next_node(self, curr, action):
            return super().get_next_node(curr, action)

    first = Node()
    first >> Writer(come_and_go)
    with traced() as recording:
        Own(start=first).run({})
    assert "pocketflow.node.next" not in recording.attributes("invoke_node Node")


def test_secret_is_masked_in_what_the_prep_that_first_wrote_it_returned(traced):
    class Login(Node):
        def prep(self, shared):
            shared["password"] = "plain words in here"
            return shared["password"]

    class Later(Node):
        def prep(self, shared):
            return f"it was {shared['password']}"

    login = Login()
    login >> Later()
    with traced(capture_io=True) as recording:
        Flow(start=login).run({})
    assert recording.attributes("invoke_node Login")["input.value"] == '"[redacted]"'
    assert recording.attributes("invoke_node Later")["input.value"] == '"it was [redacted]"'


def test_outermost_flow_tells_no_shapes_of_what_its_nodes_wrote(traced):
    flow = Flow(start=Writer(lambda shared: shared.update(new=1)))
    flow.name = "Inner"
    with traced() as recording:
        Flow(start=flow).run({})
    assert recording.store("invoke_workflow Inner") == {"added": ("new",), "shape.new": "int"}
    assert recording.store("invoke_workflow Flow") == {"added": ("new",)}


def test_errors_are_told_without_content(traced):
    class Fails(Node):
        def exec(self, prep_res):
            raise ValueError("ada@example.org has no account")

    with traced() as recording, pytest.raises(ValueError, match="ada"):
        Flow(start=Fails()).run({})
    assert recording.one("invoke_node Fails").status.description == "ada@example.org has no account"
