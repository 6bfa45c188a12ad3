"""Traces as read back from files, and the questions they answer. Needs neither the instrumentation nor the SDK."""
