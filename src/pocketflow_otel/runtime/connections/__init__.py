"""Connections: named ways to outside systems, whose secrets come from the environment."""
