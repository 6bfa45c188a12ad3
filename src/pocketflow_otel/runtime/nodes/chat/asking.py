"""Asks for a chat completion through the openai client, whole or as a stream."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import openai

from pocketflow_otel.capture.redaction import MASK
from pocketflow_otel.runtime.nodes.chat.errors import (
    LlmConnectionError,
    LlmError,
    LlmRateLimitError,
    LlmRequestError,
    LlmServerError,
)
from pocketflow_otel.runtime.nodes.http.sending import tls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from pocketflow_otel.runtime.registry.node_types import Context


@dataclass(slots=True)
class Answer:
    """What a model answered.

    Attributes:
        text: The text; empty where there is none.
        id: The completion's id.
        model: The model that answered, which may be a version of the one asked.
        finish_reason: Why it ended: ``stop``, ``length``, ``content_filter``.
        refusal: Why the model refused, in its words.
        usage: The tokens, as the API tells them; None where it does not.
    """

    text: str = ""
    id: str | None = None
    model: str | None = None
    finish_reason: str | None = None
    refusal: str | None = None
    usage: Any = None

    def add(self, part: Any, choice: Any, said: Any) -> str:
        """Adds a chunk, or a whole completion.

        Args:
            part: The chunk or completion.
            choice: Its first choice, if any.
            said: The choice's delta or message, if any.

        Returns:
            The text it brings.
        """
        self.id = self.id or part.id
        self.model = self.model or part.model
        self.usage = part.usage or self.usage
        text: str = getattr(said, "content", None) or ""
        self.text += text
        if refusal := getattr(said, "refusal", None):
            self.refusal = (self.refusal or "") + refusal
        self.finish_reason = getattr(choice, "finish_reason", None) or self.finish_reason
        return text


@contextlib.asynccontextmanager
async def client_of(connection: str | None, context: Context) -> AsyncIterator[openai.AsyncOpenAI]:
    """The connection's client, or one that goes by ``OPENAI_API_KEY`` and its like; it tries nothing again.

    Raises:
        LlmRequestError: There is neither a connection nor a key.
    """
    if connection is not None:
        # The run closes it.
        yield context.connection(connection).async_client
        return
    http = openai.DefaultAsyncHttpxClient(verify=tls())
    try:
        client = openai.AsyncOpenAI(max_retries=0, http_client=http)
    except openai.OpenAIError:
        await http.aclose()
        raise LlmRequestError(
            "there is no key: name a connection of the family openai, or set OPENAI_API_KEY"
        ) from None
    async with client:
        yield client


async def asked(client: openai.AsyncOpenAI, request: dict[str, Any], context: Context, *, stream: bool) -> Answer:
    """What a model answers to a request.

    Args:
        client: Whom to ask.
        request: Arguments of ``chat.completions.create``.
        context: Is told the pieces of a stream, and masks what went wrong.
        stream: Whether to have the answer in pieces.

    Raises:
        LlmError: It did not answer.
    """
    with _explaining(str(request["model"]), client, context.mask):
        if stream:
            return await _streamed(client, request, context)
        completion = await client.chat.completions.create(**request)
        choice = next(iter(completion.choices or ()), None)
        answer = Answer()
        answer.add(completion, choice, getattr(choice, "message", None))
        return answer


async def _streamed(client: openai.AsyncOpenAI, request: dict[str, Any], context: Context) -> Answer:
    answer = Answer()
    stream = await client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True})
    async with stream as chunks:
        async for chunk in chunks:
            choice = next(iter(chunk.choices or ()), None)
            if text := answer.add(chunk, choice, getattr(choice, "delta", None)):
                context.chunk(text)
    return answer


@contextlib.contextmanager
def _explaining(model: str, client: openai.AsyncOpenAI, mask: Callable[[str], str]) -> Iterator[None]:
    try:
        yield
    except openai.OpenAIError as error:
        kind, said = _told(error, _origin(client))
        # A server may repeat the key that it was given.
        text = said.replace(client.api_key, MASK) if client.api_key else said
        raise kind(mask(f"{model}: {text}")) from None


def _origin(client: openai.AsyncOpenAI) -> str:
    """The server, without what else its address may hold: a password, or a path with a key."""
    url = client.base_url
    return f"{url.scheme}://{url.netloc.decode()}"


def _told(error: openai.OpenAIError, server: str) -> tuple[type[LlmError], str]:
    match error:
        case openai.APITimeoutError():
            return LlmConnectionError, f"no answer in time from {server}"
        case openai.APIConnectionError():
            reason = error.__cause__
            return LlmConnectionError, f"{server} can't be reached{f': {reason}' if reason else ''}"
        case openai.RateLimitError():
            return LlmRateLimitError, f"rate limit: {_message(error)}"
        case openai.APIStatusError() if error.status_code >= 500:  # noqa: PLR2004
            return LlmServerError, f"the server failed with status {error.status_code}: {_message(error)}"
        case openai.APIStatusError():
            return LlmRequestError, f"the server refused with status {error.status_code}: {_message(error)}"
        case _:
            return LlmServerError, str(error)


def _message(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    message = body.get("message") or error.message
    return " ".join(str(message).split())[:500]
