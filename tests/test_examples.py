"""The examples: tracing changes nothing of what they do, and their traces show what ``examples/README.md`` says."""

import ast
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE

import pytest

from e2e.outline import outline
from e2e.processes import Outcome, Programs, run_command
from pocketflow_otel.traces.reader import Span, StatusCode, Trace, TraceState

EXAMPLES = Path(__file__).parents[1] / "examples"
NO_PROGRAMS = {"fake_llm"}

DRIVER = f"""
import importlib, json, os, sys
sys.path.insert(0, {str(EXAMPLES)!r})
store = importlib.import_module(sys.argv[1]).main()
with open(os.environ["STORE_FILE"], "w") as file:
    json.dump(store, file, sort_keys=True, default=lambda value: type(value).__name__)
"""


def usage_lines(trace: Trace) -> str:
    """What the flows, nodes and items of a trace tell of calls: how many, tokens read and written, and their cost."""
    names = ("calls", "input_tokens", "output_tokens", "cost_usd")
    told = [
        (span.name, *(span.attributes[f"pocketflow.usage.{name}"] for name in names))
        for span in trace.spans
        if "pocketflow.usage.calls" in span.attributes and span.name != "attempt"
    ]
    return "\n".join(
        f"{name}: {calls}, {read} + {written} tokens, ${usd:.8f}" for name, calls, read, written, usd in told
    )


@dataclass(frozen=True)
class Case:
    """An example, what it is given to read, and what its traces must look like."""

    example: str
    outlines: str
    """Those of its traces, in the order they started or sorted, an empty line between them."""
    stdin: str = ""
    usage: str = ""
    """What its traces tell of calls of models, likewise."""
    visits: bool = True
    without: tuple[str, ...] = ()
    order: Callable[[str], str] | None = None
    only: Callable[[Trace], bool] = field(default=lambda trace: True)

    def outlines_of(self, traces: list[Trace]) -> list[str]:
        told = [outline(trace, visits=self.visits, without=self.without) for trace in traces if self.only(trace)]
        return told if self.order is None else sorted(told, key=self.order)

    def usage_in(self, traces: list[Trace]) -> list[str]:
        told = [lines for trace in traces if (lines := usage_lines(trace))]
        return told if self.order is None else sorted(told, key=self.order)

    @property
    def expected(self) -> list[str]:
        return self.outlines.strip().split("\n\n")

    @property
    def expected_usage(self) -> list[str]:
        return self.usage.strip().split("\n\n") if self.usage else []


AGENT = """
invoke_workflow Flow -> default +answer ~messages,search_engine,stats,usage
  invoke_node Decide #1 -> search -> Search +tool_input ~messages,stats,usage
    attempt 1
      chat gpt-4o-mini
  invoke_node Search #1 -> default -> Decide ~messages,search_engine,stats
    attempt 1
  invoke_node Decide #2 -> search -> Search ~messages,stats,tool_input,usage
    attempt 1
      chat gpt-4o-mini
  invoke_node Search #2 -> default -> Decide ~messages,search_engine,stats
    attempt 1
  invoke_node Decide #3 -> calculate -> Calculate ~messages,stats,tool_input,usage
    attempt 1
      chat gpt-4o-mini
  invoke_node Calculate #1 -> default -> Decide ~messages,stats
  invoke_node Decide #4 -> search -> Search ~messages,stats,tool_input,usage
    attempt 1
      chat gpt-4o-mini
  invoke_node Search #3 -> default -> Decide attempts=2 ~messages,search_engine,stats
    attempt 1 TimeoutError
    attempt 2
  invoke_node Decide #5 -> search -> Search ~messages,stats,tool_input,usage
    attempt 1
      chat gpt-4o-mini
  invoke_node Search #4 -> default -> Decide ~messages,search_engine,stats
    attempt 1
  invoke_node Decide #6 -> calculate -> Calculate ~messages,stats,tool_input,usage
    attempt 1
      chat gpt-4o-mini
  invoke_node Calculate #2 -> default -> Decide ~messages,stats
  invoke_node Decide #7 -> answer -> Answer ~messages,stats,tool_input,usage
    attempt 1
      chat gpt-4o-mini
  invoke_node Answer #1 -> default +answer ~usage -tool_input
    chat gpt-4o-mini
"""

MAP_REDUCE = """
invoke_workflow Flow -> default +causes,digest,reports ~incidents,totals,unreadable
  invoke_node LoadReports #1 -> default -> ReadReports +reports
  invoke_node ReadReports batch #1 -> default -> AddUp items=5 ~incidents,unreadable
    item 0
      attempt 1
        chat gpt-4o-mini
    item 1
      attempt 1
        chat gpt-4o-mini
    item 2 attempts=2 fallback
      attempt 1 json.decoder.JSONDecodeError
      attempt 2 json.decoder.JSONDecodeError
    item 3
      attempt 1
        chat gpt-4o-mini
    item 4
      attempt 1
        chat gpt-4o-mini
  invoke_node AddUp #1 -> default -> WriteDigest +causes ~totals
  invoke_node WriteDigest #1 -> default +digest
    chat gpt-4o-mini
"""

