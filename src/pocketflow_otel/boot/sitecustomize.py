"""Python imports this before the program. See the package it stands in."""

import importlib
import json
import os
import sys
from pathlib import Path

_boot = json.loads(os.environ.pop("_POCKETFLOW_OTEL_BOOT", "{}"))
_directory = str(Path(__file__).parent)

sys.path[:] = [entry for entry in sys.path if entry != _directory]
sys.path_importer_cache.pop(_directory, None)
if _boot.get("pythonpath") is None:
    os.environ.pop("PYTHONPATH", None)
else:
    os.environ["PYTHONPATH"] = _boot["pythonpath"]
del sys.modules["sitecustomize"]

try:
    # The one that would have been imported in our place. Python bears that there is none, and so do we: the
    # ImportError goes on to it.
    importlib.import_module("sitecustomize")
finally:
    from pocketflow_otel.boot import start

    start.start(_boot.get("configure", {}))
