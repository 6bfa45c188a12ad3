"""What is left of runs, and of what they hold, when they end: nothing that goes on, waits or is kept by mistake."""

import pytest

from runtime.running.running import call, python, ran, statuses
from runtime.running.things import Gate


@pytest.fixture(autouse=True)
def gate():
    Gate.close()
    yield
    Gate.opened.set()


def test_a_task_of_a_nodes_own_that_ends_python_leaves_the_other_coroutines_running():
    result = ran({"a": call("exit_in_a_task"), "b": call("burn_async", seconds=0.01, needs=["a"])})
    assert statuses(result) == {"a": "succeeded", "b": "succeeded"}
