"""Conditions and references that want out of their data: none reaches an object, a file, or a variable elsewhere."""
# ruff: noqa: RUF001 - letters that only look like others are what some of them try

import builtins
import contextlib
import io
import itertools
import json
import os
import sys
import time
import tracemalloc
from decimal import Decimal

import pytest

from pocketflow_otel.runtime.expressions.conditions import parse_condition, parse_expression
from pocketflow_otel.runtime.expressions.errors import ExpressionError
from pocketflow_otel.runtime.expressions.references import parse
from pocketflow_otel.runtime.expressions.transforms import TRANSFORMS

SECRET = "what no expression may find"

said = []
"""The messages of errors."""

touched = []
"""What was done to a `Sentinel`."""


def _telling(name):
    def told(self, *arguments, **named):
        touched.append(name)
        raise AssertionError(f"{name} was called")

    return told


SPECIAL = """getattribute getattr str repr format eq ne lt le gt ge hash bool len iter next contains getitem call add
radd mul rmul mod rmod sub truediv floordiv pow rpow neg pos abs int float index round enter exit dir reduce fspath
bytes await or and invert reversed length_hint copy deepcopy""".split()
METHODS = {f"__{name}__": _telling(f"__{name}__") for name in SPECIAL}
Sentinel = type("Sentinel", (), {**METHODS, "secret": SECRET})
HostileDict = type("HostileDict", (dict,), METHODS)

DATA = {
    "inputs": {"n": 5, "text": "abc", "list": [1, "two"], "__class__": "only data", "big": 10**4000, "format": "%s"},
    "thing": {"object": Sentinel(), "list": [Sentinel()], "dict": HostileDict(a=1), "module": json, "function": open},
    "self": Sentinel(),
    "type": Sentinel,
}


def lookup(head):
    return DATA[head]


DUNDERS = """__class__ __dict__ __globals__ __builtins__ __init__ __subclasses__ __bases__ __base__ __mro__ __code__
__closure__ __func__ __self__ __module__ __import__ __loader__ __spec__ __getattribute__ __reduce_ex__ __doc__ mro
gi_frame
f_back f_globals tb_frame cr_frame ag_frame func_globals im_func secret""".split()
BEGINNINGS = [
    "self",
    "thing.object",
    "thing.list[0]",
    "thing.function",
    "thing.module",
    "inputs",
    "inputs.text",
    "type",
]

PATHS = [
    f"{beginning}{step}"
    for beginning, name in itertools.product(BEGINNINGS, DUNDERS)
    for step in (f".{name}", f'["{name}"]', f".{name}.__subclasses__[0].__init__.__globals__")
]

HOMOGLYPHS = [
    "".join(chr(ord(char) + 0xFEE0) if char.isalpha() else char for char in name)
    for name in ("self", "type", "open", "exec", "__import__", "__builtins__", "eval", "inputs")
] + ["ſelf", "ｓelf.ｓecret", "𝓈elf", "thing.ﬁle", "inputs.ªtext", "ⅽlass", "__ｃlass__"]

