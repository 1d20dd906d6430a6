"""Which model is meant: the words of a setting, read.

`openai:gpt-5-mini` is a provider of LangChain's and its model, `vllm:REPO_OR_FOLDER` a model that vLLM
runs in this process, and a name without a provider a model behind the OpenAI-compatible `base_url`, or
behind several of them that run the same model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from glossator.errors import ModelAccessError, without_credentials

VLLM = "vllm"
"""Runs the model in this process."""
BEHIND_URL = ""
"""The provider of models behind a `base_url`: none."""

PROVIDERS = (
    "anthropic", "anthropic_bedrock", "azure_ai", "azure_openai", "baseten", "bedrock", "bedrock_converse",
    "bedrock_mantle_anthropic", "bedrock_mantle_openai", "cohere", "deepseek", "fireworks",
    "google_anthropic_vertex", "google_genai", "google_vertexai", "groq", "huggingface", "ibm", "litellm",
    "meta", "mistralai", "nvidia", "ollama", "openai", "openrouter", "perplexity", "together", "upstage",
    "xai",
)  # fmt: skip
"""What `langchain.chat_models.init_chat_model` knows; the list is here so that reading it imports nothing."""


@dataclass(frozen=True)
class ModelSpec:
    """A model and where it runs. Equal specs are the same endpoint."""

    provider: str
    """One of `PROVIDERS`, `VLLM`, or `BEHIND_URL`."""
    name: str
    base_url: str | None = None
    """Only with `BEHIND_URL`; several URLs are joined by commas."""
    key_variable: str | None = None
    """Environment variable that holds the key for `base_url`; never the key."""

    @classmethod
    def parse(cls, text: str, *, base_url: str | None = None, key_variable: str | None = None) -> ModelSpec:
        """Read `PROVIDER:MODEL`, or a plain name where there is a `base_url`.

        A part before a colon that is no provider belongs to the name where there is a `base_url`
        (`llama3.2:3b`).

        Raises:
            ModelAccessError: The provider is unknown, the model is missing, a plain name has no URL, or one
                of the URLs is none.

        """
        text = text.strip()
        provider, colon, name = text.partition(":")
        if colon and provider in (*PROVIDERS, VLLM):
            if not name.strip():
                raise ModelAccessError(f"the model {text!r} has no name after {provider + ':'!r}")
            return cls(provider, name.strip())
        if base_url is not None and text:
            return cls(BEHIND_URL, text, ",".join(_urls(base_url)), key_variable)
        raise ModelAccessError(_unreadable(text, provider if colon else ""))

    @property
    def urls(self) -> tuple[str, ...]:
        """Where the model runs; empty with a provider."""
        return () if self.base_url is None else tuple(self.base_url.split(","))

    @property
    def first_url(self) -> str | None:
        """What tells its answers apart from others': more URLs of the same model change none, nor does a
        password."""
        return without_credentials(self.urls[0]) if self.urls else None

    def __str__(self) -> str:
        return f"{self.provider}:{self.name}" if self.provider else self.name


def _urls(text: str) -> list[str]:
    urls = [url.strip().rstrip("/") for url in text.split(",")]
    for url in urls:
        if not re.match(r"https?://[^/\s]", url) or re.search(r"\s", url):
            shown, given = without_credentials(url), without_credentials(text)
            raise ModelAccessError(
                f"the URL {shown!r} of --base-url {given!r} is none: write http://HOST:PORT/v1, several "
                "joined by commas"
            )
    return list(dict.fromkeys(urls))


def _unreadable(text: str, provider: str) -> str:
    forms = (
        "write PROVIDER:MODEL (openai:gpt-5-mini, anthropic:…, vllm:REPO_OR_FOLDER), or give --base-url "
        "(http://127.0.0.1:8000/v1) with the plain name of a model that runs there"
    )
    if not provider:
        return f"the model {text!r} has no provider: {forms}"
    near = get_close_matches(provider, (*PROVIDERS, VLLM), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"the model {text!r} has the unknown provider {provider!r}: {hint}{forms}"
