"""``python -m pocketflow_otel.cli``."""

from pocketflow_otel.cli import main

main()
