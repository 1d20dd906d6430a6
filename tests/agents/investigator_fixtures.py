"""Investigations of planted features with scripted models, and models that know, err and obey."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from glossator.agents.embedded_analyst.analyst import AnalystReport
from glossator.agents.feature_preparation import FeaturePreparation
from glossator.agents.investigator.bench import InvestigatorBench
from glossator.agents.investigator.investigate import investigate_feature
from glossator.agents.investigator.limits import InvestigationLimits
from glossator.agents.investigator.llm_proposer import LlmProposer
from glossator.agents.investigator.proposal_answers import ChallengeAnswer, HypothesesAnswer, TestsAnswer
from glossator.agents.investigator.proposer import Proposer
from glossator.agents.investigator.recalled import Recall
from glossator.agents.llm_calls.answer_parsing import schema_of
from glossator.agents.llm_calls.budget import Limits
from glossator.agents.llm_calls.scripted_chat import (
    Asked,
    ScriptedChat,
    always,
    by_form,
    marked_parts,
    verdicts,
)
from glossator.agents.scorers.llm_bench import LlmBench
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.agents.trace.trace import Listener, Trace
from glossator.agents.window_reading.reader import LlmReader
from glossator.memory.call_store import CallStore
from glossator.memory.finding_store import FindingStore
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.probes.sentence_embedder import HashingEmbedder
from glossator.probes.text_activations import TextActivations
from glossator.probes.token_effects import TokenEffects
from glossator.records import FeatureInvestigation, FeatureNames, FeatureRef, StoredEvent, TraceEvent
from tests.agents.planted_index import WORDS, PlantedIndex, fits, named_words, room_of

NAMES = FeatureNames("planted", "planted")
MODALS, SEA, MONEY, DEAD = range(4)
HYPOTHESES, TESTS, CHALLENGE = (
    schema_of(form).name for form in (HypothesesAnswer, TestsAnswer, ChallengeAnswer)
)
SCORING = LlmScoringSettings(max_firing=20, max_random=20, max_hard=20)
FRAMES = ("they leave the {} by night", "the man see a {} and go", "when a {} or house stay")
OTHERS = ("house", "night", "man")
Say = Callable[[Asked], str]


@dataclass
class World:
    """One planted index and one ledger."""

    planted: PlantedIndex
    preparation: FeaturePreparation
    folder: Path
    events: list[TraceEvent] = field(default_factory=lambda: [])

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ledger = Ledger.open(self.folder / "ledger.sqlite")
        self.store = InvestigationStore(self.ledger)

    def begin(self, feature: int) -> str:
        return self.store.start("feature", NAMES, f"planted/planted/{feature}", {})

    def stored(self, identity: str) -> list[StoredEvent]:
        return self.store.events(identity)

    def investigate(
        self,
        feature: int,
        model: ScriptedChat | None,
        *,
        proposer: Proposer | None = None,
        identity: str = "",
        read: bool = False,
        limits: InvestigationLimits | None = None,
        budget: Limits | None = None,
        recall: Recall | None = None,
        listeners: Sequence[Listener] = (),
        keep: bool = False,
    ) -> FeatureInvestigation:
        """Run or resume one investigation; `keep` keeps checkpoints in a file."""
        identity = identity or self.begin(feature)
        calls, _ = room_of(model or ScriptedChat(always("")), CallStore(self.ledger), budget)
        room = self.preparation.room
        bench = InvestigatorBench(
            preparation=self.preparation,
            activations=TextActivations(self.planted.subject, self.planted.dictionary),
            reading=LlmBench(room, calls, LlmReader(calls, 5), SCORING) if read else None,
            memory=FindingStore(self.ledger),
            recall=recall,
            calls=None if model is None else calls,
        )
        run = self.ledger.start_run("investigate", {})
        trace = Trace(self.store, identity, run, (self.events.append, *listeners))
        asked = proposer or LlmProposer(calls)

        async def work(saver: BaseCheckpointSaver[str] | None) -> FeatureInvestigation:
            try:
                return await investigate_feature(
                    bench, feature, asked, limits=limits, trace=trace, checkpointer=saver
                )
            finally:
                await calls.close()

        async def kept() -> FeatureInvestigation:
            async with AsyncSqliteSaver.from_conn_string(str(self.folder / "steps.sqlite")) as saver:
                return await work(saver)

        return asyncio.run(kept() if keep else work(None))


class SilentAnalyst(FeaturePreparation):
    """Without an embedded label: nothing competes with what the model says."""

    def analysed(self, ref: FeatureRef) -> AnalystReport | None:
        return None


def silent_analyst(planted: PlantedIndex) -> FeaturePreparation:
    return SilentAnalyst(
        planted.activations, planted.dictionary, lambda _: TokenEffects((), ()),
        embedder=HashingEmbedder(), names=NAMES,
    )  # fmt: skip


def claim_answer(*claims: tuple[str, Sequence[str]]) -> str:
    """Labels with the words of their predicates; no words, no predicate."""
    said = [
        {"label": label, "predicate": json.dumps({"kind": "word_in", "words": list(words)}) if words else ""}
        for label, words in claims
    ]
    return json.dumps({"hypotheses": said})


def true_words(asked: Asked) -> tuple[str, ...]:
    """The words that the marks of the windows give away."""
    marked = {w for t in asked.windows.values() for m in marked_parts(t) for w in re.findall("[a-z]+", m)}
    return WORDS[max(WORDS, key=lambda n: len(marked & set(WORDS[n])))]


def quoted(words: Sequence[str]) -> str:
    return "one of the words " + ", ".join(f'"{w}"' for w in words)


def true_claims(asked: Asked) -> str:
    words = true_words(asked)
    return claim_answer((quoted(words[:1]), words[:1]), (quoted(words), words), (quoted(OTHERS), OTHERS))


def shown_claims(asked: Asked) -> dict[int, str]:
    return {int(n): said for n, said in re.findall(r"^H(\d+)\|(.*)\|H\1$", asked.question, re.MULTILINE)}


def true_tests(asked: Asked) -> str:
    """Texts of every word in turn, predicted by what each claim names."""
    tried = set(re.findall(r": (.*)\|T\d+$", asked.question, re.MULTILINE))
    words = [*true_words(asked), *OTHERS]
    texts = [(frame.format(w), w) for frame in FRAMES for w in words if frame.format(w) not in tried][:6]
    tests = [
        {"hypothesis": n, "text": text, "fires": word in named_words(said), "why": word}
        for n, said in list(shown_claims(asked).items())[:2]
        for text, word in texts
    ]
    return json.dumps({"tests": tests})


def true_challenge(asked: Asked) -> str:
    words = sorted(named_words(asked.claim or "")) or ["house"]
    pair = {"fires": f"by night a {words[0]} go", "silent": "by night a door go", "why": "the word alone"}
    edges = [{"text": f"the {w}", "fires": True, "why": "short"} for w in words]
    return json.dumps({"pairs": [pair], "edges": [*edges, {"text": "the tower", "fires": False, "why": ""}]})


def model_of(others: Mapping[str, Say] | None = None) -> ScriptedChat:
    """The oracle, but for the answers that are given, by the name of their form."""
    forms: dict[str, Say] = {HYPOTHESES: true_claims, TESTS: true_tests, CHALLENGE: true_challenge}
    return ScriptedChat(by_form(verdicts(fits), forms | dict(others or {})))


def everything_said(model: ScriptedChat) -> str:
    """All that the model was told."""
    return "\n".join(m.content for r in model.requests for m in r.messages)


def comparable(result: FeatureInvestigation) -> dict[str, Any]:
    """A result without its name, times and costs."""
    return result.model_dump(mode="json", exclude={"id", "seconds", "spending"})
