from collections import OrderedDict
from dataclasses import dataclass, replace
from types import SimpleNamespace
from unittest.mock import MagicMock, Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.llm_bodies import ANTHROPIC_MESSAGE, MISTRAL_RESPONSE, OLLAMA_RESPONSE, OPENAI_CHAT
from corpora.zoo import ONE_SHOT, ZOO, consumed
from pocketflow_otel.llm.responses import find_usages, usage_of
from pocketflow_otel.llm.usage import Usage

OPENAI_CHAT_USAGE = usage_of(OPENAI_CHAT)
ANTHROPIC_USAGE = usage_of(ANTHROPIC_MESSAGE)


@dataclass
class PlainUsage:
    input_tokens: int = 7
    output_tokens: int = 3


@dataclass(slots=True)
class SlottedUsage:
    input_tokens: int = 7
    output_tokens: int = 3


class Answer:
    def __init__(self, response):
        self.text = "Hi"
        self.response = response


@pytest.mark.parametrize("kind", [PlainUsage, SlottedUsage, lambda: SimpleNamespace(input_tokens=7, output_tokens=3)])
def test_objects_of_any_class_are_told_by_their_attributes(kind):
    assert usage_of(kind()) == Usage(input_tokens=7, output_tokens=3)
    assert usage_of(Answer({"model": "m", "usage": kind()})) == Usage(model="m", input_tokens=7, output_tokens=3)


