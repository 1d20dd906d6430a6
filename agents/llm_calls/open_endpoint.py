"""From a model's spec to an endpoint that answers. Opening makes no call."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from glossator.agents.llm_calls.chat import ChatEndpoint, ChatRequest, Role
from glossator.agents.llm_calls.failure_translation import Addressee
from glossator.agents.llm_calls.langchain_endpoint import Connection, LangChainEndpoint
from glossator.agents.llm_calls.model_spec import BEHIND_URL, VLLM, ModelSpec
from glossator.agents.llm_calls.openai_chat import OPENAI_URL, LoopChat, open_chat
from glossator.agents.llm_calls.pooled_endpoint import PooledEndpoint
from glossator.agents.llm_calls.provider_variables import provider_variables
from glossator.agents.llm_calls.redaction import secrets_in
from glossator.agents.llm_calls.request_form import RequestForm
from glossator.errors import MissingExtraError, ModelAccessError, without_credentials

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
else:
    BaseChatModel = Any

_NO_KEY = "EMPTY"
"""What servers without keys are sent, by custom."""
_LENGTH_NAMES = {"ollama": "num_predict"}
"""Where a provider's chat model does not take LangChain's `max_tokens`."""


def open_endpoint(spec: ModelSpec, *, timeout: float) -> ChatEndpoint:
    """The endpoint of `spec`; `timeout` is in seconds for a whole answer.

    Raises:
        ModelAccessError: A key is missing, or LangChain does not know the provider.
        MissingExtraError: The provider's package (or vLLM) is not installed.

    """
    if spec.provider == BEHIND_URL:
        members = [_behind_url(spec, url, timeout) for url in spec.urls]
        return members[0] if len(members) == 1 else PooledEndpoint(members)
    if spec.provider == "openai":
        return _openai(spec, timeout)
    if spec.provider == VLLM:
        from glossator.agents.llm_calls.vllm_endpoint import open_vllm

        return open_vllm(spec.name, timeout=timeout)
    return _provider(spec, timeout)


def open_endpoints(models: Mapping[Role, ModelSpec], *, timeout: float) -> Mapping[Role, ChatEndpoint]:
    """One endpoint per role; roles with the same model share one."""
    opened = {spec: open_endpoint(spec, timeout=timeout) for spec in dict.fromkeys(models.values())}
    return {role: opened[spec] for role, spec in models.items()}


def _behind_url(spec: ModelSpec, url: str, timeout: float) -> LangChainEndpoint:
    """`OPENAI_API_KEY` is for OpenAI and never sent here, unless it is named."""
    if spec.key_variable is None:
        key, hint = _NO_KEY, "name the environment variable that holds it with --api-key-variable"
    else:
        key, hint = _key(spec.key_variable, f"of {without_credentials(url)!r}"), f"set {spec.key_variable}"
    shown = without_credentials(url)
    opened = partial(open_chat, spec.name, url=url, key=key, timeout=timeout, own_environment=False)
    chat = LoopChat(opened)
    secrets = () if spec.key_variable is None else (key,)
    connection = Connection(
        chat,
        Addressee(spec.name, shown, hint, secrets),
        f"{spec.name}@{shown}",
        chat.close,
    )
    return LangChainEndpoint(connection, RequestForm(), timeout=timeout)


def _openai(spec: ModelSpec, timeout: float) -> LangChainEndpoint:
    key = _key("OPENAI_API_KEY", "of OpenAI")
    url = os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE") or OPENAI_URL
    shown = without_credentials(url)
    chat = LoopChat(partial(open_chat, spec.name, url=url, key=key, timeout=timeout, own_environment=True))
    addressee = Addressee(spec.name, shown, "set OPENAI_API_KEY", (key,))
    connection = Connection(chat, addressee, f"{spec}@{shown}", chat.close)
    return LangChainEndpoint(connection, RequestForm.of_openai(spec.name), timeout=timeout)


def _key(variable: str, whose: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ModelAccessError(f"the key {whose} is not set: put it into the variable {variable}")
    return key


def _provider(spec: ModelSpec, timeout: float) -> LangChainEndpoint:
    """Any other provider of LangChain's. It takes its key from where its package looks for it."""
    from langchain_openai.chat_models.base import BaseChatOpenAI

    plain = _provider_chat(spec, timeout)  # a missing package or key is found now
    made: dict[tuple[int, float], BaseChatModel] = {}

    def own_dialect(request: ChatRequest) -> BaseChatModel:
        wanted = request.max_tokens, request.temperature
        if wanted not in made:
            made[wanted] = _provider_chat(spec, timeout, *wanted)
        return made[wanted]

    secrets = secrets_in(os.environ)
    addressee = Addressee(spec.name, spec.provider, f"set {provider_variables(spec.provider).key}", secrets)
    if isinstance(plain, BaseChatOpenAI):
        connection = Connection(lambda _: plain, addressee, str(spec))
        return LangChainEndpoint(connection, RequestForm.hosted(), timeout=timeout)
    return LangChainEndpoint(Connection(own_dialect, addressee, str(spec)), None, timeout=timeout)


def _provider_chat(
    spec: ModelSpec, timeout: float, max_tokens: int | None = None, temperature: float | None = None
) -> BaseChatModel:
    from langchain.chat_models import init_chat_model

    limits = {_LENGTH_NAMES.get(spec.provider, "max_tokens"): max_tokens, "temperature": temperature}
    given: dict[str, Any] = {name: value for name, value in limits.items() if value is not None}
    try:
        return init_chat_model(
            spec.name, model_provider=spec.provider, timeout=timeout, max_retries=0, **given
        )
    except ImportError as exc:
        install = re.search(r"pip install[\s-]+(?:U )?([\w.-]+)", str(exc))
        package = install[1] if install else f"langchain-{spec.provider}"
        raise MissingExtraError(
            f"the model {str(spec)!r} needs a package that is not installed: pip install {package}"
        ) from exc
    except Exception as exc:  # each provider's package has errors of its own for a missing key
        text = Addressee(spec.name, spec.provider, "", secrets_in(os.environ)).safe(str(exc))
        raise ModelAccessError(f"the model {str(spec)!r} cannot be opened: {text}") from exc
