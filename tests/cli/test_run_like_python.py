"""A program cannot tell whether ``pocketflow-otel run`` or plain ``python`` runs it."""

import signal
import sys
import zipfile

import pytest

FAILING = """
import sys

def inner():
    raise ValueError("no")

def outer():
    try:
        inner()
    except ValueError as error:
        raise RuntimeError("why") from error

print("before")
outer()
"""

IN_THREADS = """
import threading
from concurrent.futures import ThreadPoolExecutor

def work():
    raise ValueError("in a thread")

thread = threading.Thread(target=work)
thread.start()
thread.join()
with ThreadPoolExecutor() as pool:
    pool.submit(work).result()
"""

IN_A_NODE = """
from pocketflow import Flow, Node

class Fails(Node):
    def exec(self, prep_res):
        raise ValueError("in a node")

Flow(Fails()).run({})
"""

ENDINGS = {
    "status": "import sys; sys.exit(3)",
    "exit-text": "raise SystemExit('goodbye')",
    "exit-none": "raise SystemExit",
    "at-once": "import os; print('x', flush=True); os._exit(7)",
    "exception": FAILING,
    "exception-group": "raise ExceptionGroup('g', [ValueError(1), TypeError(2)])",
    "syntax-error": "def f(:\n  pass\n",
    "in-threads": IN_THREADS,
    "in-a-node": IN_A_NODE,
    "at-exit": "import atexit\n@atexit.register\ndef f(): print('bye')\n",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "terminated": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "interrupted": "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
    "warning": "import warnings; warnings.warn('careful')",
    "unraisable": "class A:\n  def __del__(self): raise ValueError(1)\nA()\n",
}


@pytest.mark.parametrize("name", ENDINGS)
def test_it_ends_the_same_way(shell, name):
    shell.write("program.py", ENDINGS[name])

    assert shell.run("program.py") == shell.python("program.py")


