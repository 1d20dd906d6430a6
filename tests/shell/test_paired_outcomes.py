from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glossator.paired_outcomes import (
    NO_PAIRS,
    NOT_PAIRED,
    NOT_STORED,
    answered_windows,
    document_outcomes,
    paired,
    window_outcomes,
)
from glossator.records import Evidence, EvidenceKind, FeatureRef, Metric, Score
from tests.report.fake_candidates import llm_card, verdicts, window_payload

REF = FeatureRef(subject="s", dictionary="d", index=1)


def scores(metric: Metric, *payloads: object) -> tuple[list[Score], dict[str, Evidence]]:
    """One score for each payload, which is its evidence."""
    like = llm_card().card.scores[0]
    made = [Evidence.of(REF, EvidenceKind.SCORE, {"n": i}, p) for i, p in enumerate(payloads)]
    found = [like.model_copy(update={"metric": metric, "value": 0.5, "evidence": e.id}) for e in made]
    return found, {e.id: e for e in made}


@pytest.mark.parametrize("yes", [True, 1, 1.0])
@pytest.mark.parametrize("missing", [None, -1])
def test_verdicts_are_read_in_every_form(yes: object, missing: object) -> None:
    payload = {"documents": ["a", "b"], "positions": [3, 4], "fires": [1, False], "answers": [yes, missing]}
    read = window_outcomes(payload)
    assert read is not None
    assert list(read.values()) == [1.0, None]
    assert [(e.document, e.position, e.fires) for e in read] == [("a", 3, True), ("b", 4, False)]


def test_a_window_read_twice_stays_two_examples() -> None:
    payload = window_payload([True, True], [True, False]) | {"documents": ["a", "a"], "positions": [7, 7]}
    read = window_outcomes(payload)
    assert read is not None
    assert list(read.values()) == [1.0, 0.0]


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "text",
        {},
        {"documents": ["a"], "positions": [1], "fires": [True]},
        {"documents": ["a"], "positions": [1], "fires": [True], "answers": []},
        {"documents": ["a"], "positions": [[1, 2]], "fires": [True], "answers": [True]},
        {"documents": [1], "positions": [1], "fires": ["perhaps"], "answers": [True]},
    ],
)
def test_other_layouts_give_no_difference(payload: object) -> None:
    assert window_outcomes(payload) is None
    assert document_outcomes(payload) is None
    good = window_payload(*verdicts(0.9, 1))
    (first, second), evidence = scores(Metric.BALANCED_ACCURACY, good, payload)
    difference = paired(first, second, evidence.get, 0)
    assert difference.value is None
    assert difference.interval is None
    assert difference.note == NOT_STORED


def test_windows_are_paired_by_place_whatever_their_order() -> None:
    fires, answers = verdicts(0.8, 3)
    payload: dict[str, Any] = window_payload(fires, answers)
    turned = {key: column[::-1] for key, column in payload.items()}
    (first, second), evidence = scores(Metric.BALANCED_ACCURACY, payload, turned)
    difference = paired(first, second, evidence.get, 0)
    assert difference.value == 0
    assert difference.n == len(fires)


def test_only_windows_that_both_answered_count() -> None:
    fires, answers = verdicts(1.0, 3)
    partly: list[bool | None] = [None if i % 3 == 0 else a for i, a in enumerate(answers)]
    (first, second), evidence = scores(
        Metric.BALANCED_ACCURACY, window_payload(fires, partly), window_payload(fires, answers)
    )
    difference = paired(first, second, evidence.get, 0)
    assert difference.n == sum(a is not None for a in partly)
    assert difference.value == 0
    nothing: list[bool | None] = [None] * len(fires)
    (first, second), evidence = scores(
        Metric.BALANCED_ACCURACY, window_payload(fires, nothing), window_payload(fires, answers)
    )
    assert paired(first, second, evidence.get, 0).note == NO_PAIRS


def test_pairing_makes_the_interval_narrower_than_independence_would() -> None:
    fires, answers = verdicts(0.75, 3)
    corrected: list[bool | None] = [
        f if i % 10 == 0 else a for i, (f, a) in enumerate(zip(fires, answers, strict=True))
    ]
    (first, second), evidence = scores(
        Metric.BALANCED_ACCURACY, window_payload(fires, corrected), window_payload(fires, answers)
    )
    difference = paired(first, second, evidence.get, 0)
    assert difference.interval is not None
    assert difference.interval.high - difference.interval.low < 0.15  # two independent ones: about 0.22


def test_graded_answers_are_paired_as_auc() -> None:
    rng = np.random.default_rng(0)
    fires = [i < 60 for i in range(120)]
    signal = np.array(fires, dtype=float)
    sharp = (signal + rng.normal(0, 0.5, 120)).tolist()
    blunt = (signal + rng.normal(0, 2.0, 120)).tolist()
    base = window_payload(fires, [True] * 120)
    (first, second), evidence = scores(Metric.AUC, base | {"answers": sharp}, base | {"probabilities": blunt})
    difference = paired(first, second, evidence.get, 0)
    assert difference.value is not None
    assert difference.value > 0.1
    assert difference.interval is not None
    assert 0 < difference.interval.low < difference.value < difference.interval.high
    assert difference == paired(first, second, evidence.get, 0)


def test_counts_by_document_are_paired_with_absent_documents_as_silent() -> None:
    documents = [f"d{i}" for i in range(30)]
    good = {"documents": documents, "tp": [9] * 30, "fp": [0, 1] * 15, "fn": [1] * 30}
    poor = {"documents": documents[:20], "tp": [3, 6] * 10, "fp": [4] * 20, "fn": [7, 4] * 10}
    (first, second), evidence = scores(Metric.F1, good, poor)
    difference = paired(first, second, evidence.get, 0)
    precision = 2 * 270 / (2 * 270 + 15 + 30), 2 * 90 / (2 * 90 + 80 + 110)
    assert difference.value == pytest.approx(precision[0] - precision[1])
    assert difference.n == 30
    assert difference.interval is not None
    assert difference.interval.low > 0


def test_what_cannot_be_paired_says_so() -> None:
    good = window_payload(*verdicts(0.9, 1))
    (first, second), evidence = scores(Metric.CORRELATION, good, good)
    assert paired(first, second, evidence.get, 0).note == NOT_PAIRED
    (first, second), evidence = scores(Metric.BALANCED_ACCURACY, good, good)
    assert paired(first, second, {}.get, 0).note == NOT_STORED
    unmeasured = second.model_copy(update={"value": None, "interval": None})
    assert "could not be measured" in paired(first, unmeasured, evidence.get, 0).note


def test_answered_windows_are_those_with_a_verdict() -> None:
    payload = {
        "documents": ["a", "b", "c", "d"],
        "positions": [1, 2, 3, 4],
        "fires": [True, False, True, False],
        "answers": [1, None, 0, -1],
    }
    read = answered_windows(payload)
    assert read is not None
    assert read.documents == ["a", "c"]
    assert read.fires.tolist() == [True, True]
    assert read.said.tolist() == [True, False]
    assert answered_windows({**payload, "fires": [True]}) is None
    assert answered_windows({"documents": ["a"], "tp": [1]}) is None
