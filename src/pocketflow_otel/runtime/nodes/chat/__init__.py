"""Chat completions: asking for them, and reading what comes back."""
