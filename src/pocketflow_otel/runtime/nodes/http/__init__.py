"""Requests over HTTP: sending them, reading what comes back, and saying what went wrong."""
