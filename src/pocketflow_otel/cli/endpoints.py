"""What is wrong with the endpoints that the standard variables name, though something may answer there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pocketflow_otel.export.otlp_variables import HTTP, endpoint, protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_GENERAL: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_OWN: Final = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_TRACES_PATH: Final = "/v1/traces"


def mistakes(environ: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str]]:
    """Looks for endpoints that cannot work.

    Args:
        environ: The environment.

    Yields:
        What is wrong, without what may be a key, and what to do about it.

    Raises:
        ValueError: If the variables ask for a protocol that there is not.
    """
    name = _OWN if environ.get(_OWN) else _GENERAL
    text = environ.get(name, "")
    if not text or protocol("TRACES", environ) != HTTP:
        return
    server = endpoint("TRACES", environ)
    if "://" not in text:
        yield f"{name} has no http://, without which nothing is sent by HTTP", f"set it to {server}"
    elif name == _GENERAL and urlsplit(text).path.rstrip("/").endswith(_TRACES_PATH):
        yield f"{name} ends in {_TRACES_PATH}, which is added to it once more", f"leave that out, or set {_OWN} to it"
