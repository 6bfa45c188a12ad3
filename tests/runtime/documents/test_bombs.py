"""Documents that are made to take long end in a fault, soon and in little memory."""

import subprocess
import sys
import time

import pytest

from pocketflow_otel.runtime.documents.checks import faults_of
from pocketflow_otel.runtime.registry.registry import Registry

SECONDS = 5.0
MEGABYTES = 200

CHECK = """
import re, sys, time
from pocketflow_otel.runtime.documents.checks import faults_of
from pocketflow_otel.runtime.registry.registry import Registry
text = eval(sys.stdin.read())
registry = Registry()
faults_of("workflow: warm\\nnodes: {a: {type: template, with: {text: hi}}}\\n", registry)
began = time.process_time()
faults = faults_of(text, registry)
seconds = time.process_time() - began
# Not getrusage, which begins with the memory of the process that started this one.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
print(seconds, peak, *faults)
"""

NODE = "workflow: probe\\nnodes:\\n  a: {type: template, with: {text: hi}}\\n"
BOMBS = {
    "aliases of aliases": (
        (
            r"'a0: &a0 [x,x,x,x,x,x,x,x,x]\n' + ''.join("
            r"'a%d: &a%d [%s]\n' % (n, n, ','.join(['*a%d' % (n - 1)] * 9)) for n in range(1, 10))"
        ),
        "more than 250000 values",
    ),
    "a long text, many times": (r"'a: &a ' + 'x' * 1000000 + '\nb: [' + '*a,' * 1000 + ']\n'", "16777216 characters"),
    "brackets": (r"'a:\n  ' + '[' * 100000", "nested too deeply"),
    "braces": (r"'a:\n  ' + '{a: ' * 100000", "nested too deeply"),
    "dashes": (r"'\n' + '- ' * 100000", "nested too deeply"),
    "questions": (r"'\n' + '? ' * 100000", "a key has to be a text"),
    "indentation": (r"''.join(' ' * n + 'a:\n' for n in range(2000))", "nested too deeply"),
    "10 MB of text": (r"'a: ' + 'x' * 10000000 + '\n'", "10000004 characters; at most"),
    "values": (r"'a: [' + 'b,' * 2000000 + ']\n'", "more than 250000 values"),
    "keys": (r"'\n'.join('k%d: 1' % n for n in range(260000))", "more than 250000 values"),
    "unknown fields": (
        r"'workflow: probe\nnodes:\n' + ''.join('  n%d: {typ: x}\n' % n for n in range(30000))",
        "60000 things are wrong",
    ),
    "bad keys": (r"'\n'.join('%d: 1' % n for n in range(200000))", "a key has to be a text"),
    "tags": (r"'%TAG !a! tag:x,2000:\n' * 100000 + '---\na: 1\n'", "tags have no meaning"),
    "anchors": (r"'\n'.join('k%d: &a%d x' % (n, n) for n in range(120000))", "120002 things are wrong"),
    "digits": (r"'a: ' + '9' * 4000000 + '\n'", "4000000 digits"),
    "a float": (r"'a: 1' + '0' * 4000000 + '.0\n'", "too large"),
    "terms": (
        r"'workflow: probe\nnodes:\n  a: {type: template, with: {text: hi}, when: \"' + '1+' * 20000 + '1 > 2\"}\n'",
        "",
    ),
    "parentheses": (
        r"'workflow: probe\nnodes:\n  a: {type: template, with: {text: hi}, when: \"' + '(' * 20000 + '\"}\n'",
        "",
    ),
    "references": (
        r"'workflow: probe\nnodes:\n  a: {type: template, with: {text: \"' + '${b} ' * 200000 + '\"}}\n'",
        "a text has at most 20,000 references",
    ),
    "an open reference": (
        r"'workflow: probe\nnodes:\n  a: {type: template, with: {text: \"' + '${' * 1000000 + '\"}}\n'",
        "",
    ),
    "unknown names": (
        (
            r"'workflow: probe\nnodes:\n' + ''.join("
            r"'  node%d: {type: template, with: {text: \"${nodd%d}\"}}\n' % (n, n) for n in range(10000))"
        ),
        "there is nothing called",
    ),
    "bodies in bodies": (
        r"'workflow: probe\nnodes:\n  a: ' + '{type: parallel, with: {do: {b: ' * 100",
        "nested too deeply",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_a_fault_soon_and_in_little_memory(name):
    expression, words = BOMBS[name]

    done = subprocess.run(
        [sys.executable, "-c", CHECK], input=expression, capture_output=True, text=True, timeout=60, check=True
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
