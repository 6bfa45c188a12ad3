"""Every span name, attribute and metric this project emits, in one place.

GenAI names follow the OpenTelemetry GenAI semantic conventions, which are in development: they are written out here
rather than imported, so that a release of the conventions changes nothing until this file does. Names beginning with
``pocketflow.`` are this project's own. What is at its default (0, false, empty, one attempt) is left out of a span.
"""

from typing import Final

INSTRUMENTATION_NAME: Final = "pocketflow_otel"

# Span names. A flow's and a node's are followed by a space and its name.
SPAN_FLOW: Final = "invoke_workflow"
SPAN_NODE: Final = "invoke_node"
SPAN_ITERATION: Final = "iteration"
SPAN_ITEM: Final = "item"
SPAN_ATTEMPT: Final = "attempt"

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
TRUNCATED: Final = "pocketflow.truncated"

# Tries and batches.
ATTEMPTS: Final = "pocketflow.attempts"
MAX_RETRIES: Final = "pocketflow.max_retries"
FALLBACK: Final = "pocketflow.fallback"
ATTEMPT_NUMBER: Final = "pocketflow.attempt.number"
ATTEMPT_WAIT_SECONDS: Final = "pocketflow.attempt.wait_seconds"
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

# Log records that carry content where the content mode asks for events.
LOG_NODE_OUTPUT: Final = "pocketflow.node.output"
LOG_STORE_CHANGE: Final = "pocketflow.store.change"
LOG_NODE_IO: Final = "pocketflow.node.io"

# Metrics.
METRIC_FLOW_DURATION: Final = "gen_ai.invoke_workflow.duration"
METRIC_NODE_DURATION: Final = "pocketflow.node.duration"
METRIC_NODE_RETRIES: Final = "pocketflow.node.retries"
METRIC_NODE_ERRORS: Final = "pocketflow.node.errors"

# The resource: which version of the program ran.
VCS_HEAD_NAME: Final = "vcs.ref.head.name"
VCS_HEAD_REVISION: Final = "vcs.ref.head.revision"
VCS_REPOSITORY_URL: Final = "vcs.repository.url.full"
VCS_DIRTY: Final = "vcs.ref.head.dirty"
