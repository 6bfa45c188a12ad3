"""Asking a person: in a terminal, by a file, or on a page of this machine."""
