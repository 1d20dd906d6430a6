"""From a labelling run's plan to the work that its features take: opened as this process can afford it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from glossator.agent_calls import AgentModels, Endpoints, RoomRules, open_calls
from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.errors import IndexMismatchError, SettingsError
from glossator.llm_plan import llm_plan
from glossator.llm_roles import agent_role_models
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.run_costs import item_costs, next_features
from glossator.memory.run_workers import Amount
from glossator.records import (
    Depth,
    FeatureRef,
    ImportedLabel,
    LlmSpending,
    RunEvent,
    RunEventKind,
    RunPlan,
    RunVariant,
)
from glossator.run_purse import Purse
from glossator.session import Session

if TYPE_CHECKING:
    from glossator.agents.causal.causal_findings import Causes
    from glossator.agents.feature_preparation import FeaturePreparation
    from glossator.agents.llm_calls.breaker import OutageNote
    from glossator.agents.llm_calls.call_room import CallRoom
    from glossator.agents.run_work.item_work import ItemWork
    from glossator.agents.run_work.run_admission import RunAdmission
    from glossator.llm_work import LlmWork
    from glossator.probes.activation_index import ActivationIndex
else:
    ActivationIndex = Causes = FeaturePreparation = ItemWork = LlmWork = OutageNote = Any
    RunAdmission = CallRoom = Any

_REHEARSED = 2
"""Features on which what one costs is estimated before any is done."""
PATIENCE = 12 * 3600.0
"""Seconds for which a run waits for an endpoint that does not answer."""


class RunDesk(NamedTuple):
    """One run as a worker finds it."""

    session: Session
    runs: LabellingRunStore
    run: str
    plan: RunPlan
    variant: int
    """The way in which features are begun now."""
    worker: Callable[[], str]
    """The worker's id, once it has begun."""
    endpoints: Endpoints | None
    """How models are opened; by their specs where None."""
    on_outage: Callable[[OutageNote], None]
    say: Callable[[str], None]


def open_work(desk: RunDesk) -> ItemWork:
    """The work of the plan's depth; closing it lets go of everything.

    Raises:
        IndexMismatchError: the index of these settings is not the one that the run was ordered on.
        UnknownNameError: there is no index for these settings.
        BudgetError: money is limited and a price is unknown.
        ModelAccessError: a key is missing.
    """
    if desk.plan.depth is Depth.INVESTIGATE:
        return _investigations(desk)
    index = _the_index(desk)
    session = desk.session
    from glossator.agents.feature_preparation import FeaturePreparation

    preparation = FeaturePreparation(
        index, session.dictionary, session.token_effects(), embedder=session.embedder, names=desk.plan.names
    )
    causes = _causes(desk, index, preparation)
    if llm_plan(session.settings) is None:
        from glossator.agents.labelling import FeatureLabeller
        from glossator.agents.run_work.embedded_label_work import EmbeddedLabelWork

        return EmbeddedLabelWork(FeatureLabeller(preparation, causes, _imported(desk)), desk.plan.panel)
    return _labels(desk, preparation, causes)


def _the_index(desk: RunDesk) -> ActivationIndex:
    index = desk.session.index(build=False)
    if index.identity != desk.plan.index_identity:
        raise IndexMismatchError(
            f"the run {desk.run} was ordered on the index {desk.plan.index_identity!r}, but these settings "
            f"lead to {index.identity!r}: give the same subject, dictionary and corpus, or order a new run"
        )
    return index


def _causes(desk: RunDesk, index: ActivationIndex, preparation: FeaturePreparation) -> Causes | None:
    if not desk.plan.causal:
        return None
    from glossator.causal_bench import open_causes

    return open_causes(desk.session, index, preparation.room)


def _labels(desk: RunDesk, preparation: FeaturePreparation, causes: Causes | None) -> ItemWork:
    from glossator.agents.llm_labelling import LlmLabeller
    from glossator.agents.run_work.label_work import LabelWork

    plan = desk.plan
    works = [_llm_work(desk, variant, preparation, causes) for variant in plan.variants]
    purse = _purse(desk)
    budget = purse.budget(desk.worker)
    admission = _admission(desk, budget, works) if purse.is_limited else None
    asked = replace(works[0].asked(desk.run, budget, _rules(desk)), on_choice=None)
    if asked.windows_per_prompt is None:
        known = _windows_chosen(desk)
        asked = replace(asked, windows_per_prompt=known, agreed=partial(_agreed, desk))
    ways = [work.way(variant.half_width) for work, variant in zip(works, plan.variants, strict=True)]
    labeller = LlmLabeller(preparation, asked, plan.panel)
    return LabelWork(labeller, asked.calls, ways, spent=lambda: budget.spent, admission=admission)


