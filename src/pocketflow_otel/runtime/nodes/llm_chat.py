"""``llm.chat``: asks a model that speaks OpenAI's chat completions API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field, model_validator

from pocketflow_otel.runtime.documents.model import Part
from pocketflow_otel.runtime.nodes.chat.errors import LlmAnswerError, LlmCutError, LlmRefusalError
from pocketflow_otel.runtime.nodes.checks import Faults, check_connection, holds_references
from pocketflow_otel.runtime.registry.node_types import FunctionType
from pocketflow_otel.runtime.registry.shapes import SINGLE, Shape, object_of, of_json_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pocketflow_otel.runtime.nodes.chat.asking import Answer
    from pocketflow_otel.runtime.registry.node_types import Context

_SCHEMA_NAME: Final = "answer"


class LlmChatConfig(Part):
    """What to ask, and whom.

    Attributes:
        model: The model.
        connection: ``@openai.alias``; without one OPENAI_API_KEY and OPENAI_BASE_URL say where.
        prompt: What the user says.
        messages: Instead of a prompt: the conversation, as the API has it: ``{role: user, content: …}``.
        system: What is said to the model before all else.
        schema_: A JSON Schema: the answer is JSON that it describes.
        strict: Whether the server is to hold the model to the schema; the answer is held to it in any case.
        stream: Whether the answer is told piece by piece while it is made.
        temperature: From 0, always the most likely, to 2.
        max_tokens: The most tokens that the answer may have.
        allow_cut: Whether an answer that was cut there is right.
        stop: Texts at which the answer ends.
        seed: The same seed asks for the same answer again.
        options: Further fields of the request, such as ``reasoning_effort``.
    """

    model: Annotated[str, Field(min_length=1, examples=["gpt-4o-mini"])]
    connection: str | None = None
    prompt: str | None = Field(default=None, examples=["Name three rivers."])
    messages: Annotated[list[dict[str, Any]], Field(min_length=1)] | None = None
    system: str | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool = True
    stream: bool = False
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    allow_cut: bool = False
    stop: str | list[str] | None = None
    seed: int | None = None
    options: dict[str, Any] = Field(default={})

    @model_validator(mode="after")
    def _asks_once(self) -> LlmChatConfig:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("expected either 'prompt' or 'messages'")
        return self

    @property
    def request(self) -> dict[str, Any]:
        """The arguments of the client."""
        system = [{"role": "system", "content": self.system}] if self.system is not None else []
        asked = self.messages if self.messages is not None else [{"role": "user", "content": self.prompt}]
        names = ("temperature", "max_tokens", "stop", "seed")
        chosen = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        request = {"model": self.model, "messages": [*system, *asked], **chosen}
        if self.schema_ is not None:
            schema = {"name": _SCHEMA_NAME, "schema": self.schema_, "strict": self.strict}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        return {**request, "extra_body": self.options} if self.options else request


async def chat(config: LlmChatConfig, context: Context) -> dict[str, Any]:
    """Asks the model.

    Raises:
        LlmRequestError: The request was refused, or there is no key.
        LlmRateLimitError: There were too many requests.
        LlmServerError: The server failed.
        LlmConnectionError: Nobody could be reached in time.
        LlmRefusalError: The model, or a filter, refused.
        LlmCutError: The answer was cut.
        LlmAnswerError: It is empty, or not what the schema says.
    """
    from pocketflow_otel.runtime.nodes.chat.asking import asked, client_of

    async with client_of(config.connection, context) as client:
        answer = await asked(client, config.request, context, stream=config.stream)
    usage = _usage(answer.usage)
    # What was used is used, whatever the answer is good for.
    if usage is not None:
        context.count(input_tokens=usage["input_tokens"], output_tokens=usage["output_tokens"])
    _raise_unless_whole(answer, config)
    output = {
        "text": answer.text,
        "model": answer.model or config.model,
        "finish_reason": answer.finish_reason,
        "id": answer.id,
        "usage": usage,
    }
    if config.schema_ is not None:
        from pocketflow_otel.runtime.nodes.chat.data import data_in

        try:
            output["data"] = data_in(answer.text, config.schema_)
        except LlmAnswerError as error:
            raise LlmAnswerError(context.mask(f"{config.model}: {error}")) from None
    return output


def _raise_unless_whole(answer: Answer, config: LlmChatConfig) -> None:
    if answer.refusal:
        raise LlmRefusalError(f"{config.model}: the model refused: {answer.refusal}")
    if answer.finish_reason == "content_filter":
        raise LlmRefusalError(f"{config.model}: a filter of the server held the answer back")
    if answer.finish_reason == "length" and not config.allow_cut:
        most = f" (max_tokens: {config.max_tokens})" if config.max_tokens is not None else ""
        raise LlmCutError(f"{config.model}: the answer was cut at the most tokens it may have{most}")
    if not answer.text:
        raise LlmAnswerError(f"{config.model}: the answer is empty")


def _usage(told: Any) -> dict[str, Any] | None:
    """The tokens, in the names of OpenAI's newer API, which a trace's sums know again."""
    if told is None or told.prompt_tokens is None:
        return None
    of_input, of_output = told.prompt_tokens_details, told.completion_tokens_details
    read = {name: getattr(of_input, name, None) or 0 for name in ("cached_tokens", "cache_write_tokens")}
    return {
        "input_tokens": told.prompt_tokens,
        "output_tokens": told.completion_tokens or 0,
        "total_tokens": told.prompt_tokens + (told.completion_tokens or 0),
        "input_tokens_details": read,
        "output_tokens_details": {"reasoning_tokens": getattr(of_output, "reasoning_tokens", None) or 0},
    }


def check(with_: Mapping[str, Any]) -> Faults:
    """Whether the schema is one, and the connection one to a model."""
    wrong = check_connection(with_, ("openai",))
    schema = with_.get("schema")
    if not isinstance(schema, dict) or holds_references(schema):
        return wrong
    from pocketflow_otel.runtime.nodes.chat.data import schema_fault

    fault = schema_fault(schema)
    return [*wrong, (("schema",), fault)] if fault is not None else wrong


def gives(with_: Mapping[str, Any]) -> Shape:
    """What it gives: data where there is a schema, and what is in it as far as that tells."""
    schema = with_.get("schema")
    data = {} if schema is None else {"data": None if holds_references(schema) else of_json_schema(schema)}
    return object_of("usage", text=SINGLE, model=SINGLE, finish_reason=SINGLE, id=SINGLE, **data)


NODE_TYPE: Final = FunctionType(
    name="llm.chat",
    summary="Asks a language model, by OpenAI's chat completions API.",
    config=LlmChatConfig,
    call=chat,
    output="text, data (with a schema), model, finish_reason, id, usage (input_tokens, output_tokens, total_tokens …)",
    check=check,
    gives=gives,
)
