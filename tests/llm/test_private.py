"""What programs return as usage is theirs: names in it are masked and cut like any other text of theirs."""

import pocketflow
import pytest

from instrumentation.recording import traced
from pocketflow_otel import record_llm_usage

KEY = "sk-proj-Zx9kQ2mV7tB4nL8pR3wY6cJ1hD5fG0sA"
USAGE = {"prompt_tokens": 10, "completion_tokens": 5}


def exported(recording):
    return "\n".join(f"{span.name} {dict(span.attributes or {})} {span.events}" for span in recording.spans)


class Answer(pocketflow.Node):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def exec(self, prep_res):
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [
        {"model": KEY, "usage": USAGE},
        {"model": "gpt-4o", "id": KEY, "choices": [], "usage": USAGE},
        {"llm_usage": {"model": KEY, **USAGE}},
    ],
    ids=["model", "id", "plain usage"],
)
def test_a_secret_in_a_response_is_masked(answer):
    with traced() as recording:
        pocketflow.Flow(Answer(answer)).run({})

    told = exported(recording)
    assert KEY not in told
    assert "'pocketflow.usage.total_tokens': 15" in told


def test_a_secret_seen_before_is_masked_in_a_models_name():
    class Ask(pocketflow.Node):
        def exec(self, prep_res):
            record_llm_usage(model="hunter2-the-swordfish", input_tokens=1, provider="hunter2-the-swordfish")

    with traced() as recording:
        pocketflow.Flow(Ask()).run({"password": "hunter2-the-swordfish"})

    told = exported(recording)
    assert "hunter2-the-swordfish" not in told
    assert "chat [redacted]" in told


def test_a_long_name_of_a_model_is_cut():
    class Ask(pocketflow.Node):
        def exec(self, prep_res):
            record_llm_usage(model="m" * 5000, input_tokens=1)

    with traced() as recording:
        pocketflow.Flow(Ask()).run({})

    assert "m" * 200 not in exported(recording)
    assert "chat " + "m" * 100 in exported(recording)