NESTED_FLOWS = """
invoke_workflow Flow -> default ~backorders,ledger,orders,stock
  invoke_workflow EveryOrder batch_flow #1 -> default -> Report items=4 ~backorders,ledger,orders,stock
    iteration 0
      invoke_workflow Payment flow #1 -> paid -> Inventory ~ledger,orders
        invoke_node CheckCard #1 -> valid -> ChargeCard
        invoke_node ChargeCard #1 -> paid ~ledger,orders
      invoke_workflow Inventory flow #1 -> reserved -> Shipping ~stock
        invoke_node CheckStock #1 -> available -> Reserve
        invoke_node Reserve #1 -> reserved ~stock
      invoke_workflow Shipping flow #1 -> shipped -> NotifyCustomer ~orders
        invoke_node PrintLabel #1 -> default -> BookCarrier ~orders
        invoke_node BookCarrier #1 -> shipped ~orders
      invoke_node NotifyCustomer #1 -> default ~orders
    iteration 1
      invoke_workflow Payment flow #2 -> declined -> NotifyCustomer ~orders
        invoke_node CheckCard #1 -> declined -> RejectPayment
        invoke_node RejectPayment #1 -> declined ~orders
      invoke_node NotifyCustomer #2 -> default ~orders
    iteration 2
      invoke_workflow Payment flow #3 -> paid -> Inventory ~ledger,orders
        invoke_node CheckCard #1 -> valid -> ChargeCard
        invoke_node ChargeCard #1 -> paid ~ledger,orders
      invoke_workflow Inventory flow #2 -> out_of_stock -> Refund ~backorders,orders
        invoke_node CheckStock #1 -> short -> Backorder ~backorders
        invoke_node Backorder #1 -> out_of_stock ~orders
      invoke_node Refund #1 -> default -> NotifyCustomer ~ledger
      invoke_node NotifyCustomer #3 -> default ~orders
    iteration 3
      invoke_workflow Payment flow #4 -> paid -> Inventory ~ledger,orders
        invoke_node CheckCard #1 -> valid -> ChargeCard
        invoke_node ChargeCard #1 -> paid ~ledger,orders
      invoke_workflow Inventory flow #3 -> reserved -> Shipping ~stock
        invoke_node CheckStock #1 -> available -> Reserve
        invoke_node Reserve #1 -> reserved ~stock
      invoke_workflow Shipping flow #2 -> customs_hold (unrouted) ~orders
        invoke_node PrintLabel #1 -> default -> BookCarrier ~orders
        invoke_node BookCarrier #1 -> customs_hold ~orders
  invoke_node Report #1 -> default
"""

ASYNC_PARALLEL = """
invoke_workflow AsyncFlow async_flow -> default +ranking ~counts,products
  invoke_workflow EveryProduct async_parallel_batch_flow -> default -> Report items=3 ~counts,products
    iteration 0
      invoke_node FetchReviews async -> default -> ClassifyReviews attempts=2 ~counts,products
        attempt 1 ConnectionError
        attempt 2
      invoke_node ClassifyReviews async_parallel_batch -> default -> ScoreProduct items=3 ~counts,products
        item 0
          attempt 1
        item 1
          attempt 1
        item 2
          attempt 1
      invoke_node ScoreProduct -> default ~products
    iteration 1
      invoke_node FetchReviews async -> default -> ClassifyReviews attempts=2 ~counts,products
        attempt 1 ConnectionError
        attempt 2
      invoke_node ClassifyReviews async_parallel_batch -> default -> ScoreProduct items=4 ~counts,products
        item 0
          attempt 1
        item 1
          attempt 1
        item 2 attempts=2 fallback
          attempt 1 ValueError
          attempt 2 ValueError
        item 3
          attempt 1
      invoke_node ScoreProduct -> default ~products
    iteration 2
      invoke_node FetchReviews async -> default -> ClassifyReviews attempts=2 ~counts,products
        attempt 1 ConnectionError
        attempt 2
      invoke_node ClassifyReviews async_parallel_batch -> default -> ScoreProduct items=3 ~counts,products
        item 0
          attempt 1
        item 1
          attempt 1
        item 2
          attempt 1
      invoke_node ScoreProduct -> default ~products
  invoke_node Report -> default +ranking
"""

FASTAPI_JOB = """
POST /jobs
  fastapi.background_task
    invoke_workflow Flow -> default +article,headings ~history,sections
      invoke_node Outline #1 -> default -> WriteSections +headings ~history
        attempt 1
      invoke_node WriteSections batch #1 -> default -> Assemble items=3 ~history,sections
        item 0
          attempt 1
        item 1
          attempt 1
        item 2
          attempt 1
      invoke_node Assemble #1 -> default +article ~history
"""

