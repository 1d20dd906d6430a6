"""Investigations of single features within a session: begun, gone on with, and found again when finished."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import glossator
from glossator.agent_calls import AgentModels, open_calls
from glossator.agents.investigator.limits import InvestigationLimits
from glossator.agents.llm_calls.chat import Role
from glossator.agents.trace.trace import Listener, Trace
from glossator.errors import CorruptFileError, UserError
from glossator.investigation_files import checkpoints, held
from glossator.llm_roles import work_of
from glossator.memory.investigation_store import InvestigationStore, StoredInvestigation
from glossator.records import FeatureInvestigation, FeatureNames, TraceKind, content_id
from glossator.run_settings import stored_settings
from glossator.session import Session

if TYPE_CHECKING:
    from glossator.agents.feature_preparation import FeaturePreparation
    from glossator.agents.investigator.bench import InvestigatorBench
    from glossator.agents.investigator.proposer import Proposer
    from glossator.agents.llm_calls.call_room import CallRoom
    from glossator.agents.memory_use.recall import LedgerRecall
    from glossator.agents.scorers.llm_bench import LlmBench
else:
    LedgerRecall = LlmBench = CallRoom = FeaturePreparation = InvestigatorBench = Proposer = Any

USUAL_WINDOWS_PER_PROMPT = 5


class Investigated(NamedTuple):
    """One investigation that is finished."""

    id: str
    result: FeatureInvestigation
    from_ledger: bool
    """It was finished by an earlier command."""


class FeatureInvestigations:
    """What investigations of one session share. For one event loop; close it when done."""

    def __init__(
        self,
        session: Session,
        models: AgentModels,
        *,
        limits: InvestigationLimits | None = None,
        listeners: Sequence[Listener] = (),
        calls: Callable[[str], CallRoom | None] | None = None,
    ) -> None:
        """Nothing is loaded or opened yet.

        Args:
            session: settings made into things.
            models: who proposes and reads; the embedded analyst where no model is set.
            limits: how far one investigation goes.
            listeners: told of every event.
            calls: the call room that a run pays; one of its own where None.
        """
        self._session, self._models = session, models
        self._limits, self._listeners = limits or InvestigationLimits(), tuple(listeners)
        self._calls_of = calls or (lambda run: open_calls(session, models, run))
        self._own_calls = calls is None
        self._computing = ThreadPoolExecutor(1, thread_name_prefix="glossator-measure")

    @cached_property
    def store(self) -> InvestigationStore:
        """Where investigations are kept."""
        return InvestigationStore(self._session.ledger())

    async def investigate(self, feature: int, *, force: bool = False) -> Investigated:
        """What `feature` means: from the ledger where it was found out under the same settings, going on
        where it was begun and not finished, else from the beginning.

        Raises:
            UnknownNameError: there is no such feature.
            BusyError: another process is at it.

        """
        key = self._work_key(feature)
        known = [] if force else self.store.all(work_key=key)
        for stored in known:
            if stored.state == "finished":
                return Investigated(stored.id, self.result_of(stored), from_ledger=True)
        identity = known[0].id if known else self._start(feature, key)
        return await self._run(identity, feature, key)

    async def resume(self, stored: StoredInvestigation) -> Investigated:
        """Go on with an investigation that was begun under these settings.

        Raises:
            UserError: it is finished under other settings than these, or is none of a feature.

        """
        if stored.state == "finished":
            return Investigated(stored.id, self.result_of(stored), from_ledger=True)
        feature = int(stored.asked.rsplit("/", 1)[-1])
        key = self._work_key(feature)
        if stored.work_key != key:
            raise UserError(
                f"the investigation {stored.id} was begun under other settings, prompts or another version: "
                f"begin a new one with glossator investigate {feature}"
            )
        return await self._run(stored.id, feature, key)

    def result_of(self, stored: StoredInvestigation) -> FeatureInvestigation:
        """What a finished investigation came to."""
        last = [e.event for e in self.store.events(stored.id) if e.event.kind is TraceKind.FINISHED]
        if not last:
            raise CorruptFileError(f"the investigation {stored.id} has no result: glossator memory check")
        return FeatureInvestigation.model_validate_json(json.dumps(last[-1].payload))

    def close(self) -> None:
        """Let go of the measuring thread."""
        self._computing.shutdown(cancel_futures=True)

    def _start(self, feature: int, key: str) -> str:
        names = self._session.names()
        asked = f"{names.subject}/{names.dictionary}/{feature}"
        facts = {
            "settings": stored_settings(self._session.settings),
            "limits": asdict(self._limits),
            "budget": self._models.budget,
            "models": self._models.work(),
        }
        return self.store.start("feature", FeatureNames(*names), asked, facts, work_key=key)

    async def _run(self, identity: str, feature: int, key: str) -> Investigated:
        from glossator.agents.investigator.investigate import investigate_feature

        session = self._session
        run = session.ledger().start_run("investigate", stored_settings(session.settings), key)
        trace = Trace(self.store, identity, run, self._listeners)
        with held(session.settings.home, identity):
            calls = self._calls_of(run)
            try:
                async with checkpoints(session.settings.home) as checkpointer:
                    result = await investigate_feature(
                        self._bench(calls),
                        feature,
                        self._proposer(calls),
                        limits=self._limits,
                        trace=trace,
                        checkpointer=checkpointer,
                    )
            finally:
                if calls is not None and self._own_calls:
                    await calls.close()
        return Investigated(identity, result, from_ledger=False)

    def _bench(self, calls: CallRoom | None) -> InvestigatorBench:
        from glossator.agents.investigator.bench import InvestigatorBench as Bench
        from glossator.memory.finding_store import FindingStore

        return Bench(
            preparation=self._preparation,
            activations=self._session.text_activations(),
            reading=None if calls is None else self._reading(calls),
            memory=FindingStore(self._session.ledger()),
            recall=self._recall(),
            calls=calls,
            computing=self._computing,
        )

    @cached_property
    def _preparation(self) -> FeaturePreparation:
        from glossator.agents.feature_preparation import FeaturePreparation as Preparation

        session = self._session
        return Preparation(
            session.index(),
            session.dictionary,
            session.token_effects(),
            embedder=session.embedder,
            names=session.names(),
        )

    def _reading(self, calls: CallRoom) -> LlmBench:
        from glossator.agents.scorers.llm_bench import LlmBench as Bench
        from glossator.agents.scorers.llm_settings import LlmScoringSettings
        from glossator.agents.window_reading.reader import LlmReader
        from glossator.records import ScoreMethod

        windows = self._session.settings.windows_per_prompt or USUAL_WINDOWS_PER_PROMPT
        settings = LlmScoringSettings(methods=(ScoreMethod.DETECTION,))
        return Bench(self._preparation.room, calls, LlmReader(calls, windows), settings)

    def _recall(self) -> LedgerRecall:
        from glossator.agents.memory_use.recall import LedgerRecall as Recall

        return Recall(self._session.ledger(), self._session.names())

    def _proposer(self, calls: CallRoom | None) -> Proposer:
        if calls is None:
            from glossator.agents.investigator.embedded_proposer import EmbeddedProposer

            return EmbeddedProposer(self._preparation.analyst)
        from glossator.agents.investigator.llm_proposer import LlmProposer

        return LlmProposer(calls)

    def _work_key(self, feature: int) -> str:
        names = self._session.names()
        what = f"{names.subject}/{names.dictionary}/{feature}"
        return investigation_key(self._session, self._models, self._limits, what)


def investigation_key(
    session: Session,
    models: AgentModels,
    limits: InvestigationLimits | None = None,
    what: str = "any feature",
) -> str:
    """What decides an investigation: which was finished under one key is not done again.

    Args:
        session: the settings.
        models: who proposes and reads.
        limits: how far it goes; as usual where None.
        what: the feature; labelling runs have one key for all of theirs.

    """
    from glossator.prompts.prompt_file import all_prompts

    settings = session.settings
    work: dict[str, object] = {
        "investigate": what,
        "index": session.index().identity,
        "embedder": session.embedder.fingerprint(),
        "code": glossator.__version__,
        "limits": asdict(limits or InvestigationLimits()),
        "seed": settings.seed,
        "models": work_of(models.models, (Role.INVESTIGATOR, Role.SCORER)),
    }
    if models.asks:
        work["prompts"] = [[ref.name, ref.sha256] for ref in all_prompts()]
        work["windows_per_prompt"] = settings.windows_per_prompt or USUAL_WINDOWS_PER_PROMPT
    return content_id("w", work)
