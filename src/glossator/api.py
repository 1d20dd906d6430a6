"""Glossator from Python: what the command line does, with results that show themselves.

from glossator import Glossator

with Glossator() as g:
    found = g.investigate(812)          # a notebook shows it; found.record is the record
    g.ask("what do features 812 and 1207 have in common?")
    g.evidence("e-3f9a1c204b77")
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from glossator.records import (
    Answer,
    AnyEvidence,
    FeatureCard,
    FeatureInvestigation,
    FeatureRef,
    TraceEvent,
)
from glossator.report.shown import Shown
from glossator.session import Session
from glossator.settings import load_settings

if TYPE_CHECKING:
    from glossator.agent_calls import Endpoints
    from glossator.agents.investigator.limits import InvestigationLimits
    from glossator.agents.tools.rerun import Rerun
    from glossator.agents.trace.trace import Listener
    from glossator.memory.findings_index import Finding
else:
    Endpoints = Finding = InvestigationLimits = Listener = Rerun = Any


class Glossator:
    """One set of settings with all that can be asked of it. Use as a context manager, or call `close`."""

    def __init__(
        self, *, config: Path | None = None, endpoints: Endpoints | None = None, **settings: object
    ) -> None:
        """Nothing is loaded yet.

        Args:
            config: a file of settings; the nearest glossator.toml where None.
            endpoints: opens models in place of the settings' own way; for scripted ones.
            **settings: any setting, such as `investigator="openai:gpt-5-mini"`; see docs/settings.md.

        Raises:
            SettingsError: a setting is unknown or out of range.

        """
        self.session = Session(load_settings(settings, config=config).settings)
        self._endpoints = endpoints

    def __enter__(self) -> Glossator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of ledger and findings."""
        self.session.close()

    def investigate(
        self,
        feature: int,
        *,
        budget: str | None = None,
        limits: InvestigationLimits | None = None,
        force: bool = False,
        on_event: Listener | None = None,
    ) -> Shown[FeatureInvestigation]:
        """What one feature means; from the ledger where it was found out before. Requests go to `ask`.

        Raises:
            UnknownNameError: there is no such feature.
            SettingsError: a budget without a model.

        """
        from glossator.agent_calls import agent_models
        from glossator.feature_selection import parse_features
        from glossator.investigation_run import FeatureInvestigations
        from glossator.own_loop import run_to_end
        from glossator.report.terminal_investigation import render_investigation

        parse_features(str(feature), self.session.n_features())
        models = agent_models(self.session, budget, self._endpoints)
        work = FeatureInvestigations(self.session, models, limits=limits, listeners=_listeners(on_event))
        try:
            found = run_to_end(work.investigate(feature, force=force))
        finally:
            work.close()
        return Shown(found.result, render_investigation(found.result, found.id), found.id)

    def ask(
        self,
        request: str,
        *,
        continues: str = "",
        planner: str = "auto",
        budget: str | None = None,
        on_event: Listener | None = None,
    ) -> Shown[Answer]:
        """The answer to a request in words; `continues` is the id of the answer that it goes on from."""
        from glossator.agent_calls import agent_models
        from glossator.report.terminal_answer import render_answer
        from glossator.request_run import run_request

        models = agent_models(self.session, budget, self._endpoints, without=planner == "rules")
        answer = run_request(
            self.session, request, models, planner=planner, continues=continues,
            listeners=_listeners(on_event),
        )  # fmt: skip
        return Shown(answer, render_answer(answer), answer.investigation)

    def evidence(self, identity: str) -> Shown[AnyEvidence]:
        """What a cited id stands for; raises `UnknownNameError` where nothing does."""
        from glossator.memory.citations import citations, find_evidence
        from glossator.memory.investigation_store import InvestigationStore
        from glossator.report.terminal_evidence import render_evidence

        ledger = self.session.ledger()
        found = find_evidence(InvestigationStore(ledger), identity)
        return Shown(found, render_evidence(found, citations(ledger, found)), found.id)

    def rerun(self, identity: str) -> Rerun:
        """The evidence measured again, and whether it came out the same."""
        from glossator.agents.tools.catalogue import catalogue
        from glossator.agents.tools.rerun import rerun
        from glossator.own_loop import run_to_end
        from glossator.workbench import open_workbench

        bench = open_workbench(self.session)
        return run_to_end(rerun(bench, self.evidence(identity).record, catalogue(bench)))

    def card(self, feature: int) -> Shown[FeatureCard]:
        """The current card of a feature; raises `UnknownNameError` where it was never labelled."""
        from glossator.errors import UnknownNameError
        from glossator.report.terminal import render_card

        names = self.session.names()
        ref = FeatureRef(subject=names.subject, dictionary=names.dictionary, index=feature)
        card = self.session.ledger().latest_card(ref)
        if card is None:
            raise UnknownNameError(f"{ref} is not labelled: label([{feature}]) or investigate({feature})")
        return Shown(card, render_card(card))

    def label(self, features: Sequence[int]) -> list[FeatureCard]:
        """Cards of features by the embedded analyst; those that stand are taken from the ledger."""
        from glossator.labelling_run import LabellingRun

        run = LabellingRun(self.session, self.session.index(), list(features), force=False)
        return [finished.card for finished in run]

    def search(self, text: str, limit: int = 10) -> list[Finding]:
        """Labels near in meaning to `text`."""
        findings = self.session.findings()
        findings.sync(self.session.ledger())
        return findings.search(text, limit)

    def events(self, identity: str) -> list[TraceEvent]:
        """The trace of an investigation, event by event."""
        from glossator.memory.investigation_store import InvestigationStore

        store = InvestigationStore(self.session.ledger())
        return [stored.event for stored in store.events(store.find(identity).id)]


def _listeners(on_event: Listener | None) -> list[Listener]:
    return [] if on_event is None else [on_event]
