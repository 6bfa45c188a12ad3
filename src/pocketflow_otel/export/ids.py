"""Trace and span ids that leave the program's random numbers alone.

The SDK draws ids from the module `random`, so a program that seeds it would get other numbers when traced.
"""

from __future__ import annotations

import os
import random

from opentelemetry.sdk.trace.id_generator import IdGenerator

_random = random.Random()  # noqa: S311 - ids are no secrets

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


class PrivateIdGenerator(IdGenerator):
    """Random ids from a generator of our own."""

    def generate_span_id(self) -> int:
        """Returns 64 random bits, not all zero."""
        return _random.getrandbits(64) or self.generate_span_id()

    def generate_trace_id(self) -> int:
        """Returns 128 random bits, not all zero."""
        return _random.getrandbits(128) or self.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        """Tells samplers elsewhere that they can rely on the bits."""
        return True
