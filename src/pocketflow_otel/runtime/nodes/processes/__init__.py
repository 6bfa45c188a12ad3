"""Processes that nodes start."""
