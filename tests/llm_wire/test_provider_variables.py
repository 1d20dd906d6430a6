"""Which environment variables belong to which provider."""

from __future__ import annotations

import pytest

from glossator.agents.llm_calls.model_spec import PROVIDERS, VLLM, ModelSpec
from glossator.agents.llm_calls.provider_variables import address_of, provider_variables, variables_of

THERE = {
    "MISTRAL_API_KEY": "1", "AZURE_OPENAI_API_KEY": "2", "AZURE_OPENAI_ENDPOINT": "https://me:pw@here",
    "OPENAI_API_VERSION": "3", "HUGGINGFACEHUB_API_TOKEN": "4", "HF_TOKEN": "5", "HF_HOME": "/mine",
    "ANTHROPIC_API_KEY": "6", "AWS_SECRET_ACCESS_KEY": "7", "GEMINI_API_KEY": "8", "WATSONX_APIKEY": "9",
    "PPLX_API_KEY": "10", "PATH": "/bin", "MY_KEY": "11", "OPENAI_BASE_URL": "http://there/v1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("mistralai:large", {"MISTRAL_API_KEY"}),
        ("huggingface:a/b", {"HUGGINGFACEHUB_API_TOKEN", "HF_TOKEN"}),
        ("vllm:a/b", {"HF_TOKEN"}),
        ("bedrock_converse:x", {"AWS_SECRET_ACCESS_KEY"}),
        ("google_genai:gemini", {"GEMINI_API_KEY"}),
        ("ibm:granite", {"WATSONX_APIKEY"}),
        ("perplexity:sonar", {"PPLX_API_KEY"}),
        ("anthropic:claude", {"ANTHROPIC_API_KEY"}),
        ("openai:gpt", {"OPENAI_API_VERSION", "OPENAI_BASE_URL"}),
        ("litellm:anthropic/claude", {"ANTHROPIC_API_KEY"}),
        ("groq:llama", set[str]()),
    ],
)
def test_the_variables_of_a_model(model: str, names: set[str]) -> None:
    assert set(variables_of(ModelSpec.parse(model), THERE)) == names


def test_azure_reads_its_own_and_those_of_openai() -> None:
    spec = ModelSpec.parse("azure_openai:gpt")
    assert {"AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"} <= set(
        variables_of(spec, THERE)
    )
    assert address_of(spec, THERE) == "https://here"
    assert address_of(ModelSpec.parse("openai:gpt"), THERE) == "http://there/v1"
    assert address_of(ModelSpec.parse("anthropic:claude"), THERE) is None


def test_a_model_behind_a_url_has_the_variable_that_was_named_for_it() -> None:
    url = "http://me:pw@h/v1"
    assert variables_of(ModelSpec.parse("m", base_url=url), THERE) == {}
    named = ModelSpec.parse("m", base_url=url, key_variable="MY_KEY")
    assert variables_of(named, THERE) == {"MY_KEY": "11"}
    assert address_of(named, THERE) == "http://h/v1"


def test_no_provider_gets_the_whole_environment() -> None:
    for provider in (*PROVIDERS, VLLM):
        assert "PATH" not in variables_of(ModelSpec(provider, "m"), THERE)
        assert provider_variables(provider).key


def test_the_key_of_a_provider_is_named_as_its_package_names_it() -> None:
    names = {p: provider_variables(p).key for p in ("mistralai", "azure_openai", "huggingface", "groq")}
    assert names == {
        "mistralai": "MISTRAL_API_KEY", "azure_openai": "AZURE_OPENAI_API_KEY",
        "huggingface": "HUGGINGFACEHUB_API_TOKEN", "groq": "GROQ_API_KEY",
    }  # fmt: skip
