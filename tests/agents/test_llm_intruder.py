"""Intruder: a reader without any explanation finds the silent window, or does not."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter

import pytest

from glossator.agents.llm_calls.scripted_chat import Asked, Script, Scripted, always, malformed
from glossator.agents.scorers.llm_scores import score_with_llm
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.agents.scorers.score_explanation import ScoredExplanation
from glossator.agents.scorers.window_scores import NO_FIRING, NO_SILENT
from glossator.records import BaselineName, Metric, Negatives, Score
from glossator.records import ScoreMethod as Method
from tests.agents.llm_scoring_fixtures import (
    CONTEXT,
    DEAD,
    DENSE,
    OTHERS,
    ROOM,
    RULES,
    WORDS,
    Bench,
    label,
    pick,
)

INTRUDER = LlmScoringSettings(methods=(Method.INTRUDER,))


def finder(feature: int) -> Script:
    """Knows what the feature fires on, and names the window without it."""
    words = {WORDS[w].strip() for w in RULES[feature]}

    def script(asked: Asked) -> Scripted:
        odd = [i for i, text in asked.windows.items() if not words & set(text.split())]
        return Scripted(json.dumps({"odd": odd[0] if len(odd) == 1 else 1}))

    return script


def score(script: Script, feature: int = 0, rule: int | None = None) -> tuple[ScoredExplanation, Bench]:
    bench = Bench(script, INTRUDER)
    return asyncio.run(score_with_llm(bench.bench, label(feature, rule), OTHERS)), bench


def accuracy(scored: ScoredExplanation, negatives: Negatives = Negatives.RANDOM) -> Score:
    return pick(scored.scores, negatives, Metric.ACCURACY, Method.INTRUDER)


def test_a_reader_that_sees_the_pattern_finds_every_intruder() -> None:
    scored, bench = score(finder(0))
    found = accuracy(scored)
    assert found.value == 1.0
    assert found.interval is not None
    assert 0.7 < found.interval.low < found.interval.high <= 1.0
    assert (found.n_positive, found.n_negative, found.windows_per_prompt) == (40, 10, 5)
    (chance,) = found.baselines
    assert (chance.name, chance.value) == (BaselineName.EMPTY, 0.2)
    assert found.prompt is not None
    assert found.prompt.name == "intruder"
    assert len(bench.chat.requests) == 10
    assert {len(Asked(r).windows) for r in bench.chat.requests} == {5}
    assert list(accuracy(scored, Negatives.HARD).unscored) == [NO_SILENT]


def test_hard_intruders_are_a_score_of_their_own() -> None:
    """Feature CONTEXT is silent in windows with the very words that it fires on elsewhere."""
    scored, _ = score(finder(0), CONTEXT, 0)
    random, hard = (accuracy(scored, n).value for n in (Negatives.RANDOM, Negatives.HARD))
    assert random is not None
    assert hard is not None
    assert random > 0.7 > 0.5 > hard


def test_the_intruder_can_stand_anywhere() -> None:
    places: Counter[int] = Counter()
    for feature in range(6):
        scored, _ = score(always('{"odd": 1}'), feature)
        (evidence,) = (e for e in scored.evidence if e.recipe["negatives"] == "random")
        assert isinstance(evidence.payload, dict)
        odd = evidence.payload["odd"]
        assert isinstance(odd, list)
        places.update(int(str(o)) for o in odd)
    assert set(places) == {1, 2, 3, 4, 5}
    assert max(places.values()) < 0.4 * sum(places.values())


def test_the_explanation_is_not_read_and_the_questions_are_the_features() -> None:
    (first, one), (second, two) = score(finder(0)), score(finder(0), rule=3)
    assert {r.messages for r in one.chat.requests} == {r.messages for r in two.chat.requests}
    assert accuracy(first).value == accuracy(second).value
    assert all(Asked(r).claim is None for r in one.chat.requests)


def test_four_windows_fire_about_equally_strongly() -> None:
    scored, _ = score(finder(0))
    (evidence,) = (e for e in scored.evidence if e.recipe["negatives"] == "random")
    assert isinstance(evidence.payload, dict)
    dense = ROOM.sealed.dense(0)
    spreads: list[float] = []
    middles: list[float] = []
    positions = evidence.payload["positions"]
    assert isinstance(positions, list)
    for shown in positions:
        assert isinstance(shown, list)
        fired = [float(dense[int(str(p))]) for p in shown if dense[int(str(p))] > 0]
        assert len(fired) == 4
        spreads.append(max(fired) - min(fired))
        middles.append(sum(fired) / 4)
    assert max(spreads) < 0.3
    assert max(middles) - min(middles) > 0.5, "of all strengths"
    assert not re.search(r"\bw\d+\b", evidence.model_dump_json())


def test_broken_replies_are_counted() -> None:
    scored, _ = score(malformed(finder(0), 0.4))
    found = accuracy(scored)
    assert found.value == 1.0
    assert found.unscored == {"malformed answer": 10 - found.n_negative}
    assert 0 < found.n_negative < 10


@pytest.mark.parametrize(("feature", "reason"), [(DEAD, NO_FIRING), (DENSE, NO_SILENT)])
def test_features_without_such_windows_are_not_asked_about(feature: int, reason: str) -> None:
    scored, bench = score(finder(0), feature, 0)
    assert not bench.chat.requests
    assert {r for s in scored.scores for r in s.unscored} == {reason}
    assert all(s.value is None and s.interval is None for s in scored.scores)
