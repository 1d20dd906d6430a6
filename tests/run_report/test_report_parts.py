"""Parts of a run's report on small made-up facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from glossator.probes.cofiring import Cofiring
from glossator.records import (
    Candidate,
    Explanation,
    ExplanationMethod,
    FeatureCard,
    Interval,
    Negatives,
    Nesting,
    RunEvent,
    RunEventKind,
    StoredRunEvent,
    SurpriseKind,
    TokenEffect,
    TokenIn,
    Verdict,
    VerdictKind,
)
from glossator.run_report.gathering import reason_kind
from glossator.run_report.label_twins import shared_labels
from glossator.run_report.nestings import Claimed, claimed, nestings
from glossator.run_report.run_history import history, pace
from glossator.run_report.standings import deciding_score, standing
from glossator.run_report.surprises import Surprises
from glossator.run_report.top_list import TopList
from tests.run_report.fake_runs import READER, FakeRun

K = RunEventKind


def _event(minute: int, kind: RunEventKind, worker: str = "") -> StoredRunEvent:
    at = f"2026-11-28T01:{minute:02d}:00+00:00"
    return StoredRunEvent(seq=minute, at=at, event=RunEvent(kind=kind, words="", worker=worker))


def _card(feature: int, text: str, tokens: tuple[str, ...] = (), **changed: object) -> FeatureCard:
    card = FakeRun(40).card(1)
    ref = FakeRun.ref(feature)
    rule = TokenIn(tokens=tokens) if tokens else None
    claim = Explanation.of(ref, "gpt-5", text, rule, method=ExplanationMethod.ONE_SHOT)
    verdict = Verdict(kind=VerdictKind.ACCEPTED, reason="")
    given: dict[str, object] = {
        "feature": ref, "explanation": claim, "verdict": verdict, "neighbours": (1, 2, 3), **changed,
    }  # fmt: skip
    return card.model_copy(update=given)


def test_pauses_do_not_count_as_running_and_outages_that_overlap_count_once() -> None:
    events = [
        _event(0, K.STARTED),
        _event(5, K.OUTAGE_BEGAN, "a"),
        _event(7, K.OUTAGE_BEGAN, "b"),
        _event(9, K.OUTAGE_ENDED, "a"),
        _event(12, K.OUTAGE_ENDED, "b"),
        _event(20, K.PAUSED),
        _event(30, K.STARTED),
        _event(31, K.OUTAGE_BEGAN, "a"),
        _event(33, K.WORKER_LOST, "a"),
        _event(40, K.FINISHED),
        _event(45, K.NOTIFIED),
    ]
    found = history(events)
    assert found.running_seconds == (20 + 10) * 60
    assert found.outage_seconds == (7 + 2) * 60
    assert (found.began[-14:-9], found.ended[-14:-9]) == ("01:00", "01:45")


def test_time_in_which_nothing_ran_after_a_kill_does_not_count() -> None:
    """Killed after the last feature at minute 8, though the order to try again came before it went on."""
    events = [
        _event(0, K.STARTED),
        _event(3, K.PROJECTED),
        _event(35, K.RETRIED),
        _event(40, K.STARTED),
        _event(41, K.WORKER_LOST, "a"),
        _event(45, K.FINISHED),
    ]
    assert history(events).running_seconds == (3 + 5) * 60
    minute_8 = int(datetime(2026, 11, 28, 1, 8, tzinfo=UTC).timestamp() * 1000)
    assert history(events, [minute_8, minute_8 - 5]).running_seconds == (8 + 5) * 60
    waiting = [*events[:1], _event(6, K.OUTAGE_BEGAN, "a"), *events[2:]]
    found = history(waiting, [minute_8])
    assert (found.running_seconds, found.outage_seconds) == ((8 + 5) * 60, 2 * 60)
    still = history(events[:2], [minute_8])
    assert (still.running_seconds, still.ended[-14:-9]) == (8 * 60, "01:08")


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    events = [_event(30, K.STARTED), _event(10, K.STOPPED).model_copy(update={"seq": 31})]
    assert history(events).running_seconds == 0.0


def test_many_events_are_cut_in_the_middle() -> None:
    many = [_event(i % 60, K.TROUBLE).model_copy(update={"seq": i}) for i in range(1000)]
    found = history(many)
    assert (len(found.events), found.left_out) == (60, 940)
    assert found.counts == {"trouble": 1000}
    assert (found.events[0].seq, found.events[-1].seq) == (0, 999)


def test_pace_holds_every_feature_and_few_points() -> None:
    hour = [1_700_000_000_000 + 1000 * i for i in range(3600)]
    points = pace(hour)
    assert len(points) == 48
    assert sum(p.features for p in points) == 3600
    assert {p.features for p in points} == {75}
    assert [p.features for p in pace([5])] == [1]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("uninterpretable so far: too rare: 3 firings, fewer than 20", "too rare: … firings, fewer than …"),
        ("uninterpretable so far: always on: on 62 % of tokens", "always on: on … of tokens"),
        (
            "uninterpretable so far: detection by the m could not be measured (refusal; timed out)",
            "detection by the m could not be measured",
        ),
        (
            "uninterpretable so far: detection 0.52 (0.41 to 0.61): not above explanations of other features",
            "detection not above explanations of other features",
        ),
        ("", "no reason given"),
    ],
)  # fmt: skip
def test_reasons_lose_their_numbers(said: str, kind: str) -> None:
    assert reason_kind(said) == kind


def test_the_deciding_score_is_the_one_that_the_verdict_rests_on() -> None:
    by_model, embedded = FakeRun(40).card(1), FakeRun(40).card(1).candidates[1].explanation
    found = deciding_score(by_model)
    assert found is not None
    assert (found.reader, found.negatives) == (READER, Negatives.RANDOM)
    of_rules = deciding_score(by_model.model_copy(update={"explanation": embedded}))
    assert of_rules is not None
    assert of_rules.reader == "predicate"
    assert deciding_score(by_model.model_copy(update={"explanation": None})) is None


def test_for_a_reader_that_is_asked_the_value_of_other_labels_counts_else_the_upper_end() -> None:
    card = FakeRun(40).card(1)
    shuffled = card.scores[0].baselines[0]
    assert shuffled.value is not None
    assert standing(card).reached == max(0.5, shuffled.value)
    unasked = tuple(s.model_copy(update={"prompt": None}) for s in card.scores)
    assert shuffled.interval is not None
    assert standing(card.model_copy(update={"scores": unasked})).reached == max(0.5, shuffled.interval.high)


def test_the_largest_are_kept_in_order() -> None:
    top = TopList[str](3)
    for number, size in enumerate([0.1, 0.9, 0.5, 0.9, 0.7]):
        top.offer(size, number, lambda number=number: f"f{number}")
    assert top.entries() == ("f1", "f3", "f4")
    assert top.passed == 5


@pytest.mark.parametrize(
    ("narrow", "wide", "covered"),
    [
        (("rivers in France", ()), ("rivers", ()), True),
        (("rivers", ()), ("rivers in France", ()), False),
        (("rivers", ()), ("mountains", ()), False),
        (("x", (" a",)), ("y", (" a", " b")), True),
        (("rivers in France", (" a", " c")), ("rivers", (" a", " b")), False),
    ],
)
def test_a_label_covers_another_by_words_or_by_tokens(
    narrow: tuple[str, tuple[str, ...]], wide: tuple[str, tuple[str, ...]], covered: bool
) -> None:
    cards = (_card(1, *narrow), _card(2, *wide))
    claims = {c.feature.index: found for c in cards if (found := claimed(c)) is not None}
    asked: list[tuple[int, int]] = []

    def silent(first: int, second: int) -> Cofiring:
        asked.append((first, second))
        return Cofiring(100, 500, 5, 40)

    found = nestings(claims, silent)
    assert ((1, 2) in asked) is covered
    assert [(p.narrow, p.wide, p.kind) for p in found.shown if p.narrow == 1] == (
        [(1, 2, Nesting.ABSORBED)] if covered else []
    )


def test_twins_are_counted_once_and_a_handful_of_firings_says_nothing() -> None:
    cards = (_card(1, "rivers"), _card(2, "Rivers"))
    claims = {c.feature.index: found for c in cards if (found := claimed(c)) is not None}
    twins = nestings(claims, lambda first, second: Cofiring(100, 100, 95, 40))
    assert twins.counts == {"twins": 1}
    few = nestings(claims, lambda first, second: Cofiring(10, 10, 10, 4))
    assert few.counts == {}
    assert few.checked == 2


def _silent(first: int, second: int) -> Cofiring:
    return Cofiring(10, 10, 10, 4)


@pytest.mark.parametrize(("features", "cut"), [(12, False), (13, True)])
def test_it_is_said_where_not_all_features_of_one_label_were_paired(features: int, cut: bool) -> None:
    claims = _claims([_card(i, "rivers", neighbours=()) for i in range(features)])
    found = nestings(claims, _silent)
    assert (found.candidates, found.cut, found.partly) == (12 * 11, cut, cut)
    assert nestings(claims, None).cut is cut


@pytest.mark.parametrize(("wider", "cut"), [(12, False), (13, True)])
def test_it_is_said_where_not_all_predicates_that_name_more_were_paired(wider: int, cut: bool) -> None:
    """Those that name other tokens as well as too few of its own take no place."""
    wide = [_card(i, f"w{i}", (" a", " b", f" {i}"), neighbours=()) for i in range(wider)]
    others = [_card(50 + i, f"o{i}", (" a", " x", f" o{i}"), neighbours=()) for i in range(20)]
    claims = _claims([_card(99, "n", (" a", " b"), neighbours=()), *others, *wide])
    found = nestings(claims, _silent)
    assert (found.candidates, found.cut) == (12, cut)


def test_it_is_said_where_there_are_too_many_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = _claims([_card(i, "rivers", neighbours=()) for i in range(3)])
    for most, cut in ((6, False), (5, True)):
        monkeypatch.setattr("glossator.run_report.nestings.SUGGESTED", most)
        found = nestings(claims, _silent)
        assert (found.candidates, found.cut) == (most, cut)


def test_it_is_said_where_not_all_near_wordings_were_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    def alike(texts: Sequence[str]) -> np.ndarray:
        return np.ones((len(texts), 2))

    labels = {i: f"label {i}" for i in range(4)}
    assert shared_labels(labels, alike).note == ""
    assert shared_labels(labels, None).note == ""
    monkeypatch.setattr("glossator.run_report.label_twins._NEAR_TEXTS", 2)
    assert "of 6 pairs of near wordings only the nearest 2 were joined" in shared_labels(labels, alike).note


def _claims(cards: Sequence[FeatureCard]) -> dict[int, Claimed]:
    return {c.feature.index: found for c in cards if (found := claimed(c)) is not None}


def test_a_rejected_label_covers_nothing() -> None:
    verdict = Verdict(kind=VerdictKind.ABSTAINED, reason="")
    assert claimed(_card(1, "rivers", verdict=verdict)) is None


def _scored(card: FeatureCard, value: float, half: float = 0.05) -> FeatureCard:
    interval = Interval(low=value - half, high=value + half, method="wilson")
    first = card.scores[0].model_copy(update={"value": value, "interval": interval})
    scores = (first, *card.scores[1:])
    chosen = card.candidates[0].model_copy(update={"scores": scores})
    candidates: tuple[Candidate, ...] = (chosen, *card.candidates[1:])
    return card.model_copy(update={"scores": scores, "candidates": candidates})


def _surprises(card: FeatureCard, features: int = 10) -> set[SurpriseKind]:
    """Of a run of so many features like this one."""
    found = Surprises()
    for _ in range(features):
        found.add(card, standing(card))
    kinds = {s.kind for s in found.found()}
    assert kinds == {SurpriseKind(kind) for kind, n in found.counts().items() if n}
    return kinds


def test_a_difference_surprises_only_where_intervals_do_not_meet() -> None:
    card = _card(1, "river names")
    other = card.candidates[1].scores[0].value
    assert other is not None
    assert SurpriseKind.LLM_BETTER in _surprises(_scored(card, other + 0.2))
    assert SurpriseKind.LLM_WORSE in _surprises(_scored(card, other - 0.2))
    near = _surprises(_scored(card, other + 0.05))
    assert not near & {SurpriseKind.LLM_BETTER, SurpriseKind.LLM_WORSE}


def test_output_tokens_surprise_unless_the_label_or_its_tokens_share_a_word() -> None:
    raised = (TokenEffect(token=" rivers", effect=3.0),)
    assert SurpriseKind.OTHER_OUTPUT in _surprises(_card(1, "legal terms", promoted=raised))
    assert SurpriseKind.OTHER_OUTPUT not in _surprises(_card(1, "legal terms", promoted=raised), 9)
    assert SurpriseKind.OTHER_OUTPUT not in _surprises(_card(1, "the river", promoted=raised))
    assert SurpriseKind.OTHER_OUTPUT not in _surprises(_card(1, "legal", (" Rivers",), promoted=raised))
