"""The chat completions API as data: what a request may hold, what a completion, its chunks and an error look like.

Names and shapes are OpenAI's: https://platform.openai.com/docs/api-reference/chat
"""

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any, Final, Self

from pocketflow_otel.demo import model

UNPRICED_MODEL: Final = "in-house-reviewer"
"""A model that no list of prices knows, such as one that a company runs itself."""

MODELS: Final = ("gpt-4o-mini", "gpt-4o", "gpt-4.1-mini", "gpt-4.1", UNPRICED_MODEL)
"""The models there are. The others carry real names, so that tools know their prices; `model` answers for all."""

_ROLES: Final = ("developer", "system", "user", "assistant", "tool", "function")
_PIECE: Final = re.compile(r"\s*\S+|\s+$")


class ApiError(Exception):
    """A request that is answered with an error object.

    Args:
        status: The HTTP status.
        message: What was wrong, for people.
        kind: The error's `type`.
        param: The field of the request that was wrong.
        code: The error's `code`, for programs.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self._error = {"message": message, "type": kind, "param": param, "code": code}

    def as_json(self) -> dict[str, Any]:
        """The body of the response."""
        return {"error": self._error}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """What this server looks at in a request; other fields are accepted and make no difference.

    Args:
        model: The name of the model.
        prompt: The text of the last message from the user.
        tokens: The tokens of all messages, one message after the other.
        max_tokens: Most tokens of the reply, or None.
        stream: Whether the reply is wanted in chunks.
        include_usage: Whether a last chunk shall tell the tokens used.
    """

    model: str
    prompt: str
    tokens: tuple[str, ...]
    max_tokens: int | None
    stream: bool
    include_usage: bool

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Reads the body of a request.

        Raises:
            ApiError: The body is no valid request.
        """
        try:
            fields = json.loads(body)
        except (ValueError, RecursionError):
            raise ApiError(400, "We could not parse the JSON body of your request.") from None
        if not isinstance(fields, dict):
            raise ApiError(400, "The body of the request must be a JSON object.")
        name = fields.get("model")
        if not isinstance(name, str) or not name:
            raise ApiError(400, "You must provide a model parameter.", param="model")
        if fields.get("n") not in (None, 1):
            raise ApiError(400, "This server gives one choice.", param="n", code="unsupported_value")
        texts = _texts(fields.get("messages"))
        return cls(
            model=name,
            prompt=next((text for role, text in reversed(texts) if role == "user"), ""),
            tokens=tuple(token for _, text in texts for token in model.split_tokens(text)),
            max_tokens=_max_tokens(fields),
            stream=_flag(fields, "stream", "stream"),
            include_usage=_include_usage(fields),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A reply. `created` is in seconds since 1970, and the cached tokens are part of the input."""

    id: str
    created: int
    model: str
    text: str
    finish_reason: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int

    @classmethod
    def of(cls, request: ChatRequest, *, number: int, created: int, cached_tokens: int) -> Self:
        """The model's reply to a request, the server's one with this number."""
        whole = model.reply(request.prompt)
        text = whole if request.max_tokens is None else model.limit_tokens(whole, request.max_tokens)
        return cls(
            id=f"chatcmpl-{number:08d}",
            created=created,
            model=request.model,
            text=text,
            finish_reason="stop" if text == whole else "length",
            input_tokens=len(request.tokens),
            cached_tokens=cached_tokens,
            output_tokens=model.count_tokens(text),
        )

    def as_json(self) -> dict[str, Any]:
        """The body of a response in one piece."""
        message = {"role": "assistant", "content": self.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return {**self._head("chat.completion"), "choices": [choice], "usage": self._usage()}

    def as_chunks(self, *, include_usage: bool) -> Iterator[dict[str, Any]]:
        """The events of a streamed response, a word each, the usage last and in a chunk of its own."""
        head = self._head("chat.completion.chunk") | ({"usage": None} if include_usage else {})

        def chunk(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
            return {**head, "choices": [choice]}

        yield chunk({"role": "assistant", "content": ""})
        for piece in _PIECE.findall(self.text):
            yield chunk({"content": piece})
        yield chunk({}, self.finish_reason)
        if include_usage:
            yield {**head, "choices": [], "usage": self._usage()}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _usage(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }


def model_list() -> dict[str, Any]:
    """The body of the list of models."""
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 0, "owned_by": "pocketflow-otel"} for name in MODELS],
    }


def _texts(messages: Any) -> list[tuple[str, str]]:
    """The role and the text of each message."""
    if not isinstance(messages, list) or not messages:
        raise ApiError(400, "Expected an array with at least one message.", param="messages")
    return [_text(message, f"messages.[{index}]") for index, message in enumerate(messages)]


def _text(message: Any, place: str) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise ApiError(400, "Expected a message to be an object.", param=place)
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        raise ApiError(400, f"Expected a role out of {', '.join(_ROLES)}.", param=f"{place}.role")
    if content is None and role == "assistant":
        return role, ""
    if isinstance(content, str):
        return role, content
    if not isinstance(content, list):
        raise ApiError(400, "Expected a string or an array of parts.", param=f"{place}.content")
    parts = [part.get("text") if isinstance(part, dict) else None for part in content]
    texts = [text for text in parts if isinstance(text, str)]
    if len(texts) < len(parts):
        raise ApiError(400, "This model reads text only.", param=f"{place}.content")
    return role, "\n".join(texts)


def _max_tokens(fields: dict[str, Any]) -> int | None:
    # The newer name wins; the older one is what most programs still send.
    for name in ("max_completion_tokens", "max_tokens"):
        value = fields.get(name)
        if value is None:
            continue
        if type(value) is not int or value < 1:
            raise ApiError(400, "Expected a whole number of at least 1.", param=name)
        return value
    return None


def _flag(fields: dict[str, Any], name: str, param: str) -> bool:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise ApiError(400, "Expected true or false.", param=param)
    return bool(value)


def _include_usage(fields: dict[str, Any]) -> bool:
    options = fields.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise ApiError(400, "Expected an object.", param="stream_options")
    if not fields.get("stream"):
        raise ApiError(400, "Only allowed when 'stream' is enabled.", param="stream_options")
    return _flag(options, "include_usage", "stream_options.include_usage")
