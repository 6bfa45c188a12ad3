"""The examples: tracing changes nothing of what they do, and their traces show what ``examples/README.md`` says."""

import ast
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

import pytest

from e2e.examples import CASES, EXAMPLES, Case
from e2e.processes import Outcome, Programs, run_command
from pocketflow_otel.traces.reader import Span, StatusCode, Trace, TraceState

NO_PROGRAMS = {"fake_llm"}

DRIVER = f"""
import importlib, json, os, sys
sys.path.insert(0, {str(EXAMPLES)!r})
store = importlib.import_module(sys.argv[1]).main()
with open(os.environ["STORE_FILE"], "w") as file:
    json.dump(store, file, sort_keys=True, default=lambda value: type(value).__name__)
"""


@dataclass
class Way:
    """One way of running an example: what came of it, what its store was at the end, and its traces."""

    outcome: Outcome
    store: str | None
    traces: list[Trace]


@dataclass
class Runs:
    """An example run in every way: as its user does, and by a driver that keeps the store."""

    plain: Way
    driven: Way
    instrumented: Way
    instrumented_with_console: Way
    traced: Way
    driven_traced: Way

    @property
    def with_traces(self) -> list[Way]:
        return [self.instrumented, self.instrumented_with_console, self.traced, self.driven_traced]


class Runner:
    """Runs one example, each time in a directory of its own."""

    def __init__(self, case: Case, directory: Path) -> None:
        self._case = case
        self._directory = directory
        self._script = str(EXAMPLES / f"{case.example}.py")

    def runs(self) -> Runs:
        # As deep as `run` looks, so that all ways see the same.
        deep = {"OTEL_PYTHON_POCKETFLOW_STORE_DEPTH": "4"}
        both = {"OTEL_TRACES_EXPORTER": "pocketflow_console,pocketflow_file"}
        with ThreadPoolExecutor(3) as pool:
            plain = pool.submit(self._run, "python")
            driven = pool.submit(self._drive, "python")
            instrumented = pool.submit(self._run, "instrument", **deep)
            instrumented_with_console = pool.submit(self._drive, "instrument", **deep, **both)
            traced = pool.submit(self._run, "run")
            driven_traced = pool.submit(self._drive, "run")
        return Runs(
            plain.result(),
            driven.result(),
            instrumented.result(),
            instrumented_with_console.result(),
            traced.result(),
            driven_traced.result(),
        )

    def _run(self, how: str, **variables: str) -> Way:
        programs = Programs(self._directory / how)
        outcome = getattr(programs, how)(self._script, stdin=self._case.stdin, **variables)
        return Way(outcome, None, programs.read())

    def _drive(self, how: str, **variables: str) -> Way:
        programs = Programs(self._directory / f"{how}-driven")
        driver = programs.write("driver.py", DRIVER)
        store = programs.directory / "store.json"
        outcome = getattr(programs, how)(
            str(driver), self._case.example, stdin=self._case.stdin, STORE_FILE=str(store), **variables
        )
        return Way(outcome, store.read_text(), programs.read())


@pytest.fixture(scope="module")
def runs_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Runs]:
    """The runs of a case, each made once for all tests."""
    made: dict[str, Runs] = {}

    def runs_of(name: str) -> Runs:
        if name not in made:
            made[name] = Runner(CASES[name], tmp_path_factory.mktemp("example")).runs()
        return made[name]

    return runs_of


@pytest.fixture
def spans(runs_of: Callable[[str], Runs]) -> Callable[..., list[Span]]:
    """The spans of an example under `run`, in the order they started, of one name if there is one given."""

    def spans(example: str, name: str = "") -> list[Span]:
        traces = runs_of(example).traced.traces
        return [span for trace in traces for span in trace.spans if name in ("", span.name)]

    return spans


def value(span: Span, key: str) -> object:
    return json.loads(span.attributes[f"pocketflow.store.value.{key}"])


def shapes(spans: list[Span], key: str) -> list[str]:
    shape = f"pocketflow.store.shape.{key}"
    return [span.attributes[shape] for span in spans if shape in span.attributes and span.parent_span_id]


def overlap(spans: list[Span]) -> bool:
    """Whether there is a moment at which all of them were open."""
    return max(span.start_ns for span in spans) < min(span.end_ns or 0 for span in spans)


