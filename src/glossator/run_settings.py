"""A run's settings: what of them is stored with its plan, and how they are made whole again elsewhere.

Whoever goes on with a run takes from the plan what decides the labels, and from this machine where things
are: folders, the ledger and how many threads and requests this machine affords.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import JsonValue

from glossator.errors import SettingsError, without_credentials
from glossator.records import RunPlan
from glossator.settings import EffectiveSettings, Settings

PLACES = ("home", "cache", "ledger_url", "chroma_url")
"""Settings that say where this machine keeps things."""
MEANS = ("device", "threads", "llm_slots", "llm_timeout", "base_url", "api_key_variable", "price")
"""Settings that this machine may have otherwise, where they are given on the command line."""
_NEVER_STORED = {"ledger_url", "chroma_url"}
"""They may hold a password in more forms than could be looked for, and whoever reads them has them."""


def stored_settings(settings: Settings) -> dict[str, JsonValue]:
    """`settings` for the ledger: without the addresses of databases, and without others that hold a user,
    a password or a key."""
    text = settings.model_dump_json(exclude_none=True, exclude=_NEVER_STORED)
    plain: dict[str, JsonValue] = json.loads(text)
    return {k: v for k, v in plain.items() if not (isinstance(v, str) and _holds_credentials(v))}


def _holds_credentials(value: str) -> bool:
    return "://" in value and without_credentials(value) != value


def run_settings(plan: RunPlan, here: EffectiveSettings) -> Settings:
    """The settings under which a run goes on here.

    Raises:
        SettingsError: another version stored settings that this one does not know.

    """
    own, given = here.settings.model_dump(mode="json"), here.origin
    kept: dict[str, object] = dict(plan.settings)
    for key in PLACES:
        kept[key] = own[key]
    for key in MEANS:
        if given.get(key) == "flag" or (key not in kept and own[key] is not None):
            kept[key] = own[key]
    try:
        return Settings.model_validate(kept)
    except ValueError as error:
        words = without_credentials(str(error))
        raise SettingsError(
            f"the run was ordered under settings that cannot be read here: {words}"
        ) from error


def settings_text(settings: Settings) -> str:
    """All of `settings` for a process of one's own, given to it on a pipe: it may hold a password."""
    return settings.model_dump_json()


def read_settings(text: str) -> Settings:
    """What `settings_text` wrote.

    Raises:
        SettingsError: it is no such text.

    """
    try:
        content: Mapping[str, object] = json.loads(text)
        return Settings.model_validate(content)
    except ValueError as error:
        words = without_credentials(str(error))
        raise SettingsError(f"no settings stand on the standard input: {words}") from error
