"""Nodes that come by a secret, and show it in every way that a node has."""

import base64
import os
from typing import Any
from urllib.parse import quote

import pocketflow

from pocketflow_otel.runtime import Context, Output


class Refused(Exception):
    """Quotes what it was given, as clients do."""


def say(*words: str) -> None:
    """Prints, unless what is printed goes where a test looks at all the rest."""
    if "CARELESS_BUT_QUIET" not in os.environ:
        print(*words)


def show(secret: str, context: Context) -> Output:
    """Prints a secret, streams it, counts by it, and gives it."""
    say("working with", secret)
    say("x" * 20_000, secret, "y" * 60_000)
    say("in base64", base64.b64encode(f"user:{secret}".encode()).decode())
    for size in (1, 5, 11):
        for start in range(0, len(secret), size):
            context.chunk(secret[start : start + size])
        context.chunk(" and ")
    context.chunk(secret[: len(secret) - 1])
    context.progress(1, 2, unit=secret)
    context.count(**{secret: 1})
    given = {"secret": secret, "list": [secret, (secret, 1)], secret: "as a key", "quoted": quote(secret, safe="")}
    return Output({**given, "in": f"text with {secret}."}, action=secret, meta={"meta": secret})


async def show_in_loop(secret: str, context: Context) -> dict[str, Any]:
    """As `show`, in the event loop."""
    say("in the loop with", secret)
    context.chunk(secret)
    return {"secret": secret}


def refuse(secret: str) -> None:
    """Fails with a message that holds a secret, in a chain of errors that do."""
    try:
        raise ValueError(f"could not log in to postgresql://ada:{quote(secret, safe='')}@db/x with {secret!r}")
    except ValueError as error:
        raise Refused(
            f"401: {secret} was refused; {error}; {base64.b64encode(b'user:' + secret.encode()).decode()}"
        ) from error


class Keeps(pocketflow.Node):
    """A class of a program: keeps a secret, and writes it to the store."""

    def __init__(self, secret: str) -> None:
        super().__init__()
        self.secret = secret

    def prep(self, shared: Any) -> Any:
        return shared.get("seen")

    def exec(self, seen: Any) -> Any:
        say("kept", self.secret, "seen", seen)
        return self.secret

    def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
        shared["kept"] = {"secret": exec_res, exec_res: [prep_res]}