def test_dicts_of_earlier_designs_are_read():
    report = {"model": "gpt-4o", "prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11, "cost_usd": 0.01}
    usage = Usage(model="gpt-4o", input_tokens=5, output_tokens=6, cost_usd=0.01)
    assert usage_of(report) == usage
    for key in ("llm_usage", "llm_response", "usage", "response"):
        outer = {"text": "Hi", key: report}
        assert usage_of(outer) == usage
        identities = (id(outer), id(report)) if key == "usage" else (id(report),)
        assert find_usages(outer) == [(usage, identities, report)]
    nameless = {"input_tokens": 5, "output_tokens": 6, "cost": 1}
    assert usage_of({"model": "m", "llm_usage": nameless}) == Usage(
        model="m", input_tokens=5, output_tokens=6, cost_usd=1.0
    )
    assert find_usages({"model": "m", "llm_usage": nameless})[0].usage.model == "m"


@pytest.mark.parametrize("cost", ["0.1", True, -0.1, float("nan"), float("inf"), 10**400, None])
def test_a_cost_that_is_none_is_left_out(cost):
    assert usage_of({"input_tokens": 5, "output_tokens": 6, "cost": cost}).cost_usd is None


def test_items_are_searched_one_level_deep():
    first, second = OPENAI_CHAT, ANTHROPIC_MESSAGE
    expected = [
        (OPENAI_CHAT_USAGE, (id(first), id(first["usage"])), first["usage"]),
        (ANTHROPIC_USAGE, (id(second), id(second["usage"])), second["usage"]),
    ]
    assert find_usages(first) == expected[:1]
    assert find_usages([1, first, "text", second]) == expected
    assert find_usages(("text", first, second)) == expected
    assert find_usages({"response": first, "critique": second}) == expected
    assert find_usages([[first], {"deep": {"deeper": second}}]) == []
    assert find_usages([first, second] + ["text"] * 255) == expected[1:]
    assert find_usages([first, second], most=1) == expected[1:]
    assert find_usages({"a": first, "b": second}, most=1) == expected[1:]


def test_one_call_that_is_told_of_twice_is_found_once():
    response = OPENAI_CHAT
    [found] = find_usages([response, response])
    assert found.identities == (id(response), id(response["usage"]))

    bare = {"prompt_tokens": 2006, "completion_tokens": 300, "cost": 0.5}
    [found] = find_usages({"llm_usage": bare, "llm_response": response})
    assert found.usage == replace(OPENAI_CHAT_USAGE, cost_usd=0.5)
    assert found.identities == (id(response), id(response["usage"]), id(bare))
    assert find_usages({"llm_response": response, "llm_usage": bare}) == [found]
    assert find_usages([response, bare]) == [found]
    assert find_usages([bare, response]) == [found]


def test_calls_with_equal_counts_stay_several():
    bare = [{"input_tokens": 5, "output_tokens": 6} for _ in range(3)]
    assert [found.identities for found in find_usages(bare)] == [(id(usage),) for usage in bare]
    named = [{"model": model, "input_tokens": 5, "output_tokens": 6} for model in ("a", "b")]
    assert [found.usage.model for found in find_usages(named)] == ["a", "b"]
    answered = [MISTRAL_RESPONSE, {**OLLAMA_RESPONSE, "prompt_eval_count": 16, "eval_count": 34}]
    assert [found.usage.model for found in find_usages(answered)] == ["mistral-small-latest", "llama3.2"]


def test_what_stands_nearest_to_the_usage_names_the_model():
    report = {"model": "gpt-4o-2024-08-06", "usage": {"input_tokens": 5, "output_tokens": 6}}
    assert usage_of({"model": "gpt-4o", "response": report}).model == "gpt-4o-2024-08-06"


def test_a_programs_own_id_is_no_response_id():
    assert usage_of({"id": "task-1", "usage": OPENAI_CHAT["usage"]}).response_id is None
    assert usage_of({**OPENAI_CHAT, "id": ""}).response_id is None
    assert usage_of({**OPENAI_CHAT, "id": 7}).response_id is None


class Hooked(dict):
    def __getitem__(self, key):
        raise AssertionError(key)

    get = items = keys = values = copy = __iter__ = __len__ = __contains__ = __getitem__


class CollidingKey:
    def __hash__(self):
        return hash("usage")

    def __eq__(self, other):
        raise AssertionError


class UnhashableMeta(type):
    __hash__ = None


class Unhashable(metaclass=UnhashableMeta):
    def __init__(self):
        self.usage = {"input_tokens": 5, "output_tokens": 6}


class Evasive:
    __slots__ = ("usage",)

    def __getattribute__(self, name):
        raise AssertionError(name)


USAGE = {"input_tokens": 5, "output_tokens": 6}


@pytest.mark.parametrize(
    "value",
    [
        {"total_tokens": 12},
        {"input_tokens": 5},
        {"prompt_tokens": 5, "total_tokens": 9},
        {"output_tokens": 5, "model": "gpt-4o"},
        {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "model": "gpt-4o"},
        {"words": 100, "unique_words": 60},
        {"input_ids": [101, 102], "attention_mask": [1, 1], "token_count": 2},
        {"usage": "pip install pocketflow", "model": "gpt-4o"},
        {"max_tokens": 100, "model": "gpt-4o"},
        {"prompt_token_count": 5},
        {"prompt_eval_count": None, "eval_count": None, "model": "llama3.2", "done": False},
        {"input_tokens": {"a": 1}, "output_tokens": {"b": 2}},
        {"tokens": ["a", "b"]},
        {"billed_units": {"search_units": 1}},
        {**USAGE, **{str(number): number for number in range(64)}},
        PlainUsage,
        b"input_tokens",
        range(5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_resembles_a_usage_is_left_alone(value):
    assert usage_of(value) is None
    assert find_usages(value) == []
    assert find_usages([value]) == []
    assert find_usages({"usage": value, "other": value}) == []


HOSTILE = {
    "ordered dict": lambda: OrderedDict(USAGE),
    "dict with hooks": lambda: Hooked(USAGE),
    "key that collides": lambda: {CollidingKey(): "Hi", "model": "m"},
    "class that cannot be hashed": Unhashable,
    "attributes that raise": Evasive,
    "mock": Mock,
    "mock with usage": lambda: Mock(usage=SimpleNamespace(**USAGE)),
    "magic mock with usage": lambda: MagicMock(usage=SimpleNamespace(**USAGE), **USAGE),
}


@pytest.mark.parametrize("factory", HOSTILE.values(), ids=HOSTILE)
def test_what_would_run_code_when_asked_is_left_alone(factory):
    value = factory()
    assert usage_of(value) is None
    assert find_usages(value) == []
    assert find_usages([value]) == []
    assert find_usages({"usage": value, "other": value}) == []


NO_COUNTS = [True, False, -1, 5.0, 5.5, float("nan"), 2**53 + 1, 10**5000, "5", b"5", [5], (5,), {"n": 5}, object()]


@pytest.mark.parametrize("value", NO_COUNTS, ids=lambda value: type(value).__name__)
def test_what_is_no_count_makes_it_no_usage(value):
    assert usage_of({"input_tokens": value, "output_tokens": 5}) is None
    assert usage_of({"input_tokens": 5, "output_tokens": value}) is None
    assert usage_of({**USAGE, "cache_read_input_tokens": value}) is None
    assert (
        usage_of({"prompt_tokens": 5, "completion_tokens": 6, "prompt_tokens_details": {"cached_tokens": value}})
        is None
    )
    assert usage_of({"promptTokenCount": 5, "candidatesTokenCount": value}) is None


def test_the_largest_count_is_a_count():
    assert usage_of({"input_tokens": 2**53, "output_tokens": 0}).input_tokens == 2**53


def test_coheres_counts_are_whole_floats():
    assert usage_of({"billed_units": {"input_tokens": 5.0, "output_tokens": 2.0}}).input_tokens == 5
    assert usage_of({"billed_units": {"input_tokens": 5.5, "output_tokens": 2.0}}) is None
    only_used = {"billed_units": None, "tokens": {"input_tokens": 71.0, "output_tokens": 3.0}}
    assert usage_of({"meta": only_used}) == Usage(provider="cohere", input_tokens=71, output_tokens=3)
    assert usage_of({"usage": {"tokens": {"input_tokens": 7, "output_tokens": 3}}}) == Usage(
        input_tokens=7, output_tokens=3
    )


@pytest.mark.parametrize("name", ZOO)
def test_no_code_of_a_value_is_run(name):
    value = ZOO[name]()
    assert usage_of(value) is None
    for held in (value, [value], {"usage": value}, {"response": {"usage": value}}, SimpleNamespace(response=value)):
        assert find_usages(held) == []
    for counted in ({**USAGE, "input_token_details": value}, {**USAGE, "model": value, "id": value, "cost": value}):
        assert replace(usage_of(counted), cost_usd=None) == Usage(input_tokens=5, output_tokens=6)
    assert name not in ONE_SHOT or not consumed(value)


def test_a_value_that_holds_itself_ends():
    cycle = {}
    cycle |= dict.fromkeys(("usage", "meta", "response", "data", "metadata", "prompt_tokens_details"), cycle)
    assert usage_of(cycle) is None
    assert find_usages(cycle) == []


KEYS = st.sampled_from(
    [
        *("usage", "usage_metadata", "response", "llm_usage", "model", "id", "choices", "cost", "meta", "tokens"),
        *("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "billed_units"),
        *("prompt_tokens_details", "completion_tokens_details", "cached_tokens", "audio_tokens", "reasoning_tokens"),
        *("cache_read_input_tokens", "cache_creation_input_tokens", "input_token_details", "cache_read", "audio"),
        *("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "promptTokensDetails", "modality"),
        *("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "prompt_eval_count"),
    ]
)
LEAVES = st.integers(0, 99) | st.none() | st.integers() | st.floats() | st.text(max_size=3) | st.booleans()
VALUES = st.recursive(
    LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=8) | st.lists(inner, max_size=4), max_leaves=30
)


def assert_consistent(usage):
    counts = [getattr(usage, name) for name in Usage.__slots__ if name.endswith("_tokens")]
    assert all(type(count) is int and count >= 0 for count in counts)
    assert usage.total_tokens > 0
    assert usage.cached_input_tokens + usage.cache_write_tokens <= usage.input_tokens
    assert usage.cached_audio_tokens <= min(usage.cached_input_tokens, usage.input_audio_tokens)
    assert usage.input_audio_tokens <= usage.input_tokens
    assert max(usage.reasoning_tokens, usage.output_audio_tokens) <= usage.output_tokens
    assert usage.cost_usd is None or usage.cost_usd >= 0


@given(VALUES)
def test_whatever_is_found_is_consistent(value):
    for found in find_usages(value):
        assert_consistent(found.usage)
        assert found.identities


def named(*names):
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, st.integers(0, 20) | st.none()))


def usage(*counts, **details):
    return st.builds(lambda whole, parts: whole | parts, named(*counts), st.fixed_dictionaries({}, optional=details))


CACHE = ("cache_read_input_tokens", "cache_creation_input_tokens")
READ = named("cached_tokens", "cache_write_tokens", "audio_tokens", "cache_read", "cache_creation", "audio")
WRITTEN = named("reasoning_tokens", "audio_tokens", "thinking_tokens", "reasoning", "audio")
AUDIO = st.integers(0, 20).map(lambda count: [{"modality": "AUDIO", "tokenCount": count}])
USAGES = (
    usage(
        *("prompt_tokens", "completion_tokens", *CACHE),
        prompt_tokens_details=READ,
        completion_tokens_details=WRITTEN,
    )
    | usage("input_tokens", "output_tokens", input_tokens_details=READ, output_tokens_details=WRITTEN)
    | usage("input_tokens", "output_tokens", *CACHE, output_tokens_details=WRITTEN)
    | usage("input_tokens", "output_tokens", input_token_details=READ, output_token_details=WRITTEN)
    | usage(
        *("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount"),
        promptTokensDetails=AUDIO,
        cacheTokensDetails=AUDIO,
        candidatesTokensDetails=AUDIO,
    )
)


@given(USAGES)
def test_parts_are_within_their_wholes(usage):
    read = usage_of(usage)
    if read is not None:
        assert_consistent(read)


def test_a_part_that_exceeds_its_whole_is_cut_to_it():
    details = {
        "cached_tokens": 8,
        "cache_write_tokens": 9,
        "audio_tokens": 3,
        "cached_tokens_details": {"audio_tokens": 7},
    }
    usage = {
        "input_tokens": 10,
        "output_tokens": 4,
        "input_token_details": details,
        "input_tokens_details": {"cache_write_tokens": 9},
        "output_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 6},
    }
    assert usage_of(usage) == Usage(
        input_tokens=10,
        output_tokens=4,
        cached_input_tokens=8,
        cache_write_tokens=2,
        reasoning_tokens=4,
        input_audio_tokens=3,
        cached_audio_tokens=3,
        output_audio_tokens=4,
    )


@given(st.integers(1, 2**53), st.integers(0, 2**53), st.integers(0, 2**53), st.integers(0, 2**53))
def test_anthropics_input_is_the_sum_of_its_parts(input_tokens, written, read, output):
    usage = {
        "input_tokens": input_tokens,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": output,
    }
    assert usage_of(usage) == Usage(
        provider="anthropic",
        input_tokens=input_tokens + written + read,
        output_tokens=output,
        cached_input_tokens=read,
        cache_write_tokens=written,
    )
