"""Generation on planted features: texts are written, run through the subject, and kept with what they did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from glossator.agents.llm_calls.chat import Finish, UnscoredReason
from glossator.agents.llm_calls.scripted_chat import Asked, Scripted, always
from glossator.agents.scorers.generation import LEAD, N_TEXTS, NO_SUBJECT, TOO_FEW, generation_scores
from glossator.agents.scorers.written_texts import BLANK, QUOTES, REPEATED, WrittenTexts, usable_texts
from glossator.records import BaselineName, Metric, Negatives, ScoreMethod, Split
from tests.agents.planted_bench import (
    SEA,
    SIBLING,
    WORDS,
    Asking,
    asked_scores,
    baseline,
    ends_of,
    explained,
    value_of,
    world,
    writer,
)


def generated(words: int, **changes: object) -> Asking:
    given: dict[str, Any] = {"activate": world().activate} | changes
    return asked_scores(generation_scores, explained(words, SEA), **given)


def test_the_truth_beats_a_sibling_and_a_shuffled_explanation_by_more_than_the_intervals() -> None:
    true, sibling = generated(SEA).scored, generated(SIBLING).scored
    assert [s.score.metric for s in true] == [Metric.BALANCED_ACCURACY, Metric.RECALL, Metric.AUC]
    for own, other in zip(true, sibling, strict=True):
        shuffled = baseline(own, BaselineName.SHUFFLED)
        assert shuffled is not None
        assert value_of(own) == 1.0
        assert ends_of(own)[0] > value_of(other)
        assert ends_of(own)[0] > ends_of(shuffled)[1]
        assert ends_of(own)[0] < 1.0
        assert own.score.method is ScoreMethod.GENERATION
        assert (own.score.reader, own.score.negatives) == ("writer", Negatives.NEAR_MISSES)
        assert (own.score.n_positive, own.score.n_negative) == (N_TEXTS, N_TEXTS)
        assert own.score.prompt is not None
    assert 0 < value_of(sibling[1]) < 0.6  # the word that both share
    empty = [baseline(s, BaselineName.EMPTY) for s in true]
    assert [None if b is None else b.value for b in empty] == [0.5, None, 0.5]


def test_evidence_can_be_run_again() -> None:
    scored = generated(SEA).scored
    assert len({s.evidence.id for s in scored}) == 1
    payload = scored[0].evidence.payload
    assert isinstance(payload, dict)
    texts = [LEAD + str(t) for side in ("firing", "near_misses") for t in _list(payload[side])]
    again = world().activate(SEA, texts)
    np.testing.assert_allclose(again, [float(str(a)) for a in _list(payload["activations"])], atol=1e-4)
    assert (again[:N_TEXTS] > world().room.strong_threshold(explained(SEA).feature)).all()


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


def test_near_misses_that_fire_count_against() -> None:
    def careless(asked: Asked) -> Scripted:
        answer = json.loads(writer(asked).text)
        answer["near_misses"] = [f"{t} sea" for t in answer["near_misses"]]
        return Scripted(json.dumps(answer))

    balanced, recall, _ = generated(SEA, texts=careless).scored
    assert value_of(balanced) == 0.5
    assert value_of(recall) == 1.0


def test_the_analyst_writes_too_and_donors_are_few() -> None:
    asking = generated(SIBLING, analyst=explained(SEA))
    analyst = baseline(asking.scored[0], BaselineName.EMBEDDED_ANALYST)
    assert analyst is not None
    assert analyst.value == 1.0
    shuffled = baseline(asking.scored[0], BaselineName.SHUFFLED)
    assert shuffled is not None
    assert analyst.n_positive is not None
    assert (shuffled.n_positive, shuffled.n_negative) == (
        2 * analyst.n_positive,
        2 * (analyst.n_negative or 0),
    )
    assert len(asking.writer.requests) == 1 + 2 + 1
    assert asking.reader.requests == []


def test_a_writer_that_refuses_is_unscored_with_its_reason() -> None:
    for scored in generated(SEA, texts=always("I cannot.", Finish.REFUSAL)).scored:
        assert scored.score.value is None
        assert scored.score.unscored == {UnscoredReason.REFUSED.value: 2 * N_TEXTS}
    for scored in generated(SEA, texts=always("Sure! Here are some texts.")).scored:
        assert scored.score.unscored == {UnscoredReason.MALFORMED.value: 2 * N_TEXTS}


def test_few_usable_texts_are_unscored() -> None:
    short = always(json.dumps({"firing": ["a sea", "the sea", "A  SEA!"], "near_misses": ["b", "c", "d"]}))
    for scored in generated(SEA, texts=short).scored:
        assert scored.score.value is None
        assert scored.score.unscored == {TOO_FEW: 2 * N_TEXTS}


def test_without_a_subject_nothing_is_asked() -> None:
    asking = generated(SEA, activate=None)
    assert [s.score.unscored for s in asking.scored] == [{NO_SUBJECT: 2 * N_TEXTS}] * 3
    assert asking.writer.requests == []


def test_what_is_dropped_and_what_is_cleaned() -> None:
    label = "the old word sea in books"
    written = WrittenTexts(
        firing=[
            "Here is the old word: SEA, in books.",
            "the sea",
            "A ship\non\u200b it\x07",
            "  ",
            "word sea",
        ],
        near_misses=["a ship on it!", "land", "more land"],
    )
    usable = usable_texts(written, label, n=1)
    assert usable.firing == ("the sea",)
    assert usable.near_misses == ("land",)
    assert usable.dropped == {QUOTES: 2, BLANK: 1, REPEATED: 1}
    assert usable_texts(written, label, n=9).firing[1] == "A ship on it"


def test_nothing_sealed_is_written_or_asked() -> None:
    asking = generated(SEA)
    assert all(s.score.split is Split.SEALED for s in asking.scored)
    sealed = world().room.sealed.text
    start = "".join(sealed.strings(0, 12))
    assert all(start not in m.content for r in asking.writer.requests for m in r.messages)


@pytest.mark.parametrize("threshold_share", [0.5, 1.5])
def test_only_strong_firings_count(threshold_share: float) -> None:
    strong = world().room.strong_threshold(explained(SEA).feature)

    def weak(feature: int, texts: Sequence[str]) -> np.ndarray:
        fires = [any(f" {w}" in t for w in WORDS[SEA]) for t in texts]
        return np.array(fires, np.float32) * strong * threshold_share

    _, recall, area = generated(SEA, activate=weak).scored
    assert value_of(recall) == float(threshold_share > 1)
    assert value_of(area) == 1.0
