"""From a model's spec to an endpoint that answers. Opening makes no call."""

from __future__ import annotations

from collections.abc import Mapping

from glossator.agents.llm_calls.chat import ChatEndpoint, Role
from glossator.agents.llm_calls.model_spec import ModelSpec


def open_endpoint(spec: ModelSpec, *, timeout: float) -> ChatEndpoint:
    """The endpoint of `spec`; `timeout` is in seconds for a whole answer.

    Raises:
        ModelAccessError: A key is missing, or LangChain does not know the provider.
        MissingExtraError: The provider's package (or vLLM) is not installed.

    """
    raise NotImplementedError


def open_endpoints(models: Mapping[Role, ModelSpec], *, timeout: float) -> Mapping[Role, ChatEndpoint]:
    """One endpoint per role; roles with the same model share one."""
    opened = {spec: open_endpoint(spec, timeout=timeout) for spec in dict.fromkeys(models.values())}
    return {role: opened[spec] for role, spec in models.items()}