def test_every_example_is_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} - NO_PROGRAMS == {case.example for case in CASES.values()}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_examples_know_nothing_of_tracing(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")

    assert {name.partition(".")[0] for name in imported} & {"pocketflow_otel", "opentelemetry"} == set()


@pytest.mark.parametrize("name", CASES)
class TestTracingChangesNothing:
    def test_what_is_printed_and_the_exit_code_are_the_same(self, runs_of, name):
        runs = runs_of(name)

        assert runs.plain.outcome.status == 0
        assert runs.plain.outcome.stdout != ""
        for way in (runs.driven, *runs.with_traces):
            assert way.outcome.seen == runs.plain.outcome.seen

    def test_the_store_is_the_same(self, runs_of, name):
        runs = runs_of(name)

        assert json.loads(runs.driven.store) != {}
        assert runs.instrumented_with_console.store == runs.driven.store
        assert runs.driven_traced.store == runs.driven.store

    def test_an_exporter_of_files_adds_nothing_on_stderr(self, runs_of, name):
        runs = runs_of(name)

        assert runs.instrumented.outcome.stderr == runs.plain.outcome.stderr

    def test_the_console_tells_of_the_flow_on_stderr(self, runs_of, name):
        runs = runs_of(name)

        for way in (runs.instrumented_with_console, runs.traced, runs.driven_traced):
            assert re.search(r"\d flows?, \d+ node visits?", way.outcome.stderr)

    def test_usage_is_as_expected_however_it_was_traced(self, runs_of, name):
        case, runs = CASES[name], runs_of(name)

        for way in runs.with_traces:
            assert case.usage_in(way.traces) == case.expected_usage

    def test_the_trace_is_as_expected_however_it_was_made(self, runs_of, name):
        case, runs = CASES[name], runs_of(name)

        for way in runs.with_traces:
            assert case.outlines_of(way.traces) == case.expected
            assert {trace.state for trace in way.traces} == {TraceState.FINISHED}


class TestReadme:
    """What ``examples/README.md`` says to look at."""

    def test_each_line_names_an_example(self):
        lines = re.findall(r"^\| `.*run examples/(\w+)\.py` \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)

        assert sorted(lines) == sorted({case.example for case in CASES.values()})

    def test_agent_messages_grow_at_every_visit(self, spans):
        decisions = spans("agent_with_tools", "invoke_node Decide")

        assert [span.attributes["pocketflow.action"] for span in decisions] == [
            "search", "search", "calculate", "search", "search", "calculate", "answer"
        ]  # fmt: skip
        assert shapes(spans("agent_with_tools"), "messages") == [f"list[{length}]" for length in range(1, 14)]
        assert [len(value(span, "messages")) for span in decisions] == [1, 3, 5, 7, 9, 11, 13]

    def test_agent_search_that_was_tried_again(self, spans):
        failed = [span for span in spans("agent_with_tools") if span.status.code is StatusCode.ERROR]

        assert [(span.name, span.status.message) for span in failed] == [
            ("attempt", "no answer for 'population of Norway'")
        ]

    def test_agent_prompts_grow_and_usage_in_the_store_is_counted_once(self, runs_of, spans):
        read = [
            span.attributes["pocketflow.usage.input_tokens"] for span in spans("agent_with_tools", "invoke_node Decide")
        ]
        (flow,) = spans("agent_with_tools", "invoke_workflow Flow")
        stored = json.loads(runs_of("agent_with_tools").driven.store)["usage"]

        assert read == sorted(set(read))
        assert len(read) == 7
        assert stored == {
            "prompt_tokens": flow.attributes["pocketflow.usage.input_tokens"],
            "completion_tokens": flow.attributes["pocketflow.usage.output_tokens"],
            "total_tokens": flow.attributes["pocketflow.usage.total_tokens"],
        }

    def test_map_reduce_items_whose_response_was_returned_have_a_cost(self, spans):
        items = spans("map_reduce", "item")

        assert [
            item.attributes["pocketflow.batch.index"]
            for item in items
            if "pocketflow.usage.cost_usd" in item.attributes
        ] == [0, 1, 3, 4]

    def test_map_reduce_batch_does_not_fail(self, spans):
        (batch,) = spans("map_reduce", "invoke_node ReadReports")

        assert (batch.attributes["pocketflow.batch.size"], batch.status.code) == (5, StatusCode.UNSET)
        assert "pocketflow.batch.failed" not in batch.attributes

    def test_nested_flows_orders_stand_in_the_params(self, spans):
        params = [json.loads(span.attributes["pocketflow.params"]) for span in spans("nested_flows", "iteration")]

        assert params == [{"order_id": f"A-10{number}"} for number in (1, 2, 3, 4)]

    def test_nested_flows_unrouted_action(self, runs_of, spans):
        unrouted = [span for span in spans("nested_flows") if span.attributes.get("pocketflow.action.unrouted")]

        assert [(span.name, json.loads(span.attributes["pocketflow.params"])) for span in unrouted] == [
            ("invoke_workflow Shipping", {"order_id": "A-104"})
        ]
        assert runs_of("nested_flows").plain.outcome.stderr.count("Flow ends: 'customs_hold' not found in") == 1

    def test_async_parallel_iterations_and_items_are_side_by_side(self, runs_of, spans):
        (trace,) = runs_of("async_parallel").traced.traces

        assert overlap(spans("async_parallel", "iteration"))
        for batch in spans("async_parallel", "invoke_node ClassifyReviews"):
            assert overlap(trace.children(batch))

    def test_async_parallel_waits_between_two_attempts(self, runs_of, spans):
        (trace,) = runs_of("async_parallel").traced.traces

        for node in spans("async_parallel", "invoke_node FetchReviews"):
            first, second = trace.children(node)
            assert first.end_ns < second.start_ns
            assert "pocketflow.attempt.wait_seconds" not in first.attributes
            assert second.attributes["pocketflow.attempt.wait_seconds"] >= 0.005

    def test_async_parallel_one_review_fell_back(self, spans):
        fell_back = [span for span in spans("async_parallel") if span.attributes.get("pocketflow.fallback")]

        assert [(span.name, span.attributes["pocketflow.batch.index"]) for span in fell_back] == [("item", 2)]

    def test_async_parallel_changes_are_of_one_branch(self, spans):
        """`counts` is written by two nodes of a branch, and never credited to the third, in whose time others wrote."""
        writers = [
            span.name
            for span in spans("async_parallel")
            if "counts" in span.attributes.get("pocketflow.store.modified", []) and "invoke_node" in span.name
        ]

        assert sorted(writers) == ["invoke_node ClassifyReviews"] * 3 + ["invoke_node FetchReviews"] * 3
        assert not any("pocketflow.store.attribution" in span.attributes for span in spans("async_parallel"))

    def test_fastapi_flows_begin_when_their_requests_have_been_answered(self, spans):
        requests = spans("fastapi_background", "POST /jobs")
        flows = spans("fastapi_background", "invoke_workflow Flow")

        assert [flow.trace_id for flow in flows] == [request.trace_id for request in requests]
        assert all(request.end_ns <= flow.start_ns for request, flow in zip(requests, flows, strict=True))

    def test_fastapi_polling_is_in_traces_of_its_own(self, runs_of):
        roots = [trace.spans[0].name for trace in runs_of("fastapi_background").traced.traces]

        assert roots.count("POST /jobs") == 2
        assert set(roots) == {"POST /jobs", "GET /jobs/{job_id}"}

    def test_fastapi_status_is_written_by_no_node(self, spans):
        changes = ("pocketflow.store.added", "pocketflow.store.modified", "pocketflow.store.removed")
        written = [
            {key for change in changes for key in span.attributes.get(change, [])}
            for span in spans("fastapi_background")
            if span.name.startswith("invoke_node")
        ]

        assert len(written) == 6
        assert all("history" in keys and "status" not in keys for keys in written)

    def test_threads_have_a_trace_and_a_store_each(self, runs_of):
        flows = {
            json.loads(flow.attributes["input.value"])["company"]: (flow, trace)
            for trace in runs_of("threads").traced.traces
            for flow in trace.roots()
        }

        assert sorted(flows) == ["acorn", "birch", "cedar"]
        for company, (flow, trace) in flows.items():
            assert json.loads(flow.attributes["output.value"])["company"] == company
            (count,) = [span for span in trace.spans if span.name == "invoke_node CountJobs"]
            assert count.attributes["pocketflow.action"] == ("quiet" if company == "birch" else "hiring")

    def test_threads_have_one_call_each_that_the_console_adds_up(self, runs_of, spans):
        flows = spans("threads", "invoke_workflow Flow")
        total = sum(flow.attributes["pocketflow.usage.total_tokens"] for flow in flows)

        assert [flow.attributes["pocketflow.usage.calls"] for flow in flows] == [1, 1, 1]
        assert f"  {total} tok  3 calls" in runs_of("threads").traced.outcome.stderr

    def test_threads_load_pages_tells_how_long_exec_took(self, spans):
        loads = spans("threads", "invoke_node LoadPages")

        assert len(loads) == 3
        assert all(load.attributes["pocketflow.exec.seconds"] >= 0.003 for load in loads)

    def test_human_drafts_grow_and_prints_are_kept(self, spans):
        example = "human_in_the_loop, revised"
        first, second = (span.attributes["pocketflow.stdout"] for span in spans(example, "invoke_node Review"))
        (publish,) = spans(example, "invoke_node Publish")

        assert shapes(spans(example), "drafts") == ["list[1]", "list[2]"]
        assert first.startswith("Draft 1: ")
        assert first.endswith("Enter to approve, or say what to change: make it shorter\n")
        assert second.startswith("Draft 2: ")
        assert publish.attributes["pocketflow.stdout"].startswith("Published draft 2: ")

    def test_human_review_lasts_until_the_person_has_answered(self, tmp_path):
        programs = Programs(tmp_path)
        command = run_command("--quiet", str(EXAMPLES / "human_in_the_loop.py"))
        with programs.start(*command, stdin=PIPE, OTEL_TRACES_EXPORTER="file") as process:
            prompted = ""
            while not prompted.endswith("say what to change: "):
                character = process.stdout.read(1)
                assert character, "the program ended without having asked"
                prompted += character
            (before,) = programs.read()
            answered_ns = time.time_ns()
            process.communicate("y\n")

        (review,) = programs.spans("invoke_node Review")
        assert (before.state, [span.name for span in before.spans if not span.finished]) == (
            TraceState.RUNNING,
            ["invoke_workflow Flow", "invoke_node Review"],
        )
        assert review.start_ns < answered_ns < review.end_ns
        assert review.attributes["pocketflow.exec.seconds"] > 0
