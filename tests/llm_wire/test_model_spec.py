"""Models as people write them, and which of them speaks in which role."""

from __future__ import annotations

import pytest

from glossator.agents.llm_calls.chat import Role
from glossator.agents.llm_calls.model_spec import BEHIND_URL, PROVIDERS, ModelSpec
from glossator.agents.llm_calls.open_endpoint import open_endpoint, open_endpoints
from glossator.agents.llm_calls.pooled_endpoint import PooledEndpoint
from glossator.errors import MissingExtraError, ModelAccessError, SettingsError
from glossator.llm_plan import llm_plan
from glossator.llm_roles import role_models
from glossator.settings import load_settings

URL = "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize(
    ("text", "base_url", "spec"),
    [
        ("openai:gpt-5-mini", None, ModelSpec("openai", "gpt-5-mini")),
        ("openai:gpt-5-mini", URL, ModelSpec("openai", "gpt-5-mini")),
        ("anthropic:claude-haiku-4-5", None, ModelSpec("anthropic", "claude-haiku-4-5")),
        ("openrouter:qwen/qwen3-8b:free", None, ModelSpec("openrouter", "qwen/qwen3-8b:free")),
        ("vllm:Qwen/Qwen2.5-7B-Instruct", None, ModelSpec("vllm", "Qwen/Qwen2.5-7B-Instruct")),
        ("vllm:/models/mine", URL, ModelSpec("vllm", "/models/mine")),
        ("my-model", URL + "/", ModelSpec(BEHIND_URL, "my-model", URL)),
        ("llama3.2:3b", URL, ModelSpec(BEHIND_URL, "llama3.2:3b", URL)),
        (" org/model ", URL, ModelSpec(BEHIND_URL, "org/model", URL)),
        ("m", f"{URL}/ , https://b/v1,{URL}", ModelSpec(BEHIND_URL, "m", f"{URL},https://b/v1")),
    ],
)
def test_models_are_read(text: str, base_url: str | None, spec: ModelSpec) -> None:
    assert ModelSpec.parse(text, base_url=base_url) == spec
    assert str(spec) == text.strip()


@pytest.mark.parametrize(
    ("text", "base_url", "said"),
    [
        ("my-model", None, "'my-model' has no provider: write PROVIDER:MODEL .* or give --base-url"),
        ("opnai:gpt-5", None, "unknown provider 'opnai': did you mean 'openai'"),
        ("openai:", None, "no name after 'openai:'"),
        ("openai: ", URL, "no name after"),
        ("", URL, "'' has no provider"),
        ("m", f"{URL},", "URL '' of --base-url .* is none: write http://HOST:PORT/v1"),
        ("m", f"{URL},ftp://me:secret@b/v1", "URL 'ftp://b/v1' of"),
        ("m", "http://a b/v1", "URL 'http://a b/v1'"),
    ],
)
def test_what_cannot_be_read_says_what_can(text: str, base_url: str | None, said: str) -> None:
    with pytest.raises(ModelAccessError, match=said):
        ModelSpec.parse(text, base_url=base_url)


def test_the_providers_are_langchains() -> None:
    from langchain.chat_models import base

    assert set(PROVIDERS) <= set(base._BUILTIN_PROVIDERS)


def roles(**flags: str) -> dict[Role, str]:
    settings = load_settings(flags, environment={}).settings
    return {role: str(spec) for role, spec in role_models(settings).items()}


def test_roles_fall_back_on_each_other() -> None:
    assert roles() == {}
    assert roles(explainer="openai:a") == dict.fromkeys(Role, "openai:a")
    assert roles(explainer="openai:a", scorer="openai:b") == {
        Role.EXPLAINER: "openai:a", Role.SCORER: "openai:b", Role.INVESTIGATOR: "openai:a",
        Role.JUDGE: "openai:b",
    }  # fmt: skip
    assert roles(scorer="openai:b") == {Role.SCORER: "openai:b", Role.JUDGE: "openai:b"}
    assert roles(explainer="m", base_url=URL, judge="openai:c")[Role.JUDGE] == "openai:c"
    with pytest.raises(ModelAccessError, match="give --base-url"):
        roles(explainer="m")


def test_roles_with_the_same_model_share_an_endpoint() -> None:
    settings = load_settings({"explainer": "m", "judge": "n", "base_url": URL}, environment={}).settings
    opened = open_endpoints(role_models(settings), timeout=5.0)
    assert opened[Role.EXPLAINER] is opened[Role.SCORER] is opened[Role.INVESTIGATOR]
    assert opened[Role.JUDGE] is not opened[Role.SCORER]
    assert opened[Role.EXPLAINER].identity == f"m@{URL}"


def test_several_urls_are_one_endpoint_known_by_the_first() -> None:
    spec = ModelSpec.parse("m", base_url=f"{URL},http://me:secret@b:1/v1")
    assert (spec.first_url, len(spec.urls)) == (URL, 2)
    pool = open_endpoint(spec, timeout=5.0)
    assert isinstance(pool, PooledEndpoint)
    assert pool.identity == open_endpoint(ModelSpec.parse("m", base_url=URL), timeout=5.0).identity
    assert [m.where for m in pool.health()] == [f"m@{URL}", "m@http://b:1/v1"]


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "http://", f"{URL},", f"{URL};http://b c"])
def test_a_setting_that_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"base_url.*write http://HOST:PORT/v1"):
        load_settings({"base_url": url}, environment={})


def test_adding_a_url_leaves_finished_work_finished() -> None:
    def work(url: str) -> object:
        settings = load_settings({"explainer": "m", "base_url": url}, environment={}).settings
        plan = llm_plan(settings)
        assert plan is not None
        return plan.work(settings)

    assert work(URL) == work(f"{URL},http://b/v1") != work(f"http://b/v1,{URL}")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(ModelAccessError, match="variable OPENAI_API_KEY"):
        open_endpoint(ModelSpec.parse("openai:gpt-5-mini"), timeout=5.0)
    with pytest.raises(ModelAccessError, match="variable MY_KEY"):
        open_endpoint(ModelSpec.parse("m", base_url=URL, key_variable="MY_KEY"), timeout=5.0)
    with pytest.raises(MissingExtraError, match="pip install langchain-upstage"):
        open_endpoint(ModelSpec.parse("upstage:solar-pro"), timeout=5.0)


def test_credentials_in_a_url_stay_out_of_names() -> None:
    spec = ModelSpec.parse("m", base_url="http://me:secret@127.0.0.1:8000/v1")
    assert open_endpoint(spec, timeout=5.0).identity == f"m@{URL}"
