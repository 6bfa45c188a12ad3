"""Values and texts that instrumentation has to live with."""
