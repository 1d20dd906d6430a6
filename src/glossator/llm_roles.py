"""Which model speaks in each role, from the settings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from glossator.agents.llm_calls.chat import Role
from glossator.agents.llm_calls.model_spec import ModelSpec
from glossator.agents.llm_calls.provider_variables import address_of
from glossator.settings import Settings


def role_models(settings: Settings) -> Mapping[Role, ModelSpec]:
    """The model of each role that has one: scorer and investigator fall back to the explainer's, the
    judge to the scorer's. Empty without any model: Glossator then works without an LLM.

    Raises:
        ModelAccessError: A model cannot be read, or is a plain name without `base_url`.

    """
    scorer = settings.scorer or settings.explainer
    chosen = {
        Role.EXPLAINER: settings.explainer,
        Role.SCORER: scorer,
        Role.INVESTIGATOR: settings.investigator or settings.explainer,
        Role.JUDGE: settings.judge or scorer,
    }
    return {
        role: ModelSpec.parse(text, base_url=settings.base_url, key_variable=settings.api_key_variable)
        for role, text in chosen.items()
        if text is not None
    }


def agent_role_models(settings: Settings) -> Mapping[Role, ModelSpec]:
    """As `role_models`, for investigations: an investigator that is the only model reads claims as well."""
    models = dict(role_models(settings))
    if Role.INVESTIGATOR in models:
        models.setdefault(Role.SCORER, models[Role.INVESTIGATOR])
    return models


def work_of(models: Mapping[Role, ModelSpec], roles: Iterable[Role]) -> dict[str, list[str | None]]:
    """What work keys say of the models that speak in `roles`: which, and where they are asked."""
    spoken = {role: models[role] for role in roles if role in models}
    return {role.value: [str(spec), address_of(spec, os.environ)] for role, spec in spoken.items()}
