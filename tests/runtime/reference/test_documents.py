"""Random documents are documents: what they are checked for is in order in each of them."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from pocketflow_otel.runtime.documents.checks import check
from pocketflow_otel.runtime.documents.loading import load
from pocketflow_otel.runtime.registry.registry import Registry
from runtime.reference.documents import documents


@pytest.mark.parametrize("options", [{}, {"holds_nodes": False, "timed": True}], ids=["nested", "flat"])
def test_random_documents_have_no_fault(options: dict[str, Any]):
    registry = Registry()

    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(documents(**options))
    def has_no_fault(document: dict[str, Any]) -> None:
        assert check(load(document), registry) == []

    has_no_fault()
