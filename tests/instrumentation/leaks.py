"""Finds a secret in what was exported, however it is spelled there."""

import base64
import json
import re
from collections.abc import Mapping
from functools import cache
from urllib.parse import quote, quote_plus

# Times and ids are made of digits, as some secrets are.
_CHANCE = re.compile(
    rb'"(?:startTimeUnixNano|endTimeUnixNano|timeUnixNano|observedTimeUnixNano|spanId|traceId|parentSpanId)": ?"\w+"'
    rb'|"doubleValue": ?[\d.e+-]+'
)
_TELLING = 8


@cache
def spellings(secret: str) -> tuple[bytes, ...]:
    """How a secret may be written: as it is, half of it, escaped once or twice, quoted for URLs, in base64."""
    length = max(_TELLING, len(secret) // 2)
    texts = {secret[start : start + length] for start in range(max(1, len(secret) - length + 1))}
    texts |= {quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}
    for ascii_only in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        texts |= {once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]}
    data = secret.encode()
    for shift, skipped in ((0, 0), (1, 2), (2, 3)):
        coded = base64.b64encode(bytes(shift) + data).decode()
        kept = coded.rstrip("=")
        inner = kept[skipped : len(kept) - (len(kept) < len(coded))]
        texts |= {inner, inner.replace("+", "-").replace("/", "_")}
    return tuple(text.encode("utf-8", "backslashreplace") for text in texts)


def leaks(exported: Mapping[str, bytes], secret: str) -> dict[str, str]:
    """Where a secret stands in what was exported, with what is around it; empty if it does not."""
    found = {}
    for place, data in exported.items():
        text = _CHANCE.sub(b"", data) if "JSON" in place else data
        for spelling in spellings(secret):
            if (start := text.find(spelling)) >= 0:
                found[place] = repr(text[max(0, start - 80) : start + len(spelling) + 40])
                break
    return found
