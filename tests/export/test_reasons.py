"""Why a request failed is said in a few words, whatever was raised."""

import pytest
import requests

from pocketflow_otel.export.reasons import reason_of

NO_SCHEME = "the endpoint begins with neither http:// nor https://"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("localhost:4318/v1/traces", NO_SCHEME),
        ("localhost/v1/traces", NO_SCHEME),
        ("grpc://localhost:4317/v1/traces", NO_SCHEME),
        ("http://127.0.0.1:1/v1/traces", "Connection refused"),
    ],
)
def test_an_endpoint_that_cannot_be_asked(url, reason):
    with pytest.raises(requests.RequestException) as error:
        requests.post(url, data=b"", timeout=10)
    assert reason_of(error.value, 10) == reason


def test_a_timeout_is_one_whatever_it_is_called():
    assert reason_of(requests.ConnectTimeout("slow"), 2.5) == "no answer within 2.5 s"
