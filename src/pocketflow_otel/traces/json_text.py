"""Values as JSON can carry them."""

from __future__ import annotations

import base64
import json
import math
from typing import Any


def json_text(document: Any) -> str:
    """Renders a document as JSON that the strictest reader takes, on one line.

    Args:
        document: Of what JSON has. Half of a surrogate pair, which UTF-8 cannot say, becomes U+FFFD.

    Raises:
        ValueError: If a number is in it that is none for JSON.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return encodable(text)


def encodable(text: str) -> str:
    """The text with U+FFFD in place of halves of surrogate pairs, which UTF-8 cannot say."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def plain(value: Any) -> Any:
    """A value of an attribute as JSON has it: bytes become base64, and numbers that JSON does not have their names."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, float):
        return floating(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def floating(value: Any) -> float | str:
    """A double as JSON can carry it: what is no number there goes by its name."""
    number = float(value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