THREADS = """
invoke_workflow Flow -> default +jobs ~brief,counts,pages
  invoke_node LoadPages #1 -> default -> CountJobs ~counts,pages
  invoke_node CountJobs #1 -> hiring -> SummarizeNews +jobs ~counts
  invoke_node SummarizeNews #1 -> default -> Finish ~brief
    attempt 1
      chat gpt-4o-mini
  invoke_node Finish #1 -> default ~brief

invoke_workflow Flow -> default +jobs ~brief,counts,pages
  invoke_node LoadPages #1 -> default -> CountJobs ~counts,pages
  invoke_node CountJobs #1 -> hiring -> SummarizeNews +jobs ~counts
  invoke_node SummarizeNews #1 -> default -> Finish ~brief
    attempt 1
      chat gpt-4o-mini
  invoke_node Finish #1 -> default ~brief

invoke_workflow Flow -> default +jobs ~brief,counts,pages
  invoke_node LoadPages #1 -> default -> CountJobs ~counts,pages
  invoke_node CountJobs #1 -> quiet -> SummarizeAll +jobs ~counts
  invoke_node SummarizeAll #1 -> default -> Finish ~brief
    attempt 1
      chat gpt-4o-mini
  invoke_node Finish #1 -> default ~brief
"""

APPROVED_AT_ONCE = """
invoke_workflow Flow -> default +published ~drafts,messages,review
  invoke_node Draft #1 -> default -> Review ~drafts,messages
    attempt 1
  invoke_node Review #1 -> approve -> Publish ~messages,review
  invoke_node Publish #1 -> default +published
"""

REVISED_ONCE = """
invoke_workflow Flow -> default +published ~drafts,messages,review
  invoke_node Draft #1 -> default -> Review ~drafts,messages
    attempt 1
  invoke_node Review #1 -> revise -> Revise +feedback ~messages,review
  invoke_node Revise #1 -> default -> Review ~drafts,messages -feedback
    attempt 1
  invoke_node Review #2 -> approve -> Publish ~messages,review
  invoke_node Publish #1 -> default +published
"""

AGENT_USAGE = """
invoke_workflow Flow: 8, 736 + 178 tokens, $0.00021720
invoke_node Decide: 1, 47 + 26 tokens, $0.00002265
invoke_node Decide: 1, 63 + 23 tokens, $0.00002325
invoke_node Decide: 1, 79 + 24 tokens, $0.00002625
invoke_node Decide: 1, 88 + 25 tokens, $0.00002820
invoke_node Decide: 1, 104 + 22 tokens, $0.00002880
invoke_node Decide: 1, 120 + 24 tokens, $0.00003240
invoke_node Decide: 1, 129 + 19 tokens, $0.00003075
invoke_node Answer: 1, 106 + 15 tokens, $0.00002490
"""

# Both tries of the third item failed after their calls, whose responses went with them.
MAP_REDUCE_USAGE = """
invoke_workflow Flow: 5, 207 + 87 tokens, $0.00008325
invoke_node ReadReports: 4, 155 + 68 tokens, $0.00006405
item: 1, 40 + 18 tokens, $0.00001680
item: 1, 39 + 15 tokens, $0.00001485
item: 1, 39 + 18 tokens, $0.00001665
item: 1, 37 + 17 tokens, $0.00001575
invoke_node WriteDigest: 1, 52 + 19 tokens, $0.00001920
"""

THREADS_USAGE = """
invoke_workflow Flow: 1, 25 + 11 tokens, $0.00001035
invoke_node SummarizeNews: 1, 25 + 11 tokens, $0.00001035

invoke_workflow Flow: 1, 26 + 10 tokens, $0.00000990
invoke_node SummarizeNews: 1, 26 + 10 tokens, $0.00000990

invoke_workflow Flow: 1, 43 + 9 tokens, $0.00001185
invoke_node SummarizeAll: 1, 43 + 9 tokens, $0.00001185
"""

CASES = {
    "agent_with_tools": Case("agent_with_tools", AGENT, usage=AGENT_USAGE),
    "map_reduce": Case("map_reduce", MAP_REDUCE, usage=MAP_REDUCE_USAGE),
    "nested_flows": Case("nested_flows", NESTED_FLOWS),
    # Branches overtake each other. `service` is changed in `exec` of several branches at once, so that whose change it
    # is cannot be told.
    "async_parallel": Case("async_parallel", ASYNC_PARALLEL, visits=False, without=("service",)),
    "fastapi_background": Case(
        "fastapi_background", FASTAPI_JOB + FASTAPI_JOB, only=lambda trace: trace.spans[0].name == "POST /jobs"
    ),
    "threads": Case("threads", THREADS, usage=THREADS_USAGE, order=str),
    "human_in_the_loop": Case("human_in_the_loop", APPROVED_AT_ONCE),
    "human_in_the_loop, revised": Case("human_in_the_loop", REVISED_ONCE, stdin="make it shorter\ny\n"),
    "human_in_the_loop, revised, then no more lines": Case("human_in_the_loop", REVISED_ONCE, stdin="friendlier"),
}


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
