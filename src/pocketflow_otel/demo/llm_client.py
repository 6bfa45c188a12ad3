"""How the demo's agent asks its LLM: by OpenAI's client where that is installed, else by plain HTTP.

The clients neither retry, because PocketFlow's nodes do, nor use a proxy, because the server is on this machine. What
the calls used is recorded by hand, unless an instrumentation of the client tells it.
"""

import asyncio
import functools
import json
import os
import time
import urllib.request
from typing import Any, Final

from pocketflow_otel import record_llm_usage
from pocketflow_otel.demo.llm_server import URL_VARIABLE
from pocketflow_otel.llm import clients

_MODEL: Final = "gpt-4o-mini"
_MAX_TOKENS: Final = 100

try:
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI
except ImportError:

    def call_llm(prompt: str, *, model: str = _MODEL, max_tokens: int = _MAX_TOKENS) -> str:
        """The LLM's reply to a prompt, cut off after a number of tokens."""
        began = time.perf_counter()
        body = json.dumps(_request(prompt, model, max_tokens)).encode()
        url, headers = f"{os.environ[URL_VARIABLE]}/chat/completions", {"Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - the address is that of our own server
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
            return _received(json.load(response), began, recorded=False)

    async def call_llm_async(prompt: str, *, model: str = _MODEL, max_tokens: int = _MAX_TOKENS) -> str:
        """The LLM's reply to a prompt, cut off after a number of tokens; other work goes on meanwhile."""
        return await asyncio.to_thread(call_llm, prompt, model=model, max_tokens=max_tokens)

else:

    def call_llm(prompt: str, *, model: str = _MODEL, max_tokens: int = _MAX_TOKENS) -> str:
        """The LLM's reply to a prompt, cut off after a number of tokens."""
        began = time.perf_counter()
        url, http = os.environ[URL_VARIABLE], DefaultHttpxClient(trust_env=False)
        with OpenAI(base_url=url, api_key="none", max_retries=0, http_client=http) as client:
            completion = client.chat.completions.create(**_request(prompt, model, max_tokens))
        return _received(completion.model_dump(), began, recorded=_is_instrumented())

    async def call_llm_async(prompt: str, *, model: str = _MODEL, max_tokens: int = _MAX_TOKENS) -> str:
        """The LLM's reply to a prompt, cut off after a number of tokens; other work goes on meanwhile."""
        began = time.perf_counter()
        url, http = os.environ[URL_VARIABLE], DefaultAsyncHttpxClient(trust_env=False)
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0, http_client=http) as client:
            completion = await client.chat.completions.create(**_request(prompt, model, max_tokens))
        return _received(completion.model_dump(), began, recorded=_is_instrumented())


def _request(prompt: str, model: str, max_tokens: int) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_completion_tokens": max_tokens,
    }


def _received(completion: dict[str, Any], began: float, *, recorded: bool) -> str:
    """The text of a completion. What it used is recorded on the way, unless it is recorded already."""
    if not recorded:
        usage = completion["usage"]
        record_llm_usage(
            provider="openai",
            model=completion["model"],
            response_id=completion["id"],
            input_tokens=usage["prompt_tokens"],
            cached_input_tokens=usage["prompt_tokens_details"]["cached_tokens"],
            output_tokens=usage["completion_tokens"],
            duration_seconds=time.perf_counter() - began,
        )
    return str(completion["choices"][0]["message"]["content"])


@functools.cache
def _is_instrumented() -> bool:
    # The response id would tell a call that is reported twice, but not every instrumentation knows it.
    return "openai" not in [client.module for client in clients.uncovered()]
