"""What ``pocketflow-otel demo`` runs: a small agent to trace and the LLM server it talks to, without network or key."""
