"""Databases: what is asked of each of them, and how each does it."""
