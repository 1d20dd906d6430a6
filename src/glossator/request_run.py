"""Requests in words within a session: tools, planner, budget and memory put together."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from glossator.agent_calls import AgentModels, open_calls
from glossator.agents.llm_calls.chat import Role
from glossator.agents.orchestrator.limits import OrchestratorLimits
from glossator.agents.trace.trace import Listener, Trace
from glossator.errors import SettingsError, UserError
from glossator.investigation_files import held
from glossator.memory.investigation_store import InvestigationStore, StoredInvestigation
from glossator.records import Answer, FeatureInvestigation, FeatureNames, PlannerKind
from glossator.run_settings import stored_settings
from glossator.session import Session

if TYPE_CHECKING:
    from glossator.agents.llm_calls.call_room import CallRoom
    from glossator.agents.memory_use.contradictions import ContradictionCheck
    from glossator.agents.orchestrator.planner import Planner
    from glossator.agents.tools.tool import Catalogue
    from glossator.investigation_run import FeatureInvestigations
else:
    CallRoom = Catalogue = ContradictionCheck = FeatureInvestigations = Planner = Any

PLANNERS = ("auto", *(kind.value for kind in PlannerKind))
"""Ways to choose tools; `auto` takes the best that the model can do."""


def never() -> bool:
    """Nobody stops the request."""
    return False


class RequestDesk:
    """What the requests of one session share. For one event loop; close it when done."""

    def __init__(
        self,
        session: Session,
        models: AgentModels,
        *,
        planner: str = "auto",
        limits: OrchestratorLimits | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        """Nothing is loaded yet.

        Args:
            session: settings made into things.
            models: who plans; written rules where no model is set.
            planner: `auto`, `native`, `schema` or `rules`.
            limits: how far one request goes; money, tokens and calls are limited by the models' budget.
            listeners: told of every event.

        Raises:
            SettingsError: the planner is unknown, or needs a model and none is set.

        """
        self._session, self._models = session, models
        self._choice = _checked(planner, models)
        self._limits, self._listeners = limits or OrchestratorLimits(), tuple(listeners)
        self._features: FeatureInvestigations | None = None

    @cached_property
    def store(self) -> InvestigationStore:
        """Where investigations are kept."""
        return InvestigationStore(self._session.ledger())

    async def answer(self, request: str, continues: str = "", stop: Callable[[], bool] = never) -> Answer:
        """The answer to a new request, which goes on from the investigation `continues`.

        Raises:
            UserError: the request is empty, or `continues` is no request of this subject and dictionary.

        """
        if not request.strip():
            raise UserError("the request is empty: ask in words, such as `what does feature 812 fire on?`")
        before = self._continued(continues)
        planner = self._planner()
        facts = {
            "planner": planner.kind.value,
            "budget": self._models.budget,
            "models": self._models.work(),
        }
        names = FeatureNames(*self._session.names())
        identity = self.store.start("request", names, request, facts, continues=before)
        return await self._run(identity, request, before, planner, stop)

    async def resume(self, stored: StoredInvestigation, stop: Callable[[], bool] = never) -> Answer:
        """Go on with a request that was begun; one that is finished, and was not ended by a limit, is read.

        Raises:
            UserError: it was planned by another planner or model than this session's.

        """
        from glossator.agents.orchestrator.conversation import stored_answer

        known = stored_answer(self.store, stored.id)
        if known is not None and not known.stopped:
            return known
        planner, begun = self._planner(), json.loads(stored.settings)
        if begun.get("planner") != planner.kind.value or begun.get("models") != self._models.work():
            raise UserError(
                f"the request {stored.id} was planned by {begun.get('planner')} with other models: set the "
                f"same ones, or ask again"
            )
        return await self._run(stored.id, stored.asked, stored.continues, planner, stop)

    async def close(self) -> None:
        """Let go of models and threads."""
        if self._features is not None:
            self._features.close()
        if self._calls is not None:
            await self._calls.close()

    @cached_property
    def _ledger_run(self) -> str:
        return self._session.ledger().start_run("ask", stored_settings(self._session.settings))

    @cached_property
    def _calls(self) -> CallRoom | None:
        models = self._models if self._choice != "rules" else self._models._replace(models={})
        return open_calls(self._session, models, self._ledger_run)

    @cached_property
    def _catalogue(self) -> Catalogue:
        from glossator.agents.orchestrator.delegate import investigate_tool
        from glossator.agents.tools.catalogue import catalogue
        from glossator.workbench import open_workbench

        bench = open_workbench(self._session)
        investigate = investigate_tool(self._investigate, bench.index.n_features)
        return {**catalogue(bench, self._calls), investigate.name: investigate}

    @cached_property
    def _contradictions(self) -> ContradictionCheck:
        from glossator.agents.memory_use.contradictions import ContradictionCheck as Check
        from glossator.memory_session import contradiction_ground

        session = self._session
        return Check(session.ledger(), FeatureNames(*session.names()), contradiction_ground(session))

    async def _investigate(self, feature: int) -> FeatureInvestigation:
        from glossator.investigation_run import FeatureInvestigations as Investigations

        if self._features is None:
            self._features = Investigations(
                self._session, self._models, listeners=self._listeners, calls=lambda _: self._calls
            )
        return (await self._features.investigate(feature)).result

    def _planner(self) -> Planner:
        from glossator.agents.orchestrator.native_planner import NativePlanner
        from glossator.agents.orchestrator.rule_planner import RulePlanner
        from glossator.agents.orchestrator.schema_planner import SchemaPlanner

        calls = self._calls
        if calls is None:
            return RulePlanner()
        native = calls.capabilities(Role.INVESTIGATOR).tools if self._choice == "auto" else False
        if native or self._choice == PlannerKind.NATIVE.value:
            return NativePlanner(calls)
        return SchemaPlanner(calls)

    def _fallback(self, planner: Planner) -> Planner | None:
        """Written rules, where a model may get stuck."""
        from glossator.agents.orchestrator.rule_planner import RulePlanner

        return None if planner.kind is PlannerKind.RULES else RulePlanner()

    def _continued(self, identity: str) -> str:
        """The whole id of the request to go on from; empty for none."""
        if not identity:
            return ""
        stored, names = self.store.find(identity), FeatureNames(*self._session.names())
        if stored.kind != "request":
            raise UserError(f"{stored.id} investigates one feature: only requests can be continued")
        if stored.names != names:
            raise UserError(
                f"{stored.id} asked about {stored.names.subject}/{stored.names.dictionary}, and these "
                f"settings are {names.subject}/{names.dictionary}: its numbers name other features"
            )
        return stored.id

    async def _run(
        self, identity: str, request: str, continues: str, planner: Planner, stop: Callable[[], bool]
    ) -> Answer:
        from glossator.agents.orchestrator.conversation import earlier_exchanges
        from glossator.agents.orchestrator.loop import answer_request
        from glossator.agents.orchestrator.surroundings import Surroundings
        from glossator.memory.finding_store import FindingStore

        trace = Trace(self.store, identity, self._ledger_run, self._listeners)
        memory = FindingStore(self._session.ledger())
        around = Surroundings(
            self._calls, memory, self._contradictions, stop=stop, fallback=self._fallback(planner)
        )
        with held(self._session.settings.home, identity):
            return await answer_request(
                request,
                planner,
                self._catalogue,
                trace,
                self._limits,
                conversation=earlier_exchanges(self.store, continues),
                around=around,
            )


def _checked(planner: str, models: AgentModels) -> str:
    if planner not in PLANNERS:
        raise SettingsError(f"there is no planner {planner!r}: choose {', '.join(PLANNERS)}")
    if planner in ("native", "schema") and not models.asks:
        raise SettingsError(f"the planner {planner!r} needs a model: set --investigator (or --explainer)")
    return planner


def run_request(
    session: Session,
    request: str,
    models: AgentModels,
    *,
    planner: str = "auto",
    continues: str = "",
    limits: OrchestratorLimits | None = None,
    listeners: Sequence[Listener] = (),
) -> Answer:
    """The answer to one request, from plain code; see `RequestDesk`."""
    from glossator.own_loop import run_to_end

    async def asked() -> Answer:
        desk = RequestDesk(session, models, planner=planner, limits=limits, listeners=listeners)
        try:
            return await desk.answer(request, continues)
        finally:
            await desk.close()

    return run_to_end(asked())
