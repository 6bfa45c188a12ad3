"""How the demo's agent asks its LLM: by OpenAI's client where that is installed, else by plain HTTP.

The clients neither retry, because PocketFlow's nodes do, nor use a proxy, because the server is on this machine.
"""

import asyncio
import json
import os
import urllib.request
from typing import Final

from pocketflow_otel.demo.llm_server import URL_VARIABLE

_MODEL: Final = "gpt-4o-mini"

try:
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI
except ImportError:

    def call_llm(prompt: str) -> str:
        """The LLM's reply to a prompt."""
        body = json.dumps({"model": _MODEL, "messages": [{"role": "user", "content": prompt}]}).encode()
        url, headers = f"{os.environ[URL_VARIABLE]}/chat/completions", {"Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - the address is that of our own server
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
            return str(json.load(response)["choices"][0]["message"]["content"])

    async def call_llm_async(prompt: str) -> str:
        """The LLM's reply to a prompt; other work goes on meanwhile."""
        return await asyncio.to_thread(call_llm, prompt)

else:

    def call_llm(prompt: str) -> str:
        """The LLM's reply to a prompt."""
        url, http = os.environ[URL_VARIABLE], DefaultHttpxClient(trust_env=False)
        with OpenAI(base_url=url, api_key="none", max_retries=0, http_client=http) as client:
            completion = client.chat.completions.create(model=_MODEL, messages=[{"role": "user", "content": prompt}])
        return completion.choices[0].message.content or ""

    async def call_llm_async(prompt: str) -> str:
        """The LLM's reply to a prompt; other work goes on meanwhile."""
        url, http = os.environ[URL_VARIABLE], DefaultAsyncHttpxClient(trust_env=False)
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0, http_client=http) as client:
            completion = await client.chat.completions.create(
                model=_MODEL, messages=[{"role": "user", "content": prompt}]
            )
        return completion.choices[0].message.content or ""
