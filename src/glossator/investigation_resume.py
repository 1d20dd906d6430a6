"""Goes on with an investigation that was stopped, under the settings that it was begun with.

Those settings are in the ledger with it. Where they lie (home, cache, ledger) and how the models are reached
(URL, key variable, timeouts) is taken from now, as both may have moved.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from glossator.agent_calls import AgentModels, agent_models
from glossator.agents.investigator.limits import InvestigationLimits
from glossator.agents.trace.trace import Listener
from glossator.errors import UserError
from glossator.investigation_run import FeatureInvestigations
from glossator.memory.investigation_store import StoredInvestigation
from glossator.own_loop import run_to_end
from glossator.records import Answer, FeatureInvestigation
from glossator.session import Session


def resume_investigation(
    session: Session, stored: StoredInvestigation, listeners: Sequence[Listener] = ()
) -> FeatureInvestigation | Answer:
    """What the investigation comes to; one that is finished is read.

    Raises:
        UserError: the settings of now are not those that it was begun with.

    """
    begun = json.loads(stored.settings)
    if stored.kind == "request":
        return run_to_end(_request(session, stored, begun, listeners))
    limits = InvestigationLimits(**begun.get("limits", {}))
    work = FeatureInvestigations(session, _models(session, begun), limits=limits, listeners=listeners)
    try:
        return run_to_end(work.resume(stored)).result
    finally:
        work.close()


async def _request(
    session: Session, stored: StoredInvestigation, begun: dict[str, Any], listeners: Sequence[Listener]
) -> Answer:
    from glossator.request_run import RequestDesk

    planner = str(begun.get("planner", "auto"))
    desk = RequestDesk(session, _models(session, begun), planner=planner, listeners=listeners)
    try:
        return await desk.resume(stored)
    finally:
        await desk.close()


def _models(session: Session, begun: dict[str, Any]) -> AgentModels:
    """The models of the settings; none where it was begun without."""
    asked = bool(begun.get("models"))
    models = agent_models(session, begun.get("budget") or None if asked else None, without=not asked)
    if asked and not models.asks:
        named = ", ".join(sorted({spec[0] for spec in begun["models"].values()}))
        raise UserError(
            f"it was begun with {named} and no model is set now: set --investigator (or --explainer)"
        )
    return models
