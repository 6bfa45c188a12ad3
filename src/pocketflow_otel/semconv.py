"""Every span name, attribute and metric this project emits, in one place.

GenAI names follow the OpenTelemetry GenAI semantic conventions, which are in development: they are written out here
rather than imported, so that a release of the conventions changes nothing until this file does. Names beginning with
``pocketflow.`` are this project's own. What is at its default (0, false, empty, one attempt) is left out of a span.
"""

from typing import Final

INSTRUMENTATION_NAME: Final = "pocketflow_otel"

# Span names. A flow's, a node's and a call's are followed by a space and the name of flow, node or model.
SPAN_FLOW: Final = "invoke_workflow"
SPAN_NODE: Final = "invoke_node"
SPAN_ITERATION: Final = "iteration"
SPAN_ITEM: Final = "item"
SPAN_ATTEMPT: Final = "attempt"
SPAN_CHAT: Final = "chat"

# Shared conventions.
OPERATION_NAME: Final = "gen_ai.operation.name"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
NODE_NAME: Final = "gen_ai.node.name"
OPENINFERENCE_KIND: Final = "openinference.span.kind"
OPENINFERENCE_CHAIN: Final = "CHAIN"
GRAPH_NODE_ID: Final = "graph.node.id"
GRAPH_NODE_PARENT_ID: Final = "graph.node.parent_id"
CODE_FUNCTION_NAME: Final = "code.function.name"
CODE_FILE_PATH: Final = "code.file.path"
CODE_LINE_NUMBER: Final = "code.line.number"
ERROR_TYPE: Final = "error.type"
INPUT_VALUE: Final = "input.value"
INPUT_MIME_TYPE: Final = "input.mime_type"
OUTPUT_VALUE: Final = "output.value"
OUTPUT_MIME_TYPE: Final = "output.mime_type"
MIME_JSON: Final = "application/json"

# The exception event.
EVENT_EXCEPTION: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"

# Flows and nodes.
FLOW_GRAPH: Final = "pocketflow.flow.graph"
FLOW_VISITS: Final = "pocketflow.flow.visits"
NODE_KIND: Final = "pocketflow.node.kind"
NODE_VISIT: Final = "pocketflow.node.visit"
NODE_CLASS: Final = "pocketflow.node.class"
NODE_NEXT: Final = "pocketflow.node.next"
ACTION: Final = "pocketflow.action"
ACTION_UNROUTED: Final = "pocketflow.action.unrouted"
DEFAULT_ACTION: Final = "default"
PREP_SECONDS: Final = "pocketflow.prep.seconds"
EXEC_SECONDS: Final = "pocketflow.exec.seconds"
POST_SECONDS: Final = "pocketflow.post.seconds"
PARAMS: Final = "pocketflow.params"
WAITING: Final = "pocketflow.waiting"
TRUNCATED: Final = "pocketflow.truncated"

# What a visit took, where the runtime measured it. Names of counts, such as ``rows_read``, follow the prefix.
NODE_CPU_SECONDS: Final = "pocketflow.node.cpu_seconds"
NODE_MEMORY_BYTES: Final = "pocketflow.node.memory_bytes"
NODE_READ_BYTES: Final = "pocketflow.node.read_bytes"
NODE_WRITTEN_BYTES: Final = "pocketflow.node.written_bytes"
NODE_COUNT_PREFIX: Final = "pocketflow.node.count."

# Tries and batches.
ATTEMPTS: Final = "pocketflow.attempts"
MAX_RETRIES: Final = "pocketflow.max_retries"
FALLBACK: Final = "pocketflow.fallback"
ATTEMPT_NUMBER: Final = "pocketflow.attempt.number"
ATTEMPT_WAIT_SECONDS: Final = "pocketflow.attempt.wait_seconds"
ATTEMPT_LAST: Final = "pocketflow.attempt.last"
NODE_ROLE: Final = "pocketflow.node.role"
NODE_TRY: Final = "pocketflow.node.try"
NODE_TRIES: Final = "pocketflow.node.tries"
BATCH_SIZE: Final = "pocketflow.batch.size"
BATCH_FAILED: Final = "pocketflow.batch.failed"
BATCH_INDEX: Final = "pocketflow.batch.index"

