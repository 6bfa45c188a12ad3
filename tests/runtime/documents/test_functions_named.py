"""Functions that nodes name as ``module:function``: there, or a fault when a document is loaded."""

from pathlib import Path

import pytest

from pocketflow_otel.runtime import InvalidDocument, collect, execute, load, prepare


@pytest.fixture
def flow(tmp_path):
    (tmp_path / "shop_of_a_test.py").write_text("LIMIT = 3\ndef cheapest(prices):\n    return min(prices)\n")
    (tmp_path / "broken_of_a_test.py").write_text("raise OSError('no shop')\n")

    def made(target: str) -> Path:
        file = tmp_path / "flow.yaml"
        file.write_text(
            f"workflow: w\nnodes:\n  a: {{type: python, with: {{call: '{target}', args: {{prices: [3, 2]}}}}}}\n"
        )
        return file

    return made


@pytest.mark.parametrize(
    ("target", "said", "near"),
    [
        ("nowhere:fn", "there is no module 'nowhere'", None),
        ("shops_of_a_test:cheapest", "there is no module 'shops_of_a_test'", "shop_of_a_test"),
        ("shop_of_a_test:cheepest", "there is no 'cheepest' in shop_of_a_test", "shop_of_a_test:cheapest"),
        ("shop_of_a_test:LIMIT", "expected a function, not int", None),
        ("broken_of_a_test:fn", "importing broken_of_a_test fails: OSError: no shop", None),
    ],
)
def test_a_function_that_is_not_there_is_a_fault(flow, target, said, near):
    with pytest.raises(InvalidDocument) as raised:
        prepare(load(flow(target)))

    (fault,) = raised.value.faults
    assert (fault.line, fault.path, fault.near) == (3, "nodes.a.with.call", near)
    assert fault.message.startswith(said)


def test_a_function_beside_the_document_is_called(flow):
    assert collect(execute(prepare(load(flow("shop_of_a_test:cheapest"))))).outputs == {"a": 2}
