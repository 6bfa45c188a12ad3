import inspect
import json
import os
import textwrap
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketflow_otel.llm.price_entry import PriceTableError
from pocketflow_otel.llm.price_table import PriceTable
from pocketflow_otel.llm.usage import Usage

FLAT = {"input": 1, "output": 2}


def cost(fields, **counts):
    return PriceTable.of({"model": fields}).find(None, "model").cost(Usage(**counts))


@pytest.fixture
def written(tmp_path):
    def write(text, name="prices.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_the_file_in_the_documentation_is_one(written):
    shown = inspect.cleandoc(PriceTable.__doc__).split("::\n\n")[1].split("JSON holds")[0]
    table = PriceTable.load(written(textwrap.dedent(shown)))

    llama = table.find("ollama", "my-llama")
    assert llama.cost(Usage(input_tokens=1_000_000, output_tokens=1_000_000)) == Decimal("0.8")
    acme = table.find("vllm", "acme/large")
    assert acme.as_of == "2026-01-31"
    assert acme.cost(Usage(input_tokens=200_000)) == Decimal("0.302")
    assert acme.cost(Usage(input_tokens=200_001, output_tokens=1)) == Decimal("0.602012")
    assert table.find("groq", "acme/large") is None


def test_parts_are_priced_for_themselves():
    fields = {"input": 1, "output": 10, "cached_input": Decimal("0.1"), "cache_write": 1.25, "reasoning": 7}
    counts = {
        "input_tokens": 1000,
        "cached_input_tokens": 300,
        "cache_write_tokens": 200,
        "output_tokens": 50,
        "reasoning_tokens": 20,
    }
    assert cost(fields, **counts) == Decimal("0.00122")  # (500*1 + 300*0.1 + 200*1.25 + 30*10 + 20*7) / 1e6


def test_parts_without_a_price_have_that_of_their_whole():
    assert cost(
        FLAT,
        input_tokens=100,
        cached_input_tokens=40,
        cache_write_tokens=10,
        output_tokens=10,
        reasoning_tokens=5,
    ) == Decimal("0.00012")


@pytest.mark.parametrize(
    ("tokens", "expected"), [(0, 0), (100, "0.0001"), (101, "0.000202"), (200, "0.0004"), (201, "0.001005")]
)
def test_the_longest_tier_that_the_input_passes_is_for_all_of_it(tokens, expected):
    tiers = [{"above": 200, "input": 5}, {"above": 100, "input": 2}]
    assert cost(FLAT | {"tiers": tiers}, input_tokens=tokens) == Decimal(expected)


def test_a_tier_changes_only_what_it_says():
    fields = FLAT | {"cached_input": 0, "tiers": [{"above": 10, "input": 4}]}
    used = {"input_tokens": 30, "cached_input_tokens": 10, "cache_write_tokens": 10, "output_tokens": 10}
    assert cost(fields, **used) == Decimal("0.0001")  # 10*0 + 10*4 (writes follow input) + 10*4 + 10*2
    fields = FLAT | {"tiers": [{"above": 10, "output": 5, "reasoning": 6}]}
    assert cost(fields, input_tokens=11, output_tokens=2, reasoning_tokens=1) == Decimal("0.000022")


def test_calls_may_cost_something_themselves():
    assert cost({"per_call": 0.25}, input_tokens=1000, output_tokens=10) == Decimal("0.25")
    assert cost(FLAT | {"per_call": 0.25}, input_tokens=1_000_000) == Decimal("1.25")


def test_a_price_given_as_a_float_is_what_was_written():
    assert cost({"input": 0.1, "output": 0.3}, input_tokens=1_000_000, output_tokens=1_000_000) == Decimal("0.4")


def test_free_is_a_price():
    assert cost({"input": 0, "output": 0}, input_tokens=5, output_tokens=5) == 0


@pytest.mark.parametrize(
    "counts",
    [
        {"input_tokens": 1, "cached_input_tokens": 2},
        {"input_tokens": 3, "cached_input_tokens": 2, "cache_write_tokens": 2},
        {"output_tokens": 1, "reasoning_tokens": 2},
        {"input_tokens": -1},
        {"output_tokens": -1},
        {"input_tokens": 1, "cached_input_tokens": -1},
        {"output_tokens": 1, "reasoning_tokens": -1},
        {"input_tokens": 1, "cache_write_tokens": -1},
    ],
)
def test_counts_that_contradict_each_other_have_no_price(counts):
    assert cost(FLAT | {"tiers": [{"above": 100, "input": 2}]}, **counts) is None


prices = st.decimals(0, 1000, places=6)
tokens = st.integers(0, 10**9)


@given(
    st.fixed_dictionaries(
        {"input": prices, "output": prices, "cached_input": prices, "cache_write": prices, "reasoning": prices}
    ),
    st.tuples(tokens, tokens, tokens, tokens, tokens),
)
def test_no_part_of_a_cent_is_lost(fields, counts):
    plain, cached, written, spoken, thought = counts
    exact = sum(
        Fraction(count) * Fraction(fields[field])
        for count, field in zip(counts, ("input", "cached_input", "cache_write", "output", "reasoning"))
    )
    assert (
        Fraction(
            cost(
                fields,
                input_tokens=plain + cached + written,
                cached_input_tokens=cached,
                cache_write_tokens=written,
                output_tokens=spoken + thought,
                reasoning_tokens=thought,
            )
        )
        == exact / 10**6
    )


def priced(number):
    return {"input": number, "output": number}


def found(table, provider, model):
    entry = table.find(provider, model)
    return entry and entry.rates[-1].input


def test_a_name_comes_before_patterns_and_an_earlier_pattern_before_a_later():
    table = PriceTable.of({"gpt-*": priced(1), "*": priced(2), "GPT-4o": priced(3), "gpt-4?": priced(4)})
    assert found(table, None, "gpt-4o") == 3
    assert found(table, None, "gpt-4x") == 1
    assert found(table, None, " Other ") == 2


def test_patterns_are_of_whole_names():
    table = PriceTable.of({"llama-[34]*": priced(1), "a.c": priced(2)})
    assert found(table, None, "llama-3.1") == 1
    assert found(table, None, "my-llama-3.1") is None
    assert found(table, None, "llama-2") is None
    assert found(table, None, "abc") is None
    assert found(table, None, "a.c") == 2


def test_a_name_that_is_a_pattern_too_is_itself():
    assert found(PriceTable.of({"*": priced(1), "model[1]": priced(2)}), None, "model[1]") == 2


def test_one_model_may_have_a_price_at_each_provider():
    table = PriceTable.of(
        {
            "m": [priced(1), {"provider": "google", **priced(2)}, {"provider": "azure.ai.openai", **priced(3)}],
            "x*": [{"provider": "groq", **priced(4)}],
        }
    )
    assert found(table, "gcp.vertex_ai", "m") == 2
    assert found(table, "azure", "m") == 3
    assert found(table, "groq", "m") == 1
    assert found(table, None, "m") == 1
    assert found(table, "groq", "x1") == 4
    assert found(table, None, "x1") is None


def test_several_tables_of_one_name_can_be_written_in_toml(written):
    table = PriceTable.load(
        written('[[m]]\nprovider="groq"\ninput=1\noutput=1\n[[m]]\nprovider="aws"\ninput=2\noutput=2')
    )
    assert found(table, "aws.bedrock", "m") == 2


def test_json_and_toml_say_the_same(written):
    toml = PriceTable.load(written("[m]\ninput = 0.1\noutput = 0.3\ndate = 2026-01-31"))
    data = PriceTable.load(written('{"m": {"input": 0.1, "output": 0.3, "date": "2026-01-31"}}', "prices.JSON"))
    assert toml.find(None, "m") == data.find(None, "m")
    assert data.find(None, "m").rates[0].input == Decimal("0.1")


def test_prices_are_as_of_their_date_or_else_the_files(written):
    path = written(
        '{"new": {"input": 1, "output": 1}, "old": {"input": 1, "output": 1, "date": "2020-02-03"}}', "p.json"
    )
    os.utime(path, (0, 86_400))
    table = PriceTable.load(path)
    assert table.source == str(path)
    assert table.find(None, "new").as_of == "1970-01-02"
    assert table.find(None, "old").as_of == "2020-02-03"


def test_prices_from_code_are_as_of_their_date():
    table = PriceTable.of({"a": FLAT, "b": FLAT | {"date": date(2026, 1, 31)}})
    assert table.source == "price table"
    assert table.find(None, "a").as_of is None
    assert table.find(None, "b").as_of == "2026-01-31"


NO_FIELD = "no such field; expected"
FIELDS = "input, output, cached_input, cache_write, reasoning, per_call, tiers, provider, date"
A_PRICE = "expected a number of USD per million tokens from 0 to 1000000, found"

TIER_FIELDS = "above, input, output, cached_input, cache_write, reasoning"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inptu": 1}, f", field inptu: {NO_FIELD} {FIELDS}: did you mean input?"),
        ({"frobnicate": 1}, f", field frobnicate: {NO_FIELD} {FIELDS}"),
        ({"1": FLAT}, f", field 1: {NO_FIELD} {FIELDS}; a model's name with a dot in it needs quotes"),
        (priced(-1), f", field input: {A_PRICE} -1"),
        (priced(-0.5), f", field input: {A_PRICE} -0.5"),
        (priced(float("nan")), f", field input: {A_PRICE} nan"),
        (priced(float("inf")), f", field input: {A_PRICE} inf"),
        (priced(Decimal("-1.5")), f", field input: {A_PRICE} the number -1.5"),
        (priced(Decimal("sNaN")), f", field input: {A_PRICE} the number sNaN"),
        (priced("1.5"), f", field input: {A_PRICE} '1.5'"),
        (priced(True), f", field input: {A_PRICE} True"),
        (priced(None), f", field input: {A_PRICE} nothing"),
        (priced([1]), f", field input: {A_PRICE} a list"),
        (priced(1_000_001), f", field input: {A_PRICE} 1000001"),
        (priced(10**5000), f", field input: {A_PRICE} the number 1.00000e+5000"),
        (FLAT | {"per_call": -1}, ", field per_call: expected a number of USD from 0 to 1000000, found -1"),
        (FLAT | {"provider": 3}, ", field provider: expected the name of a provider, found 3"),
        (FLAT | {"provider": " "}, ", field provider: expected the name of a provider, found ' '"),
        (FLAT | {"date": "soon"}, ", field date: expected a day such as 2026-01-31, found 'soon'"),
        (FLAT | {"date": 20260131}, ", field date: expected a day such as 2026-01-31, found 20260131"),
        (FLAT | {"date": datetime(2026, 1, 31)}, ", field date: expected a day such as 2026-01-31, found a datetime"),
        (FLAT | {"tiers": 5}, ", field tiers: expected a list of tiers, found 5"),
        (FLAT | {"tiers": [5]}, ", tier 1: expected fields such as input and output, found 5"),
        (
            FLAT | {"tiers": [{"above": 1}, {"abov": 1}]},
            f", tier 2, field abov: {NO_FIELD} {TIER_FIELDS}: did you mean above?",
        ),
        (FLAT | {"tiers": [{}]}, ", tier 1, field above: expected a whole number of input tokens, found nothing"),
        (
            FLAT | {"tiers": [{"above": -1}]},
            ", tier 1, field above: expected a whole number of input tokens, found -1",
        ),
        (
            FLAT | {"tiers": [{"above": True}]},
            ", tier 1, field above: expected a whole number of input tokens, found True",
        ),
        (FLAT | {"tiers": [{"above": 1}, {"above": 1}]}, ": two tiers begin at the same length"),
        (FLAT | {"tiers": [{"above": 1, "input": "x"}]}, f", tier 1, field input: {A_PRICE} 'x'"),
        ({"input": 1}, ": expected both input and output (0 is a price too), found one"),
        ({"output": 1}, ": expected both input and output (0 is a price too), found one"),
        ({}, ": expected input and output, or per_call alone"),
        ({"provider": "groq"}, ": expected input and output, or per_call alone"),
        ({"per_call": 1, "reasoning": 1}, ": expected input and output, or per_call alone"),
        ({"per_call": 1, "tiers": [{"above": 1, "input": 1}]}, ": expected input and output, or per_call alone"),
        (5, ": expected fields such as input and output, found 5"),
        ([], ": expected fields such as input and output, found a list"),
        ([FLAT, 7], ": expected fields such as input and output, found 7"),
        (None, ": expected fields such as input and output, found nothing"),
    ],
)
def test_what_makes_no_sense_is_named_with_its_place(fields, message):
    with pytest.raises(PriceTableError) as error:
        PriceTable.of({"fine": FLAT, "m": fields})
    assert str(error.value) == f'price table: entry "m"{message}'


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "expected prices by model, found none"),
        ([], "expected prices by model, found none"),
        ({3: FLAT}, "expected the name of a model, found 3"),
        ({" ": FLAT}, "expected the name of a model, found ' '"),
        ({"A": FLAT, "a": FLAT}, 'entry "a": the same name stands here twice'),
    ],
)
def test_a_table_is_prices_by_model(table, message):
    with pytest.raises(PriceTableError) as error:
        PriceTable.of(table)
    assert str(error.value) == f"price table: {message}"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.yaml", "", "expected a name ending in .toml or .json"),
        ("p.toml", "", "expected prices by model, found none"),
        ("p.toml", "input = ", "not TOML: Invalid value (at end of document)"),
        ("p.toml", "[m]\ninput = nan\noutput = 1", f'entry "m", field input: {A_PRICE} the number NaN'),
        ("p.json", "[]", "expected prices by model, found none"),
        ("p.json", "{", "not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("p.json", '{"m": {"input": 1, "input": 2}}', 'not JSON: "input" stands in one object twice'),
        ("p.json", '{"m": {"input": NaN, "output": 1}}', f'entry "m", field input: {A_PRICE} nan'),
        (
            "p.json",
            '{"m": {"input": 1e999999, "output": 1}}',
            f'entry "m", field input: {A_PRICE} the number 1e+999999',
        ),
        ("p.json", "x" * 10_000_000, "expected a file of at most 1 MB"),
    ],
)
def test_a_bad_file_is_named(written, name, text, message):
    path = written(text, name)
    with pytest.raises(PriceTableError) as error:
        PriceTable.load(path)
    assert str(error.value) == f"{path}: {message}"


@pytest.mark.parametrize("suffix", ["json", "toml"])
@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[" * 900_000, b"a" * 1_000_000, os.urandom(1000)])
def test_nonsense_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"p.{suffix}"
    path.write_bytes(content)
    with pytest.raises(PriceTableError, match=f"^{path}: not {suffix.upper()}: "):
        PriceTable.load(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "none.toml"
    with pytest.raises(PriceTableError) as error:
        PriceTable.load(path)
    assert str(error.value) == f"{path}: no such file"
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(PriceTableError, match=r"folder\.toml: no such file$"):
        PriceTable.load(str(tmp_path / "folder.toml"))


def test_a_file_that_cannot_be_read_is_named(written, monkeypatch):
    path = written("[m]\ninput=1\noutput=1")

    def refuse(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(PriceTableError) as error:
        PriceTable.load(path)
    assert str(error.value) == f"{path}: Permission denied"


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["input", "output", "tiers", "above", "date", "per_call", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), junk, max_size=3))
def test_every_table_is_read_or_refused(table):
    text = json.dumps(table)
    try:
        read = PriceTable.of(json.loads(text))
    except PriceTableError:
        return
    for model in table:
        assert read.find(None, model).cost(Usage(input_tokens=1)) >= 0