# The shared store.
STORE_ADDED: Final = "pocketflow.store.added"
STORE_MODIFIED: Final = "pocketflow.store.modified"
STORE_REMOVED: Final = "pocketflow.store.removed"
STORE_SHAPE_PREFIX: Final = "pocketflow.store.shape."
STORE_VALUE_PREFIX: Final = "pocketflow.store.value."
STORE_ATTRIBUTION: Final = "pocketflow.store.attribution"
ATTRIBUTION_SHARED: Final = "shared"
STORE_KEYS: Final = "pocketflow.store.keys"
STORE_OMITTED: Final = "pocketflow.store.omitted"

# Printed output. Each stream's byte and line counts hang below its name.
STDOUT: Final = "pocketflow.stdout"
STDERR: Final = "pocketflow.stderr"
BYTES_SUFFIX: Final = ".bytes"
LINES_SUFFIX: Final = ".lines"

# What the language models called below used and cost, each call once. Never on calls' own spans, whose tokens are under
# the conventions' names: backends would add them up twice.
USAGE_INPUT_TOKENS: Final = "pocketflow.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "pocketflow.usage.output_tokens"
USAGE_CACHED_INPUT_TOKENS: Final = "pocketflow.usage.cached_input_tokens"
USAGE_REASONING_TOKENS: Final = "pocketflow.usage.reasoning_tokens"
USAGE_TOTAL_TOKENS: Final = "pocketflow.usage.total_tokens"
USAGE_CALLS: Final = "pocketflow.usage.calls"
USAGE_COST: Final = "pocketflow.usage.cost_usd"
USAGE_MODELS: Final = "pocketflow.usage.models"
USAGE_UNPRICED_CALLS: Final = "pocketflow.usage.unpriced_calls"
USAGE_UNPRICED_MODELS: Final = "pocketflow.usage.unpriced_models"
USAGE_PRICE_SOURCES: Final = "pocketflow.usage.price_sources"
USAGE_RETRY_TOTAL_TOKENS: Final = "pocketflow.usage.retry.total_tokens"
USAGE_RETRY_COST: Final = "pocketflow.usage.retry.cost_usd"

# A call that only we know of. Cost stands under the names that backends read.
OPERATION_CHAT: Final = "chat"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_ID: Final = "gen_ai.response.id"
CALL_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
CALL_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CALL_CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CALL_CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
CALL_REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
CALL_COST: Final = "gen_ai.usage.cost"
OPERATION_COST: Final = "operation.cost"
PRICE_SOURCE: Final = "pocketflow.price.source"
PRICE_AS_OF: Final = "pocketflow.price.as_of"
TOKEN_TYPE: Final = "gen_ai.token.type"
TOKEN_INPUT: Final = "input"
TOKEN_OUTPUT: Final = "output"

# Sessions.
SESSION_ID: Final = "session.id"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
USER_ID: Final = "user.id"
TAGS: Final = "pocketflow.tags"

# Budgets: which limit was passed, on the flow whose next node did not run. Both numbers are in the limit's own unit.
BUDGET_EXCEEDED: Final = "pocketflow.budget.exceeded"
BUDGET_LIMIT: Final = "pocketflow.budget.limit"
BUDGET_SPENT: Final = "pocketflow.budget.spent"
EVENT_BUDGET_WARNING: Final = "pocketflow.budget.warning"

# Log records that carry content where the content mode asks for events.
LOG_NODE_OUTPUT: Final = "pocketflow.node.output"
LOG_STORE_CHANGE: Final = "pocketflow.store.change"
LOG_NODE_IO: Final = "pocketflow.node.io"

# Metrics.
METRIC_FLOW_DURATION: Final = "gen_ai.invoke_workflow.duration"
METRIC_NODE_DURATION: Final = "pocketflow.node.duration"
METRIC_NODE_RETRIES: Final = "pocketflow.node.retries"
METRIC_NODE_ERRORS: Final = "pocketflow.node.errors"
METRIC_TOKEN_USAGE: Final = "gen_ai.client.token.usage"
METRIC_CALL_DURATION: Final = "gen_ai.client.operation.duration"
METRIC_COST: Final = "pocketflow.cost"

# The resource: which version of the program ran.
VCS_HEAD_NAME: Final = "vcs.ref.head.name"
VCS_HEAD_REVISION: Final = "vcs.ref.head.revision"
VCS_REPOSITORY_URL: Final = "vcs.repository.url.full"
VCS_DIRTY: Final = "vcs.ref.head.dirty"
