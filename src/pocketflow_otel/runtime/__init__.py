"""Runs workflow documents on PocketFlow: load, prepare, execute, collect."""
