"""The investigator's benchmark: what it counts, and a tiny run of all its parts."""

from __future__ import annotations

import pytest

from benchmarks import planted_investigation
from benchmarks.investigator import Sizes, gain_of, measure, overhead_ms
from benchmarks.planted_investigation import Investigated, PlantedRoom, planted_room
from benchmarks.planted_proposers import MANNERS, OracleProposer, misleading
from benchmarks.planted_verdicts import false_accept, judged
from glossator.probes import planted_features
from glossator.probes.planted_features import truth_predicate
from glossator.probes.sentence_embedder import HashingEmbedder
from glossator.records import (
    Explanation,
    FeatureInvestigation,
    FeatureRef,
    StopReason,
    Verdict,
    VerdictKind,
)

REF = FeatureRef(subject="planted", dictionary="planted", index=0)


def made(f1: float | None, one_shot: float | None, kind: VerdictKind = VerdictKind.ACCEPTED) -> Investigated:
    """An investigation that came to these numbers."""
    said = Explanation.of(REF, "embedded-analyst/1", "nothing much", None, (), ())
    result = FeatureInvestigation(
        id="i-0", feature=REF, proposer="x", explanation=said, hypotheses=(), beliefs=(), seconds=1.0,
        verdict=Verdict(kind=kind, reason="r", tried=()), stopped=StopReason.DECIDED, f1=f1, baseline_f1=one_shot,
    )  # fmt: skip
    steps = {"recall": [0.01], "experiment": [0.5, 0.5], "score": [3.0]}
    return Investigated(result, 4.2, 0.3, 0.4, steps)


def test_gain_is_paired_and_withheld_labels_count_as_nothing() -> None:
    gain = gain_of([made(0.9, 0.8), made(0.7, 0.6), made(0.9, None)])
    assert gain.mean == pytest.approx((0.1 + 0.1 + 0.9) / 3)
    assert gain.low <= gain.mean <= gain.high
    assert gain.n == 3
    assert gain_of([made(0.9, 0.5, VerdictKind.ABSTAINED)]).mean == pytest.approx(-0.5)


def test_overhead_leaves_out_subject_proposer_and_measuring() -> None:
    overhead, steps = overhead_ms([made(0.9, 0.8)])
    assert steps == 3
    assert overhead == pytest.approx(1000 * (4.01 - 3.0 - 0.7) / 3)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planted_investigation, "VOCABULARY_CHARACTERS", 600_000)
        patch.setattr(planted_features, "LEAST_PLACES", 60)
        made = planted_room(tmp_path_factory.mktemp("planted"), 13, 5, 400_000, HashingEmbedder())
    yield made
    made.ledger.close()


def _first(room: PlantedRoom, kind: str) -> int:
    return next(i for i, rule in enumerate(room.rules) if rule.kind == kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["token_set", "either_or", "exception", "dead", "random", "always_on"])
def test_an_oracle_is_right(room: PlantedRoom, kind: str) -> None:
    feature = _first(room, kind)
    run = room.investigate(feature, OracleProposer(room.rules[feature]))
    assert judged(room, feature, run).reason == ""
    wrong = (feature + 1) % len(room.rules)
    same = truth_predicate(room.rules[wrong]) is None and truth_predicate(room.rules[feature]) is None
    assert same or judged(room, wrong, run).reason


@pytest.mark.slow
@pytest.mark.parametrize("manner", MANNERS)
def test_nothing_false_is_accepted(room: PlantedRoom, manner: str) -> None:
    feature, other = _first(room, "token_set"), _first(room, "regex")
    run = room.investigate(feature, misleading(room.rules[feature], room.rules[other], manner))
    assert false_accept(room, feature, run) == ""
    if run.result.verdict.kind is VerdictKind.ACCEPTED:
        assert false_accept(room, other, run)


@pytest.mark.slow
def test_a_tiny_run_prints_all_keys(room: PlantedRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    few = PlantedRoom(room.subject, room.index, room.dictionary, room.embedder, room.ledger, room.unseen)
    monkeypatch.setattr(PlantedRoom, "rules", property(lambda self: tuple(self.subject.rules[:3])))
    _, keys = measure(few, Sizes(3, 400_000, 2, 5))
    for key in ("planted_right_share", "false_accepts_of_100", "embedded_gain_f1", "step_overhead_ms"):
        assert isinstance(keys[key], float | int)
    assert keys["false_accepts_of_100"] == 0
    assert keys["embedded_gain_n"] == sum(truth_predicate(r) is not None for r in few.rules)