CONDITIONS = [
    *PATHS,
    *HOMOGLYPHS,
    *(
        f"{name}()"
        for name in ("self", "type", "open", "exec", "eval", "globals", "locals", "vars", "dir", "getattr", "input")
    ),
    *(
        f"{name}('x')"
        for name in ("__import__", "open", "exec", "eval", "compile", "breakpoint", "help", "str", "type")
    ),
    *(f"{path}()" for path in PATHS[:60]),
    *(f"length({path})" for path in PATHS[:30]),
    "thing.function('/etc/passwd')",
    "thing.module.loads('1')",
    "thing.object + 1",
    "thing.object == thing.object",
    "thing.object in thing.list",
    "thing.object and true",
    "not thing.object",
    "text(thing.object)",
    "text(thing)",
    "text(self) + text(thing.list)",
    "length(thing.object)",
    "length(thing.dict)",
    "thing.dict == thing.dict",
    "sum(thing.list)",
    "min(thing.list)",
    "default(thing.object, 1)",
    "inputs[thing.object]",
    "thing.list[thing.object]",
    "{'a': thing.object}",
    "[self]",
    "f'{self}'",
    "f'{self.secret!r:>{inputs.n}}'",
    "f'{inputs.n:1000000000}'",
    "'{0.__class__}'.format(self)",
    "'{0.__class__}'.format_map(thing)",
    "'%s' % self",
    "'%1000000000d' % 1",
    "inputs.format % thing.object",
    "'%(x)1000000000s' % {'x': 1}",
    "'a' * 10**9",
    "10**9 * 'a'",
    "[0] * 10**9",
    "inputs.text * inputs.n",
    "9**9**9",
    "9**9**9**9",
    "-9**-9**9",
    "2**4097",
    "(2**4000)*(2**4000)",
    "((2**64)**64)**64",
    "1.5**99999999",
    "0.1**-99999",
    "1 << 10**9",
    "inputs.big * inputs.big",
    "inputs.big ** inputs.big",
    "inputs.big % 7 > 0 and inputs.big ** 2 > 0",
    "inputs.big / 3",
    "inputs.big + 0.5",
    "text(inputs.big ** 3)",
    "9" * 1000 + " ** " + "9" * 20,
    "0x" + "f" * 1000 + " ** 2",
    "0b" + "1" * 1000,
    "1e308 * 10",
    "1e999",
    "round(1.5, 10**9)",
    "round(10**300, -10**9)",
    "integer('9' + '9' + '1e999')",
    "number('1e999')",
    "number('nan') == number('nan')",
    "integer('inf')",
    "lambda: 1",
    "(lambda: 1)()",
    "(lambda x: x(x))(lambda x: x(x))",
    "[x for x in inputs.list]",
    "[[[0 for a in inputs.list] for b in inputs.list] for c in inputs.list]",
    "{x: x for x in inputs.list}",
    "{x for x in inputs.list}",
    "sum(x for x in inputs.list)",
    "(yield 1)",
    "(yield from inputs.list)",
    "await self",
    "(x := 5)",
    "[*thing.list]",
    "{**thing.dict}",
    "max(*thing.list)",
    "max(**thing.dict)",
    "text(value=self)",
    "import os",
    "from os import system",
    "__import__('os').system('true')",
    "x = 1",
    "self.secret = 1",
    "del self",
    "assert self",
    "raise self",
    "pass",
    "1; 2",
    "n\n\n1",
    "print(self)",
    "exists(self.__class__)",
    "exists(thing.object.secret) or exists(self.secret) or exists(type.secret)",
    "default(self.__class__.__base__, 1) == 1 and default(thing.object.secret, 2) == 2",
    "inputs.list[0].__class__",
    "inputs.list[::-1].__class__",
    "inputs.list[-10**9:10**9:1]",
    "inputs.text[::2][::2][0][0][0]",
    "''.join(inputs.list)",
    "inputs.text.upper()",
    "().__class__.__bases__[0].__subclasses__()",
    "[].append(1)",
    "{}.__class__",
    "(1).__class__",
    "1 .real",
    "1.0.real",
    "True.__class__",
    "None.__class__",
    "null.__class__",
    "'a'.__class__",
    "b'a'",
    "...",
    "1j ** 1j",
    "inputs.n if self else 1",
    "self < self <= self",
    "self is self",
    "inputs.n @ inputs.n",
    "~inputs.n",
    "inputs.n | 1 & 2 ^ 3",
    "`id`",
    "$(id)",
    "${self}",
    "#!/bin/sh",
    "inputs.n # and self",
    "\0",
    "inputs.n\0",
    "\\\n1",
    "\N{RIGHT-TO-LEFT OVERRIDE}n == 1",
    "inputs\N{ZERO WIDTH SPACE}.n",
    "'\\N{BULLET}' * 9",
    "'\ud800' == inputs.text",
    "u'a' 'b' \"c\"",
    "rf'{self}'",
    "(" * 500 + "1" + ")" * 500,
    "[" * 500 + "]" * 500,
    "(" * 190 + "1" + ")" * 190,
    "[" * 190 + "]" * 190,
    "{'a':" * 80 + "1" + "}" * 80,
    "-" * 1000 + "1",
    "not " * 250 + "true",
    "1" + "+1" * 500,
    "1" + "**1" * 300,
    "1" + "<2" * 400,
    "inputs" + "[0]" * 300,
    "inputs" + ".a" * 400,
    "'a' in " * 140 + "'a'",
    "text(" * 100 + "1" + ")" * 100,
    " or ".join(["true"] * 100),
    "1 if " * 100 + "1" + " else 1" * 100,
    "1" + " + 1" * 20_000,
    "a" * 10_000_000,
    "x == '" + "a" * 10_000_000 + "'",
    "[" + "inputs.big," * 80 + "]",
]

