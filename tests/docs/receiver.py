"""An OTLP receiver on this machine, which counts the traces it is sent."""

from collections.abc import Iterator
from contextlib import contextmanager

from fixtures.loopback import Posted, Reply, over_http


class Receiver:
    """What was received.

    Attributes:
        address: Host and port.
        spans: The bodies of requests that brought spans.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.spans: list[bytes] = []


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Receives while the block runs."""

    def answer(posted: Posted) -> Reply:
        if posted.path == "/v1/traces":
            receiver.spans.append(posted.body)
        return Reply()

    with over_http(answer) as address:
        receiver = Receiver(address)
        yield receiver