SURROUNDINGS = {
    "arguments": "import sys; print(sys.argv)",
    "path": "import sys; print(sys.path, sys.path_importer_cache.keys() & {p for p in sys.path if 'boot' in p})",
    "environment": "import os; print(list(os.environ.items()))",
    "main": "print(__name__, __file__, __package__, __spec__, __loader__.__class__, sorted(globals()))",
    "main-module": "import __main__; print(__main__.__file__, sorted(vars(__main__)))",
    "directory": "import os; print(os.getcwd())",
    "flags": "import sys; print(sys.flags, sys.warnoptions, sys._xoptions)",
    "customizations": "import sys; print('sitecustomize' in sys.modules, 'usercustomize' in sys.modules)",
    "random": "import random; random.seed(1); from pocketflow import *; Flow(Node()).run({}); print(random.random())",
    "threads": "import threading as t; print([each.name for each in t.enumerate()], t.Thread().name)",
    "pools": (
        "from concurrent.futures import ThreadPoolExecutor as P; import threading as t\n"
        "print(P().submit(lambda: t.current_thread().name).result())"
    ),
    "signals": "import signal; print([(s, signal.getsignal(s)) for s in signal.Signals])",
    "standard-input": "import sys; print(sys.stdin.read()); print(sys.stdin.fileno(), sys.stdin.encoding)",
    "logging": "import logging; print(logging.root.handlers, logging.root.level); logging.warning('w')",
    "warning-filters": "import warnings; print(warnings.filters)",
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_it_sees_the_same_surroundings(shell, name):
    shell.write("program.py", SURROUNDINGS[name])
    arguments = ("program.py", "--content", "-m", "--", "--help", "ä b", "")

    traced = shell.run(*arguments, stdin="one\ntwo\n")

    assert traced == shell.python(*arguments, stdin="one\ntwo\n")
    assert traced.status == 0


@pytest.mark.parametrize("variable", ["PYTHONPATH", "PYTHONSAFEPATH", "PYTHONWARNINGS", "PYTHONDONTWRITEBYTECODE"])
@pytest.mark.parametrize("value", ["", "error", "one:two"])
def test_variables_of_python_count(shell, variable, value):
    shell.environ[variable] = value
    shell.write("program.py", "import os, sys; print(sys.path, sys.flags, dict(os.environ)); import nothing")

    assert shell.booted("program.py") == shell.python("program.py")


def test_options_of_python_count(shell):
    shell.write("program.py", "import sys; print(sys.path, sys.flags, sys._xoptions, sys.warnoptions)")
    options = ("-X", "utf8", "-P", "-W", "ignore")

    traced = shell.python(*options, "-m", "pocketflow_otel.cli", "run", "-q", "program.py", "-X")

    assert traced == shell.python(*options, "program.py", "-X")


@pytest.mark.parametrize("option", ["-I", "-E"])
def test_a_python_that_lets_nothing_in_runs_the_program_and_says_so(shell, option):
    shell.write("program.py", "import sys; print(sys.flags)")

    traced = shell.python(option, "-m", "pocketflow_otel.cli", "run", "-q", "program.py")

    assert (traced.stdout, traced.status) == (shell.python(option, "program.py").stdout, 0)
    assert traced.stderr == (
        "pocketflow-otel: not traced: Python was started with -E or -I, which keep the environment from it\n"
    )


def test_a_module_runs_as_a_module(shell):
    shell.write("package/__init__.py", "print('package', __name__)")
    shell.write("package/__main__.py", "import sys; print(sys.argv, sys.path, __name__, __spec__.name, __package__)")
    shell.write("package/part.py", "import sys; from . import __name__ as n; print(n, sys.argv); 1/0")

    for module in ("package", "package.part", "package.missing", "nothing"):
        traced, plain = shell.run("-m", module, "-m", "--quiet"), shell.python("-m", module, "-m", "--quiet")

        assert traced == plain


def test_directories_and_archives_run(shell):
    main = "import sys; print(sys.argv, sys.path[0], __name__, __file__); import beside"
    shell.write("folder/__main__.py", main)
    shell.write("folder/beside.py", "print('beside')")
    with zipfile.ZipFile(shell.directory / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", main)
        archive.writestr("beside.py", "print('beside')")

    for program in ("folder", "archive.zip"):
        traced = shell.run(program, "x")

        assert traced == shell.python(program, "x")
        assert traced.status == 0


def test_a_program_from_standard_input_runs(shell):
    program = "import sys; print(sys.argv, __name__)\nraise ValueError"

    assert shell.run("-", "x", stdin=program) == shell.python("-", "x", stdin=program)


def test_a_missing_script_is_python_s_own_complaint(shell):
    traced = shell.pocketflow_otel("run", "missing.py")

    assert traced == shell.python("missing.py")
    assert traced.status == 2


@pytest.mark.parametrize("name", ["sitecustomize", "usercustomize"])
@pytest.mark.parametrize("text", ["print('mine', __name__, __file__)", "1/0", "import nothing"])
def test_customizations_of_the_user_s_still_load(shell, name, text):
    shell.write(f"mine/{name}.py", text)
    shell.environ["PYTHONPATH"] = str(shell.directory / "mine")
    shell.write("program.py", f"import sys; print(getattr(sys.modules.get({name!r}), '__file__', None))")

    assert shell.booted("program.py") == shell.python("program.py")


def test_child_processes_are_not_traced(shell, flow):
    shell.write("child.py", flow)
    shell.write("program.py", "import subprocess, sys; subprocess.run([sys.executable, 'child.py'], check=True)")

    assert shell.run("program.py") == shell.python("program.py")
    assert not shell.traces.exists()


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_multiprocessing_works(shell, method):
    shell.write(
        "program.py",
        f"""
import multiprocessing, os, sys

def work(number):
    if number == 2:
        raise ValueError(number)
    return number, "sitecustomize" in sys.modules, os.environ.get("PYTHONPATH")

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    with context.Pool(1) as pool:
        print(pool.map(work, [0, 1]))
    process = context.Process(target=sys.exit, args=(5,))
    process.start()
    process.join()
    print(process.exitcode)
""",
    )

    traced = shell.run("program.py")

    assert traced == shell.python("program.py")
    assert (traced.stderr, traced.status) == ("", 0)


# One line says that the program is ready and waits, so that a signal always meets it there.
WAITS = """
import os, time
os.write(1, b"ready\\n"), time.sleep(60)
"""
HANDLES = """
import os, signal, sys, time
def handle(number, frame):
    os.write(1, b"handled\\n")
    sys.exit(9)
signal.signal(signal.SIGTERM, handle)
os.write(1, b"ready\\n"), time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("program", [WAITS, HANDLES], ids=["waits", "handles"])
def test_signals_from_outside_do_the_same(shell, number, program):
    shell.environ["PYTHONNODEBUGRANGES"] = "1"
    shell.write("program.py", program)
    command = (sys.executable, "-m", "pocketflow_otel.cli", "run", "--quiet", "program.py")

    assert shell.signalled(number, *command) == shell.signalled(number, sys.executable, "program.py")


def test_a_copy_of_a_library_beside_the_script_goes_first(shell):
    shell.write("pocketflow.py", "print('mine'); Flow = Node = BaseNode = None")
    shell.write("program.py", "import pocketflow; print(pocketflow.__file__)")

    traced = shell.run("program.py")

    assert traced == shell.python("program.py")
    assert traced.stdout == f"mine\n{shell.directory / 'pocketflow.py'}\n"


def test_untraced_means_plain(shell, flow):
    shell.write("program.py", flow + "import sys; print('opentelemetry' in sys.modules)")

    traced = shell.pocketflow_otel("run", "--no-trace", "program.py")

    assert traced == shell.python("program.py")
    assert traced.stdout == "False\n"