TEMPLATES = [
    *(f"${{{path}}}" for path in PATHS),
    *(f"text ${{{path}}}" for path in PATHS[::5]),
    *(f"${{{name}}}" for name in HOMOGLYPHS),
    "<${self}>",
    "<${thing.object}>",
    "<${thing.list}>",
    "<${thing}>",
    "<${thing.dict}>",
    "${self.secret ?? thing.object.secret ?? 'nothing'}",
    "${thing.object()}",
    "${thing.function('/etc/passwd')}",
    "${thing.object + 1}",
    "${thing.object!r}",
    "${inputs.n:1000000000}",
    "${inputs.n | format('%1000000000d')}",
    "${inputs.text | __class__}",
    "${inputs.text | indent(1000000000)}",
    "${inputs.text | indent(999999999999999999999)}",
    "${inputs.n | round(1000000000)}",
    "${inputs.list | chunks(-1)}",
    "${inputs.list | chunks(0)}",
    "${inputs.text | split('')}",
    "${inputs.list[99999999999999999999]}",
    "${inputs.list[-99999999]}",
    "${x ?? " + "[" * 50_000 + "}",
    "${x ?? " + '{"a":' * 50_000 + "}",
    "${x ?? " + "9" * 100_000 + "}",
    "${x ?? 1e999}",
    "${x ?? NaN}",
    "${" * 100_000,
    "${a" + ".a" * 100_000 + "}",
    "${a" + "[0]" * 100_000 + "}",
    "${inputs.n" + " | text" * 10_000 + "}",
    "${" + "a ?? " * 50_000 + "1}",
    "${'" + "a" * 1_000_000,
    "$" * 1_000_000,
    "{{self}} {% for x in self %} {{ ''.__class__ }}",
    "%(self)s {self} {0.__class__} #{self} <%= self %>",
    *(f"${{{path} | {name}}}" for path in ("self", "thing.list", "thing.dict") for name in TRANSFORMS),
]

WATCHED = """open exec import
os.chdir os.chmod os.chown os.exec os.fork os.forkpty os.fwalk os.kill os.killpg os.link os.listdir os.listxattr
os.lockf os.mkdir os.posix_spawn os.putenv os.remove os.rename os.rmdir os.scandir os.setxattr os.spawn os.startfile
os.symlink os.system os.truncate os.unsetenv os.utime os.walk
subprocess.Popen pty.spawn shutil.copyfile shutil.copytree shutil.move shutil.rmtree shutil.unpack_archive
socket.__new__ socket.bind socket.connect socket.getaddrinfo socket.gethostbyname socket.sendmsg socket.sendto
ctypes.dlopen ctypes.dlsym ctypes.cdata ctypes.call_function ctypes.string_at ctypes.PyObj_FromPtr
code.__new__ marshal.load marshal.loads marshal.dumps pickle.find_class gc.get_objects gc.get_referrers gc.get_referents
object.__getattr__ function.__new__ builtins.breakpoint builtins.input""".split()
"""What Python tells of: https://docs.python.org/3/library/audit_events.html"""
seen_events = []
_unseen = {}

