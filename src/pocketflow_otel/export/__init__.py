"""Where spans go: the live console, trace files, OTLP; and how the SDK is set up for them."""
