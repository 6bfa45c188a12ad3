"""Documents that are made to take long: each made when it is asked for, and words of the fault that it ends in."""

# ruff: noqa: UP031 - texts that are full of braces

from collections.abc import Callable

NODES = "workflow: probe\nnodes:\n"

BOMBS: dict[str, tuple[Callable[[], str], str]] = {
    "aliases of aliases": (
        lambda: (
            "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
            + "".join("a%d: &a%d [%s]\n" % (n, n, ",".join(["*a%d" % (n - 1)] * 9)) for n in range(1, 10))
        ),
        "more than 200000 values",
    ),
    "a long text, many times": (
        lambda: "a: &a " + "x" * 1000000 + "\nb: [" + "*a," * 1000 + "]\n",
        "16777216 characters",
    ),
    "brackets": (lambda: "a:\n  " + "[" * 100000, "nested too deeply"),
    "braces": (lambda: "a:\n  " + "{a: " * 100000, "nested too deeply"),
    "dashes": (lambda: "\n" + "- " * 100000, "nested too deeply"),
    "questions": (lambda: "\n" + "? " * 100000, "a key has to be a text"),
    "indentation": (lambda: "".join(" " * n + "a:\n" for n in range(2000)), "nested too deeply"),
    "10 MB of text": (lambda: "a: " + "x" * 10000000 + "\n", "10000004 characters; at most"),
    "values": (lambda: "a: [" + "b," * 2000000 + "]\n", "more than 200000 values"),
    "keys": (lambda: "\n".join("k%d: 1" % n for n in range(210000)), "more than 200000 values"),
    "unknown fields": (
        lambda: NODES + "".join("  n%d: {typ: x}\n" % n for n in range(30000)),
        "60000 things are wrong",
    ),
    "bad keys": (lambda: "\n".join("%d: 1" % n for n in range(200000)), "a key has to be a text"),
    "tags": (lambda: "%TAG !a! tag:x,2000:\n" * 100000 + "---\na: 1\n", "tags have no meaning"),
    "anchors": (lambda: "\n".join("k%d: &a%d x" % (n, n) for n in range(120000)), "120002 things are wrong"),
    "digits": (lambda: "a: " + "9" * 4000000 + "\n", "4000000 digits"),
    "a float": (lambda: "a: 1" + "0" * 4000000 + ".0\n", "too large"),
    "terms": (
        lambda: 'workflow: probe\nnodes:\n  a: {type: template, with: {text: hi}, when: "' + "1+" * 20000 + '1 > 2"}\n',
        "",
    ),
    "parentheses": (
        lambda: 'workflow: probe\nnodes:\n  a: {type: template, with: {text: hi}, when: "' + "(" * 20000 + '"}\n',
        "",
    ),
    "references": (
        lambda: 'workflow: probe\nnodes:\n  a: {type: template, with: {text: "' + "${b} " * 200000 + '"}}\n',
        "a text has at most 20,000 references",
    ),
    "an open reference": (
        lambda: 'workflow: probe\nnodes:\n  a: {type: template, with: {text: "' + "${" * 1000000 + '"}}\n',
        "",
    ),
    "unknown names": (
        lambda: (
            NODES + "".join('  node%d: {type: template, with: {text: "${nodd%d}"}}\n' % (n, n) for n in range(10000))
        ),
        "there is nothing called",
    ),
    "lists of nothing": (lambda: "a: [" + "[]," * 250000 + "]\n", "more than 200000 values"),
    "braces of JSON": (lambda: '{"a":' * 100000, "nested too deeply"),
    "fractions that are none": (lambda: "a: [" + "1e999," * 190000 + "]\n", "too large"),
    "merges of merges": (
        lambda: (
            "a0: &a0 {k0: 1}\n" + "".join("a%d: &a%d {k%d: 1, <<: *a%d}\n" % (n, n, n, n - 1) for n in range(1, 2000))
        ),
        "more than 200000 values",
    ),
    "the same key": (lambda: "a: 1\n" * 190000, "stands here twice"),
    "defaults": (
        lambda: NODES + '  a: {type: template, with: {text: "${' + "a.b ?? " * 400000 + '1}"}}\n',
        "at most 50",
    ),
    "transforms": (
        lambda: NODES + '  a: {type: template, with: {text: "${run.id' + " | trim" * 400000 + '}"}}\n',
        "at most 50",
    ),
    "steps": (lambda: NODES + '  a: {type: template, with: {text: "${run' + "[0]" * 1300000 + '}"}}\n', "at most 50"),
    "spaces": (
        lambda: NODES + '  a: {type: template, with: {text: "${' + " " * 4000000 + '"}}\n',
        "a name was expected",
    ),
    "a JSON literal": (
        lambda: NODES + '  a: {type: template, with: {text: "${' + "[" * 2000000 + '}"}}\n',
        "too large or too deep",
    ),
    "references of many nodes": (
        lambda: (
            NODES + "".join('  n%d: {type: template, with: {text: "%s"}}\n' % (n, "${n0} " * 20) for n in range(15000))
        ),
        "at most 100,000 references",
    ),
    "a cycle of all nodes": (
        lambda: (
            NODES
            + "".join('  n%d: {type: template, with: {text: "${n%d}"}}\n' % (n, (n + 1) % 15000) for n in range(15000))
        ),
        "wait for one another",
    ),
    "many cycles": (
        lambda: (
            NODES
            + "".join(
                '  a%d: {type: template, with: {text: "${b%d}"}}\n  b%d: {type: template, with: {text: "${a%d}"}}\n'
                % (n, n, n, n)
                for n in range(8000)
            )
        ),
        "wait for one another",
    ),
    "nodes that can't have run": (
        lambda: (
            NODES
            + "".join(
                '  n%d: {type: template, with: {text: "${n%d}"}}\n' % (n, (n * 7919 + 1) % 5000) for n in range(5000)
            )
            + "edges:\n"
            + "".join("  - {from: n%d, to: n%d}\n" % (n, n + 1) for n in range(4999))
        ),
        "can't have run before",
    ),
    "edges to nowhere": (
        lambda: (
            NODES
            + "".join("  n%d: {type: template, with: {text: hi}}\n" % n for n in range(5000))
            + "edges:\n"
            + "".join("  - {from: m%d, to: m%d}\n" % (n, n) for n in range(30000))
        ),
        "there is no node",
    ),
    "undo nodes": (
        lambda: (
            NODES
            + "".join(
                "  n%d: {type: template, with: {text: hi}, undo: u%d}\n"
                '  u%d: {type: template, with: {text: "${output} ${n0}"}}\n' % (n, n, n)
                for n in range(8000)
            )
        ),
        "need not have run",
    ),
    "one undo node for a chain": (
        lambda: (
            NODES
            + '  u: {type: template, with: {text: "${n0.x}"}}\n  n0: {type: template, with: {text: hi}}\n'
            + "".join(
                "  n%d: {type: template, with: {text: hi}, undo: u, needs: [n%d]}\n" % (n, n - 1)
                for n in range(1, 9000)
            )
        ),
        "n0 is a single value",
    ),
    "writers of one key": (
        lambda: NODES + "".join("  n%d: {type: set, with: {values: {k: 1}}}\n" % n for n in range(15000)),
        "may run at the same time",
    ),
    "needs": (
        lambda: (
            NODES
            + "  a: {type: template, with: {text: hi}}\n  b: {type: template, with: {text: hi}, needs: ["
            + "a," * 100000
            + "]}\n"
        ),
        "stands here twice",
    ),
    "bodies beside one another": (
        lambda: (
            NODES
            + "".join(
                '  n%d: {type: map, with: {over: [1], do: {b: {type: template, with: {text: "${m%d} ${item}"}}}}}\n'
                % (n, n)
                for n in range(8000)
            )
        ),
        "there is nothing called",
    ),
    "unknown types of bodies": (
        lambda: (
            NODES
            + "".join(
                "  n%d: {type: mapp%d, with: {do: {b: {type: template, with: {text: hi}}}}}\n" % (n, n)
                for n in range(9000)
            )
        ),
        "there is no node type",
    ),
    "modules": (
        lambda: NODES + "".join("  n%d: {type: nosuch%d:x}\n" % (n, n) for n in range(15000)),
        "there is no module",
    ),
    "a long module": (lambda: NODES + '  n: {type: "' + "x." * 1000000 + 'y:z"}\n', "not a text of 2000003 characters"),
    "unknown inputs": (
        lambda: (
            "workflow: w\ninputs:\n"
            + "".join("  i%d: {type: text, default: a}\n" % n for n in range(20000))
            + "nodes:\n  a: {type: template, with: {text: ["
            + "".join('"${inputs.j%d}",' % n for n in range(20000))
            + "]}}\n"
        ),
        "there is no input called",
    ),
    "a schema": (
        lambda: (
            NODES
            + "  n: {type: llm.chat, with: {model: m, prompt: p, schema: {type: object, properties: {"
            + "".join("p%d: {type: string}," % n for n in range(60000))
            + "}, additionalProperties: false}}}\n"
        ),
        "more than 10,000 values",
    ),
    "bodies in bodies": (
        lambda: "workflow: probe\nnodes:\n  a: " + "{type: parallel, with: {do: {b: " * 100,
        "nested too deeply",
    ),
}
