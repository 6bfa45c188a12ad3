"""Documents that are made to take long end in a fault, soon and in little memory."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pocketflow_otel.runtime.documents.checks import faults_of
from pocketflow_otel.runtime.registry.registry import Registry
from runtime.documents.bombs import BOMBS

TESTS = Path(__file__).parents[2]
SECONDS = 5.0
MEGABYTES = 200

CHECK = """
import re, sys, time
from pocketflow_otel.runtime.documents.checks import faults_of
from pocketflow_otel.runtime.registry.registry import Registry
from runtime.documents.bombs import BOMBS
text = BOMBS[sys.argv[1]][0]()
registry = Registry()
faults_of("workflow: warm\\nnodes: {a: {type: template, with: {text: hi}}}\\n", registry)
began = time.process_time()
faults = faults_of(text, registry)
seconds = time.process_time() - began
# Not getrusage, which begins with the memory of the process that started this one.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
print(seconds, peak, *faults)
"""


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_a_fault_soon_and_in_little_memory(name):
    words = BOMBS[name][1]
    # What measures the coverage of tests takes most of the time.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environ |= {"PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}

    done = subprocess.run(
        [sys.executable, "-c", CHECK, name], env=environ, capture_output=True, text=True, timeout=60, check=True
    )

    seconds, megabytes, fault = done.stdout.split(maxsplit=2)
    assert words in fault
    assert float(seconds) < SECONDS
    assert int(megabytes) < MEGABYTES


def test_small_files_that_name_one_another_twice_are_a_fault_soon(tmp_path):
    node = "type: workflow, with: {{path: f{}.yaml}}"
    for number in range(40):
        nodes = {name: "{" + node.format(number + 1) + "}" for name in ("a", "b")}
        lines = "".join(f"  {name}: {text}\n" for name, text in nodes.items())
        (tmp_path / f"f{number}.yaml").write_text(f"workflow: w{number}\nnodes:\n{lines}")
    (tmp_path / "f40.yaml").write_text("workflow: last\nnodes:\n  a: {type: template, with: {text: hi}}\n")
    began = time.process_time()
    faults = faults_of(tmp_path / "f0.yaml", Registry())
    assert time.process_time() - began < SECONDS
    assert any("more than 50,000 nodes" in fault.message for fault in faults), faults