# No code of Python's: another thread could run meanwhile, and Python 3.11 lets none be traced then, as coverage does.
sys.addaudithook(_unseen.pop)


@contextlib.contextmanager
def watched():
    """Notes what is opened, run or imported; what a lookup may import late is there already."""
    parse("<${a}>").resolve({"a": Decimal(1)}.__getitem__)
    with contextlib.suppress(ExpressionError):
        parse_expression("a").value({"a": object()}.__getitem__)
    touched.clear()
    _unseen.update(dict.fromkeys(WATCHED))
    try:
        with opening() as opened:
            yield
    finally:
        seen_events[:] = [event for event in WATCHED if event not in _unseen]
        _unseen.clear()
    if "open" in seen_events and opened and all(path.startswith("/proc/") for path in opened):
        seen_events.remove("open")  # a visit is measured


@contextlib.contextmanager
def opening():
    """The files that are opened meanwhile."""
    opened = []

    def telling(call):
        def told(path, *arguments, **named):
            opened.append(str(path))
            return call(path, *arguments, **named)

        return told

    with pytest.MonkeyPatch.context() as patch:
        for module in (builtins, io, os):
            patch.setattr(module, "open", telling(module.open))
        yield opened


def is_of_the_data(value):
    """Whether a result is made of JSON values, or is one of the objects that the data itself holds."""
    if any(value is held for held in (*DATA.values(), *DATA["thing"].values(), DATA["thing"]["list"][0])):
        return True
    if type(value) in {list, dict}:
        return all(is_of_the_data(item) for item in (value.values() if type(value) is dict else value))
    return type(value) in {str, int, float, bool, type(None)} and value != SECRET


def outcome(evaluate, text):
    try:
        return evaluate(text)
    except (ExpressionError, KeyError) as error:
        said.append(str(error))
        return None


def test_there_are_many():
    assert len(set(CONDITIONS)) > 500
    assert len(set(TEMPLATES)) > 500


@pytest.mark.parametrize(
    ("evaluate", "texts"),
    [
        (lambda text: parse_expression(text).value(lookup), CONDITIONS),
        (lambda text: parse_condition(text).holds(lookup), CONDITIONS),
        (lambda text: parse(text).resolve(lookup), TEMPLATES),
    ],
    ids=["expressions", "conditions", "references"],
)
def test_none_gets_out_of_its_data(evaluate, texts):
    slow = []
    said.clear()
    with watched():
        for text in texts:
            began = time.thread_time()
            result = outcome(evaluate, text)
            if time.thread_time() - began > 1:
                slow.append(text[:80])
            assert is_of_the_data(result), text[:80]
    assert touched == []
    assert seen_events == []
    assert slow == []
    assert max(map(len, said)) < 5000
    assert not any(SECRET in message for message in said)


def test_what_is_watched_is_seen(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with watched():
        (tmp_path / "new").write_text("x")
        (tmp_path / "new").unlink()
        exec("import colorsys")
    assert {"open", "os.remove", "exec", "import"} <= set(seen_events)


def test_an_object_in_the_data_is_not_even_looked_at():
    for path in ("self", "thing.object", "thing.list[0]", "type"):
        assert outcome(lambda text: parse_expression(text).value(lookup), path) is None
    with watched():
        assert parse("${thing.object}").resolve(lookup) is DATA["thing"]["object"]
        assert parse_condition("exists(thing.object)").holds(lookup) is True
    assert touched == []


def test_names_of_attributes_are_keys_like_others():
    assert parse("${inputs.__class__}").resolve(lookup) == "only data"
    assert parse_expression("inputs.__class__").value(lookup) == "only data"


def test_memory_has_a_bound():
    tracemalloc.start()
    try:
        for text in CONDITIONS[len(PATHS) :]:
            outcome(lambda text: parse_expression(text).value(lookup), text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000_000
