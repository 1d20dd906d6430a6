"""Fuzzing by a model: marks are where they should be, and wrong marks differ by place alone."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import numpy as np
import pytest

from glossator.agents.llm_calls.scripted_chat import Script, malformed, marked_parts, noisy, verdicts
from glossator.agents.scorers.examples import Group, ScoringExamples, seed_of
from glossator.agents.scorers.llm_fuzzing import NO_OTHER_TOKENS, fuzzing_questions
from glossator.agents.scorers.llm_scores import score_with_llm
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.agents.scorers.marking import markable, placed_marks, run_lengths, true_marks
from glossator.agents.scorers.room import FeatureNeighbours
from glossator.agents.scorers.score_explanation import ScoredExplanation
from glossator.agents.scorers.window_scores import NO_FIRING
from glossator.records import BaselineName, Explanation, Negatives, ScoreMethod
from tests.agents.llm_scoring_fixtures import (
    CONTEXT,
    DEAD,
    DENSE,
    ORACLE,
    OTHERS,
    ROOM,
    RULES,
    WORDS,
    Bench,
    label,
    pick,
)

FUZZING = LlmScoringSettings(methods=(ScoreMethod.FUZZING,))
KINDS = (Negatives.MARKED_SILENT, Negatives.MISMARKED)


def score(
    script: Script = ORACLE,
    explanation: Explanation | None = None,
    settings: LlmScoringSettings = FUZZING,
    analyst: Explanation | None = None,
) -> ScoredExplanation:
    bench = Bench(script, settings)
    return asyncio.run(score_with_llm(bench.bench, explanation or label(0), OTHERS, analyst=analyst))


def drawn(feature: int) -> ScoringExamples:
    return ROOM.examples(label(0).feature.model_copy(update={"index": feature}), FeatureNeighbours())


def test_an_oracle_scores_one_and_a_stranger_does_not() -> None:
    true, sibling = score(analyst=label(0, 1)), score(explanation=label(0, 1))
    for negatives in KINDS:
        good, bad = (pick(s.scores, negatives) for s in (true, sibling))
        assert good.value == 1.0
        assert bad.value is not None
        assert good.interval is not None
        assert good.interval.low > bad.value
        for name in (BaselineName.SHUFFLED, BaselineName.EMPTY, BaselineName.EMBEDDED_ANALYST):
            (other,) = (b for b in good.baselines if b.name is name)
            assert other.value is not None
            assert good.interval.low > other.value
        assert good.prompt is not None
        assert good.prompt.name == "fuzzing_many"


def test_knowing_the_windows_but_not_the_tokens_fails_against_wrong_marks_only() -> None:
    """A reader that ignores the marks is right about silent windows, and blind to wrong marks."""

    def blind(claim: str, window: str) -> bool:
        return bool(set(claim.split()) & set(re.sub("<<|>>", " ", window).split()))

    found = score(verdicts(blind), settings=replace(FUZZING, n_baseline=0))
    silent, wrong = (pick(found.scores, negatives) for negatives in KINDS)
    assert silent.value == 1.0
    assert wrong.value == pytest.approx(0.5, abs=0.01)


def test_noise_and_broken_replies() -> None:
    reader = noisy(ORACLE, 0.2)
    everything = replace(FUZZING, first=50, n_baseline=0)
    for negatives in KINDS:
        clean, broken = (
            pick(score(script, settings=everything).scores, negatives)
            for script in (reader, malformed(reader, 0.1))
        )
        assert clean.interval is not None
        assert broken.value is not None
        assert clean.interval.low <= 0.8 <= clean.interval.high
        assert clean.interval.low <= broken.value <= clean.interval.high
        lost = broken.unscored.get("malformed answer", 0)
        assert clean.n_positive + clean.n_negative == broken.n_positive + broken.n_negative + lost


def test_right_marks_are_on_what_fires_and_wrong_ones_are_not() -> None:
    bench = Bench()
    questions = fuzzing_questions(bench.bench, label(0).feature, drawn(0), seed=1)
    claimed = {WORDS[w].strip() for w in RULES[0]}
    assert np.bincount(questions.group).tolist() == [50, 50, 50]
    for text, group in zip(questions.texts, questions.group, strict=True):
        words = [w for part in marked_parts(text) for w in part.split()]
        assert words, "every window has marks"
        assert (set(words) <= claimed) if group == Group.FIRING else not set(words) & claimed
        bare = set(re.sub("<<|>>", " ", text).split())
        assert bool(bare & claimed) == (group != Group.RANDOM)
    rightly, wrongly = (set(questions.position[questions.group == g]) for g in (Group.FIRING, Group.HARD))
    assert not rightly & wrongly, "no window is seen both ways"


def test_wrong_marks_are_as_many_as_right_ones() -> None:
    questions = fuzzing_questions(Bench().bench, label(0).feature, drawn(0), seed=1)
    counts = np.array([len(marked_parts(text)) for text in questions.texts])
    means = [counts[questions.group == group].mean() for group in Group]
    assert max(means) - min(means) < 0.25
    assert max(means) > 1
    places = [
        t.index("<<") for t, g in zip(questions.texts, questions.group, strict=True) if g == Group.RANDOM
    ]
    assert len(set(places)) > 20, "not the same places in every window"


def test_true_marks_are_above_a_share_of_the_windows_own_largest() -> None:
    view, examples = ROOM.sealed, drawn(0)
    windows = examples.windows.take(examples.firing)
    dense = view.dense(0)
    for i, marks in enumerate(true_marks(view, 0, windows)):
        inside = dense[int(windows.start[i]) : int(windows.stop[i])]
        assert (marks == (inside > 0.3 * inside.max())).all()
    for i, allowed in enumerate(markable(view, 0, windows)):
        inside = slice(int(windows.start[i]), int(windows.stop[i]))
        assert (allowed == ((dense[inside] == 0) & view.text.eligible[inside])).all()


def test_runs_are_placed_whole_where_they_fit() -> None:
    lengths = run_lengths(np.array([0, 1, 1, 1, 0, 1, 0, 0, 1, 1], dtype=bool))
    assert lengths.tolist() == [3, 1, 2]
    allowed = np.ones(32, dtype=bool)
    allowed[4:8] = False
    places: set[bytes] = set()
    for seed in range(20):
        marks = placed_marks(lengths, allowed, seed)
        assert marks is not None
        assert sorted(run_lengths(marks).tolist()) == [1, 2, 3]
        assert not (marks & ~allowed).any()
        places.add(marks.tobytes())
    assert len(places) > 10
    tight = np.tile([True, False], 6)
    marks = placed_marks(lengths, tight, 0)
    assert marks is not None
    assert (marks == tight).all()
    assert placed_marks(lengths, tight[:10], 0) is None


def test_windows_that_cannot_be_marked_wrongly_are_left_out_and_counted() -> None:
    """A feature that fires on nearly everything leaves no other tokens."""
    view = ROOM.sealed
    examples = drawn(0)
    full = true_marks(view, DENSE, examples.windows.take(examples.firing))
    allowed = markable(view, DENSE, examples.windows.take(examples.firing))
    assert all(placed_marks(run_lengths(m), a, 0) is None for m, a in zip(full, allowed, strict=True))
    found = score(explanation=label(DENSE, 0))
    assert [s.value for s in found.scores] == [None, None]
    wrong = pick(found.scores, Negatives.MISMARKED)
    assert wrong.unscored[NO_OTHER_TOKENS] == 50


def test_dead_features_are_not_asked_about() -> None:
    bench = Bench(settings=FUZZING)
    found = asyncio.run(score_with_llm(bench.bench, label(DEAD, 0), OTHERS))
    assert not bench.chat.requests
    assert {r for s in found.scores for r in s.unscored} == {NO_FIRING}


def test_evidence_holds_no_sealed_text_and_candidates_share_their_order() -> None:
    first, second = score(explanation=label(CONTEXT, 0)), score(noisy(ORACLE, 0.3), label(CONTEXT, 2))
    said = " ".join(e.model_dump_json() for s in (first, second) for e in s.evidence)
    assert not re.search(r"\bw\d+\b", said)
    for negatives in KINDS:
        positions: list[list[object]] = []
        for scored in (first, second):
            (payload,) = (e.payload for e in scored.evidence if e.recipe["negatives"] == negatives.value)
            assert isinstance(payload, dict)
            found = payload["positions"]
            assert isinstance(found, list)
            positions.append(list(found))
        shortest = min(map(len, positions))
        assert shortest >= 20
        assert positions[0][:shortest] == positions[1][:shortest]


def test_seeds_belong_to_the_feature() -> None:
    assert seed_of(label(0).feature, "fuzzing by a model") != seed_of(label(1).feature, "fuzzing by a model")
