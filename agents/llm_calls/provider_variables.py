"""Which environment variables the packages of LangChain's providers read: keys, addresses, versions.

Names are those that the packages document; a prefix stands for all that begin with it, since packages
add to them (https://docs.langchain.com/oss/python/integrations/chat).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from glossator.agents.llm_calls.model_spec import BEHIND_URL, VLLM, ModelSpec
from glossator.errors import without_credentials

_HUB = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_ADDRESSES = ("_URL", "_BASE", "_ENDPOINT", "_HOST")
"""How names of variables end that say where a provider's models are asked."""


class ProviderVariables(NamedTuple):
    """Variables of one provider."""

    key: str
    """Where its key stands, usually."""
    prefixes: tuple[str, ...]
    """How the names of all its variables begin."""


_AWS = ProviderVariables("AWS_ACCESS_KEY_ID", ("AWS_",))
_GOOGLE_CLOUD = ProviderVariables("GOOGLE_APPLICATION_CREDENTIALS", ("GOOGLE_", "CLOUD_ML_"))
_PROVIDERS = {
    "anthropic_bedrock": _AWS,
    "azure_ai": ProviderVariables("AZURE_OPENAI_API_KEY", ("AZURE_", "OPENAI_", "FOUNDRY_")),
    "azure_openai": ProviderVariables("AZURE_OPENAI_API_KEY", ("AZURE_OPENAI_", "OPENAI_")),
    "bedrock": _AWS,
    "bedrock_converse": _AWS,
    "bedrock_mantle_anthropic": _AWS,
    "bedrock_mantle_openai": _AWS,
    "cohere": ProviderVariables("COHERE_API_KEY", ("COHERE_", "CO_API_")),
    "google_anthropic_vertex": _GOOGLE_CLOUD,
    "google_genai": ProviderVariables("GOOGLE_API_KEY", ("GOOGLE_", "GEMINI_")),
    "google_vertexai": _GOOGLE_CLOUD,
    "huggingface": ProviderVariables("HUGGINGFACEHUB_API_TOKEN", ("HUGGINGFACEHUB_", *_HUB)),
    "ibm": ProviderVariables("WATSONX_APIKEY", ("WATSONX_",)),
    "litellm": ProviderVariables("the key of the provider that LiteLLM asks", ()),
    "mistralai": ProviderVariables("MISTRAL_API_KEY", ("MISTRAL_",)),
    "perplexity": ProviderVariables("PPLX_API_KEY", ("PPLX_", "PERPLEXITY_")),
    VLLM: ProviderVariables("HF_TOKEN", _HUB),
}
"""Those whose variables do not simply begin with their names."""


def provider_variables(provider: str) -> ProviderVariables:
    """The variables of `provider`, one of `PROVIDERS` or `VLLM`."""
    own = provider.upper()
    return _PROVIDERS.get(provider) or ProviderVariables(f"{own}_API_KEY", (f"{own}_",))


def variables_of(spec: ModelSpec, environment: Mapping[str, str]) -> dict[str, str]:
    """What of `environment` the model needs to be asked.

    LiteLLM asks other providers; its models' names begin with them (`anthropic/…`), or it is OpenAI.
    """
    if spec.provider == BEHIND_URL:
        return {k: v for k, v in environment.items() if k == spec.key_variable}
    if spec.provider == "litellm":
        asked = spec.name.partition("/")[0].lower() if "/" in spec.name else "openai"
        prefixes = ("LITELLM_", *provider_variables(asked).prefixes)
    else:
        prefixes = provider_variables(spec.provider).prefixes
    return {k: v for k, v in environment.items() if k.startswith(prefixes)}


def address_of(spec: ModelSpec, environment: Mapping[str, str]) -> str | None:
    """Where the model is asked, if that is not where its provider is usually asked."""
    if spec.provider == BEHIND_URL:
        return spec.first_url
    named = (v for k, v in sorted(variables_of(spec, environment).items()) if k.endswith(_ADDRESSES))
    return next((without_credentials(v) for v in named if v), None)
