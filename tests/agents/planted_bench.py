"""Planted word features on three splits, their explanations, and a bench with scripted models."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Role
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.scripted_chat import Asked, Script, Scripted, ScriptedChat
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.agents.scorers.compared import Compared, Scored
from glossator.agents.scorers.examples import ScoringExamples
from glossator.agents.scorers.llm_bench import Activate, LlmBench, Losses
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.agents.scorers.room import FeatureNeighbours, ScoringRoom
from glossator.agents.scorers.settings import ScoringSettings
from glossator.agents.window_reading.reader import LlmReader
from glossator.probes.planted_rules import PlantedRule, TokenSetRule
from glossator.probes.planted_truth import PlantedDictionary, PlantedSubject, planted_firings, planted_text
from glossator.probes.split_view import ExploreView, SealedView, ValidateView
from glossator.probes.text_activations import TextActivations
from glossator.records import Baseline, BaselineName, Explanation, FeatureRef

WORDS = (
    ("sea", "ship", "sail", "wave"),
    ("sea", "coast", "sand"),
    ("red", "blue", "green"),
    ("corn", "wheat", "barley"),
    ("monday", "friday", "sunday"),
    ("never",),
)
"""Words of each feature; the second shares one with the first, the last stands in no text."""
SEA, SIBLING, DEAD = 0, 1, 5
_STARTS = ("ba", "co", "di", "fu", "ge", "lo", "mi", "nu")
FILLERS = [f"{start}{end}" for start in _STARTS for end in ("rn", "st", "ld", "mp")]
Scorer = Callable[[LlmBench, Compared, ScoringExamples], Awaitable[tuple[Scored, ...]]]


class PlantedWorld(NamedTuple):
    """A subject, and a room over texts of three splits."""

    subject: PlantedSubject
    room: ScoringRoom

    @property
    def activate(self) -> Activate:
        """Runs texts through the subject."""
        return TextActivations(self.subject, PlantedDictionary(len(WORDS)))


@cache
def world() -> PlantedWorld:
    """The same for all tests."""
    texts = [_texts(n, seed) for n, seed in ((40, 0), (12, 1), (60, 2))]
    rules: tuple[PlantedRule, ...] = tuple(
        TokenSetRule(kind="token_set", name=f"feature {i}", tokens=tuple(f" {w}" for w in words))
        for i, words in enumerate(WORDS)
    )
    subject = PlantedSubject.over([t for split in texts for t in split], rules)
    explore, validate, sealed = (planted_firings(subject, planted_text(subject, t)) for t in texts)
    room = ScoringRoom(
        ExploreView(explore),
        ValidateView(validate),
        SealedView(sealed),
        index_identity="planted",
        settings=ScoringSettings(draws=200),
    )
    return PlantedWorld(subject, room)


def _texts(n: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    rare = [w for words in WORDS[:-1] for w in words]
    words = [*FILLERS * 10, *rare]
    return ["".join(f" {w}" for w in rng.choice(words, 200)) for _ in range(n)]


def explained(words: int | str, feature: int = SEA) -> Explanation:
    """The explanation that names the words of one feature (or any text), as said of `feature`."""
    text = words if isinstance(words, str) else "words: " + ", ".join(WORDS[words])
    return Explanation.of(FeatureRef(subject="p", dictionary="p", index=feature), "test", text, None)


DONORS = tuple(explained(i, i) for i in (2, 3, 4))


def named_words(claim: str) -> set[str]:
    """The words that a claim names after `words:`."""
    return set(re.findall(r"[a-z]+", claim.partition("words:")[2].split("\n")[0]))


def simulator(asked: Asked) -> Scripted:
    """Predicts 8 for each token that the claim names."""
    named, predictions = named_words(asked.claim or ""), list[dict[str, int]]()
    for window, line in asked.windows.items():
        for number, token in re.findall(r"(\d+):(\S+)", line):
            if token in named:
                predictions.append({"window": window, "token": int(number), "strength": 8})
    return Scripted(json.dumps({"predictions": predictions}))


def writer(asked: Asked) -> Scripted:
    """Texts of fillers with one named word each, and near misses with fillers alone."""
    words, rng = sorted(named_words(asked.claim or "")), np.random.default_rng(0)
    firing = [f"{_fillers(rng)} {words[i % len(words)]} {_fillers(rng)}" for i in range(10)]
    return Scripted(json.dumps({"firing": firing, "near_misses": [_fillers(rng) for _ in range(10)]}))


def _fillers(rng: np.random.Generator) -> str:
    return " ".join(rng.choice(FILLERS, 8))


class Asking(NamedTuple):
    """What came out, and what the models were asked."""

    scored: tuple[Scored, ...]
    reader: ScriptedChat
    writer: ScriptedChat


def asked_scores(
    scorer: Scorer,
    explanation: Explanation,
    *,
    donors: Sequence[Explanation] = DONORS,
    analyst: Explanation | None = None,
    reader: Script | ScriptedChat = simulator,
    texts: Script | ScriptedChat = writer,
    activate: Activate | None = None,
    losses: Losses | None = None,
    settings: LlmScoringSettings | None = None,
    room: ScoringRoom | None = None,
) -> Asking:
    """One scorer's scores, on the planted world unless another room is given."""
    scores_by = reader if isinstance(reader, ScriptedChat) else ScriptedChat(reader, model="reader")
    writes = texts if isinstance(texts, ScriptedChat) else ScriptedChat(texts, model="writer")
    neighbours = FeatureNeighbours(by_direction=() if room else (SIBLING,))
    room = room or world().room
    examples = room.examples(explanation.feature, neighbours)

    async def run() -> tuple[Scored, ...]:
        calls = CallRoom(
            {Role.EXPLAINER: writes, Role.SCORER: scores_by},
            budget=Budget(Limits.parse("1000calls")),
            store=None,
            slots=4,
            counter=TokenCounter(),
            prices=Prices(),
        )
        try:
            bench = LlmBench(
                room, calls, LlmReader(calls, 5), settings or LlmScoringSettings(), activate, losses
            )
            return await scorer(bench, Compared(explanation, tuple(donors), analyst), examples)
        finally:
            await calls.close()

    return Asking(asyncio.run(run()), scores_by, writes)


def baseline(scored: Scored, name: BaselineName) -> Baseline | None:
    """One baseline of a score."""
    return next((b for b in scored.score.baselines if b.name is name), None)


def value_of(scored: Scored) -> float:
    """The value, which must be there."""
    assert scored.score.value is not None
    return scored.score.value


def ends_of(scored: Scored | Baseline) -> tuple[float, float]:
    """The interval's ends."""
    interval = scored.interval if isinstance(scored, Baseline) else scored.score.interval
    assert interval is not None
    return interval.low, interval.high
