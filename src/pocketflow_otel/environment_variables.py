"""The environment variables of the options, as ``opentelemetry-instrument`` looks for them to offer them as flags."""

from pocketflow_otel.options import FIELDS, environment_variable

globals().update({environment_variable(name): environment_variable(name) for name in FIELDS})
