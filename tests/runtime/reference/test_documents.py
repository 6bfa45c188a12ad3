"""Random documents are documents: what they are checked for is in order in each of them."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from pocketflow_otel.runtime.documents.checks import check
from pocketflow_otel.runtime.documents.loading import load
from pocketflow_otel.runtime.registry.registry import Registry
from runtime.reference.documents import documents
from runtime.reference.model import Workflow


@pytest.mark.parametrize(
    "options", [{}, {"in_line": True}, {"holds_nodes": False, "in_line": True}], ids=["nested", "in line", "flat"]
)
def test_random_documents_have_no_fault(options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory):
    registry = Registry()

    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(documents(**options))
    def has_no_fault(workflow: Workflow) -> None:
        assert check(load(workflow.saved(tmp_path_factory.mktemp("workflow"))), registry) == []

    has_no_fault()