def _llm_work(
    desk: RunDesk, variant: RunVariant, preparation: FeaturePreparation, causes: Causes | None
) -> LlmWork:
    from glossator.llm_work import LlmWork as Work

    asked = llm_plan(
        desk.session.settings,
        explain_by=",".join(variant.explain_by) or None,
        score_by=",".join(variant.score_by) or None,
        samples=variant.samples,
        budget=desk.plan.budget or None,
    )
    if asked is None:
        raise SettingsError("the run asks a model, and these settings name none: set --explainer")
    opened = None if desk.endpoints is None else partial(desk.endpoints, asked.models)
    return Work(
        desk.session, asked, preparation, desk.plan.panel, endpoints=opened, causes=causes,
        labels=_imported(desk),
    )  # fmt: skip


def _imported(desk: RunDesk) -> dict[int, ImportedLabel] | None:
    """The labels of others that the run scores; None where it writes its own."""
    if not desk.plan.labels_from:
        return None
    from glossator.memory.imported_store import imported_labels

    return imported_labels(desk.runs.ledger, desk.plan.names, desk.plan.labels_from)


def _purse(desk: RunDesk) -> Purse:
    return Purse(desk.runs, desk.run, desk.plan, desk.session.settings.llm_slots)


def _rules(desk: RunDesk) -> RoomRules:
    from glossator.agents.llm_calls.retry import RetryPolicy

    return RoomRules(RetryPolicy(patience=PATIENCE), desk.on_outage)


def _admission(desk: RunDesk, budget: Budget, works: Sequence[LlmWork]) -> RunAdmission:
    """Told what features of the run have cost; where none is done, what one is expected to."""
    from glossator.agents.run_work.run_admission import RunAdmission as Admission

    known = item_costs(desk.runs.ledger, desk.run)
    expected = {
        v: _expected(desk, work) for v, work in enumerate(works) if v not in {c.variant for c in known}
    }
    admission = Admission(budget, expected)
    admission.variant = desk.variant
    for cost in known:
        admission.learn(cost.variant, cost.spending)
    return admission


def _expected(desk: RunDesk, work: LlmWork) -> LlmSpending:
    """What one of the next features is expected to cost; asks nobody."""
    names = next_features(desk.runs.ledger, desk.run, _REHEARSED)
    features = [FeatureRef.parse(name).index for name in names]
    return work.estimate(features).each if features else LlmSpending()


def _windows_chosen(desk: RunDesk) -> int | None:
    """How many windows per prompt this run has chosen; None where none has yet."""
    chosen = desk.runs.events(desk.run, RunEventKind.WINDOWS_CHOSEN)
    windows = chosen[0].event.payload.get("windows") if chosen else None
    return windows if isinstance(windows, int) else None


def _agreed(desk: RunDesk, windows: int) -> int:
    """In a thread: the choice of the worker that was first."""
    words = f"windows per prompt: {windows}, by measured agreement on windows of validate"
    event = RunEvent(
        kind=RunEventKind.WINDOWS_CHOSEN, words=words, worker=desk.worker(), payload={"windows": windows}
    )
    desk.runs.note_once(desk.run, event)
    return _windows_chosen(desk) or windows


def _investigations(desk: RunDesk) -> ItemWork:
    from glossator.agents.run_work.label_work import load_of
    from glossator.investigate_work import InvestigateWork

    session, settings = desk.session, desk.session.settings
    models = AgentModels(agent_role_models(settings), Limits(), desk.endpoints, desk.plan.budget)
    if not models.asks:
        return InvestigateWork(session, models, None)
    budget, rules = _purse(desk).budget(desk.worker), _rules(desk)
    calls = open_calls(session, models, desk.run, budget, rules)
    if calls is None:
        raise SettingsError("the run asks a model, and these settings name none: set --investigator")
    investigating = InvestigateWork(
        session, models, calls, spent=lambda: Amount(*budget.spent), load=partial(load_of, calls)
    )
    return _WithRoom(investigating, calls)


class _WithRoom:
    """An `ItemWork` whose call room is closed with it."""

    def __init__(self, work: ItemWork, calls: CallRoom) -> None:
        self._work, self._calls = work, calls
        self.wanted, self.do, self.spent, self.load = work.wanted, work.do, work.spent, work.load

    async def close(self) -> None:
        """Close the work, then the room."""
        await self._work.close()
        await self._calls.close()
