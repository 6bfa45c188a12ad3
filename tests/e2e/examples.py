"""The examples, what they are given to read, and what their traces look like."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from e2e.outline import outline
from pocketflow_otel.traces.reader import Trace

EXAMPLES = Path(__file__).parents[2] / "examples"


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
