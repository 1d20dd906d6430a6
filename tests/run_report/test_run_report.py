"""A made-up run, counted by hand where that can be done."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from glossator.probes.cofiring import Cofiring
from glossator.records import (
    Evidence,
    FeatureCard,
    ItemState,
    LabelTest,
    LlmSpending,
    Nesting,
    RunReport,
    SurpriseKind,
    VerdictKind,
)
from glossator.run_report import EarlierRun, build_run_report
from tests.run_report.fake_runs import UNSTORED, FakeRun, directions

N = 240


def cofiring(narrow: int, wide: int) -> Cofiring:
    """By the sum of the two: a part, absorbed, twins, or nothing."""
    both, of_wide = {0: (190, 900), 1: (10, 900), 2: (190, 200), 3: (100, 900)}[(narrow + wide) % 4]
    return Cofiring(200, of_wide, both, 80)


def report_of(run: FakeRun, **given: Any) -> RunReport:
    usual: dict[str, Any] = {
        "items": run.items(),
        "events": run.events(),
        "cards": run.cards(),
        "evidence": run.evidence,
        "spending": run.spending,
        "ended": run.ended(),
    }
    return build_run_report(
        "r-0123456789ab",
        run.plan,
        **{**usual, **given},
    )


@pytest.fixture(scope="module")
def report() -> RunReport:
    run = FakeRun(N, shift=0.05)
    return report_of(
        run,
        directions=lambda features: directions(tuple(features)),
        cofiring=cofiring,
        contradictions=run.contradictions(),
        earlier=EarlierRun("r-before", FakeRun(N).cards()),
    )


def test_every_feature_is_counted_once(report: RunReport) -> None:
    covered = report.coverage
    assert covered.counts.total == N
    assert covered.earlier_cards == sum(covered.earlier_verdicts.values()) == N // 80
    assert sum(covered.verdicts.values()) == covered.counts.done + covered.earlier_cards
    assert sum(r.n for r in covered.failed) == covered.counts.failed == N // 40
    assert sum(r.n for r in covered.skipped) == covered.counts.skipped == N // 40
    assert covered.retryable == next(r.n for r in covered.failed if r.words == "timed out")
    assert covered.missing_cards == 0


def test_a_done_feature_without_a_card_is_named_as_missing() -> None:
    run = FakeRun(40)
    cards = [c for c in run.cards() if c.feature.index != 8]
    found = build_run_report("r", run.plan, run.items(), (), cards, run.evidence, spending=run.spending)
    assert found.coverage.missing_cards == 1


def test_cards_are_read_once_and_in_any_number_of_copies(report: RunReport) -> None:
    run = FakeRun(40)
    once = report_of(run)
    twice = build_run_report(
        "r-0123456789ab", run.plan, run.items(), run.events(), [*run.cards(), *run.cards()], run.evidence,
        spending=run.spending, ended=run.ended(),
    )  # fmt: skip
    assert once == twice


def test_distributions_hold_every_value_with_its_baselines(report: RunReport) -> None:
    first = report.distributions[0]
    values = np.array([c.scores[0].value for c in FakeRun(N, shift=0.05).cards() if c.explanation])
    assert first.question.reader == "gpt-5-mini"
    assert first.question in report.deciding
    assert sum(first.bins) == first.median.n == len(values)
    assert first.median.value == pytest.approx(np.median(values))
    assert {b.name for b in first.baselines} == {"shuffled", "empty", "embedded analyst"}
    assert all(b.median.n == len(values) for b in first.baselines)
    assert first.n_positive == 100 * len(values)
    assert [r.words for r in first.unscored] == ["timed out"]


def test_what_could_not_be_measured_is_counted_and_enters_no_mean(report: RunReport) -> None:
    f1 = next(d for d in report.distributions if d.question.metric.value == "f1")
    assert f1.unscored_features > 0
    labelled = sum(c.explanation is not None for c in FakeRun(N).cards())
    assert f1.mean.n + f1.unscored_features == labelled


def test_labels_that_are_no_better_than_others_do_not_hold(report: RunReport) -> None:
    found = report.discovery
    null = {i for i in range(N) if i % 20 in (4, 5)}
    assert found.accepted_tested > 100
    assert len(found.holding) > 0.9 * found.accepted_tested
    assert not null & set(found.holding)
    assert found.tested > found.accepted_tested
    assert found.expected_false == pytest.approx(0.05 * len(found.holding))


def test_a_reader_that_stops_early_pays_for_its_looks() -> None:
    sizes = {"first": 10, "step": 5, "max_firing": 50, "max_random": 30, "max_hard": 20}
    plain, early = _tested("", sizes), _tested("clear", sizes)
    assert early.feature == plain.feature
    assert early.p == pytest.approx(9 * plain.p)
    assert _tested("clear", {}).p == early.p
    assert _tested("clear", sizes | {"max_firing": 10, "max_random": 10, "max_hard": 5}).p == plain.p


def _tested(stopped: str, sizes: dict[str, int]) -> LabelTest:
    """The label that holds by least, as a reader of these sizes gives it."""
    run = FakeRun(8)

    def stopping(card: FeatureCard) -> FeatureCard:
        scores = tuple(s.model_copy(update={"stopped": stopped}) for s in card.scores)
        return card.model_copy(update={"scores": scores})

    def evidence(identity: str) -> Evidence | None:
        found = run.evidence(identity)
        return found and found.model_copy(update={"recipe": {"sizes": sizes}})

    report = report_of(run, cards=[stopping(c) for c in run.cards()], evidence=evidence)
    return report.discovery.weakest[0]


def test_labels_without_stored_outcomes_are_counted_as_not_tested(report: RunReport) -> None:
    unstored = {i for i in range(N) if i % 50 == UNSTORED}
    assert not unstored & set(report.discovery.holding)
    missing = sum(r.n for r in report.discovery.untested)
    assert missing == len([i for i in unstored if FakeRun(N).has_card(i)])


def test_what_an_earlier_run_was_answered_is_not_counted_as_this_runs() -> None:
    """Of 79 features 39 was skipped and has a card; 38 and 78 failed, after answers of no use."""
    run, useless = FakeRun(79), {"malformed answer": 3}
    cards = [
        c.model_copy(update={"rejected": {"too long": 1}, "spending": LlmSpending(calls=9, unscored=useless)})
        if c.feature.index == 39
        else c.model_copy(update={"rejected": {}, "spending": None})
        for c in run.cards()
    ]
    items = [
        i.model_copy(update={"spending": LlmSpending(calls=9, unscored=useless)})
        if i.state is ItemState.FAILED
        else i.model_copy(update={"spending": None})
        for i in run.items()
    ]
    found = report_of(run, items=items, cards=cards)
    assert found.coverage.earlier_cards == 1
    assert [(r.words, r.n) for r in found.unscored] == [("malformed answer", 6)]
    assert found.rejected == ()


def test_best_are_accepted_and_worst_are_the_lowest(report: RunReport) -> None:
    assert all(f.verdict == VerdictKind.ACCEPTED for f in report.best)
    lows = [f.interval.low for f in report.best if f.interval]
    assert lows == sorted(lows, reverse=True)
    assert max(f.value or 0 for f in report.worst) < min(f.value or 0 for f in report.best)


def test_surprises_fit_their_definitions(report: RunReport) -> None:
    kinds = Counter(s.kind for s in report.surprises)
    assert kinds[SurpriseKind.LLM_BETTER] == 5
    assert report.surprise_counts["llm_better"] > 5
    for kind in kinds:
        sizes = [s.size for s in report.surprises if s.kind is kind]
        assert sizes == sorted(sizes, reverse=True)
    rivers = [s for s in report.surprises if s.kind is SurpriseKind.OTHER_OUTPUT]
    assert rivers
    assert not [s for s in rivers if "river" in s.label]


def test_abstentions_stand_with_their_reasons_and_without_numbers(report: RunReport) -> None:
    reasons = {g.reason: g.n for g in report.abstentions}
    assert reasons["no hypothesis explained enough"] == N // 20
    assert reasons["detection not above explanations of other features"] >= N // 20
    assert sum(reasons.values()) == report.coverage.verdicts["abstained"]


def test_near_directions_and_shared_labels_are_found(report: RunReport) -> None:
    assert {(p.first, p.second) for p in report.directions.shown} == {(10, 11), (20, 21)}
    assert report.directions.features == 4
    shared = report.shared_labels[0]
    assert shared.label == "dates in letters"
    assert all(f % 10 == 7 for f in shared.features)


def test_firings_decide_how_a_narrow_feature_lies(report: RunReport) -> None:
    found = report.nestings
    assert found.checked == found.candidates > 0
    expected = {0: Nesting.INSIDE, 1: Nesting.ABSORBED, 2: Nesting.TWINS}
    assert found.shown
    for pair in found.shown:
        assert pair.kind is expected[(pair.narrow + pair.wide) % 4]
        assert pair.share.interval is not None
        assert pair.share.n == 80
    same_words = [p for p in found.shown if p.narrow_label == p.wide_label]
    assert all(p.kind is not Nesting.ABSORBED for p in same_words)


def test_without_directions_index_or_embedder_it_says_so() -> None:
    found = report_of(FakeRun(40))
    assert "not at hand" in found.directions.note
    assert "no index" in found.nestings.note
    assert found.nestings.candidates > 0
    assert found.earlier is None


def test_the_bill_is_divided_by_what_was_accepted(report: RunReport) -> None:
    cost = report.cost
    covered = report.coverage
    accepted = covered.verdicts["accepted"] - covered.earlier_verdicts["accepted"]
    assert cost.usd_per_accepted == pytest.approx(0.001 * N / accepted)
    assert cost.calls_per_feature.n == report.coverage.counts.done
    assert sum(m.features for m in cost.by_method) == report.coverage.counts.done
    assert cost.spending.unaccounted_calls == 37


def test_an_unknown_price_makes_no_cost() -> None:
    run = FakeRun(40)
    found = report_of(run, spending=run.spending.model_copy(update={"usd": None}))
    assert found.cost.usd_per_accepted is None


def test_time_is_counted_from_events(report: RunReport) -> None:
    assert report.history.running_seconds == (300 + 120) * 60
    assert report.history.outage_seconds == 48 * 60
    assert report.history.counts["worker_lost"] == 1
    assert sum(p.features for p in report.pace) == len(FakeRun(N).ended())


def test_only_the_same_questions_of_the_same_features_are_compared(report: RunReport) -> None:
    found = report.earlier
    assert found is not None
    assert found.shared == report.coverage.counts.done + report.coverage.earlier_cards
    without = sum(i % 20 == 6 for i in range(N))
    assert found.same_label == found.labelled == found.shared - without
    first = found.differences[0].estimate
    assert first.value is not None
    assert first.interval is not None
    assert 0.0 < first.interval.low <= first.value <= first.interval.high < 0.06
    moved = sum(n for row in found.transitions.values() for n in row.values())
    assert moved == found.shared
    assert abs(found.changed[0].value - found.changed[0].before) == max(
        abs(c.value - c.before) for c in found.changed
    )


def test_another_reader_or_another_index_is_not_compared() -> None:
    run, before = FakeRun(40), list(FakeRun(40).cards())
    elsewhere = [c.model_copy(update={"index_identity": "idx-0"}) for c in before]
    found = report_of(run, earlier=EarlierRun("r-b", elsewhere)).earlier
    assert found is not None
    assert (found.shared, found.differences) == (0, ())
    assert "another index" in found.note
    reread = [
        c.model_copy(update={"scores": tuple(s.model_copy(update={"reader": "other"}) for s in c.scores)})
        for c in before
    ]
    other = report_of(run, earlier=EarlierRun("r-c", reread)).earlier
    assert other is not None
    assert other.shared == 38
    assert not other.differences
    assert not other.changed
    assert "no question" in other.note


def test_an_empty_run_has_a_report() -> None:
    run = FakeRun(0)
    found = build_run_report("r", run.plan, (), (), (), run.evidence, spending=run.spending)
    assert found.discovery.tested == 0
    assert found.cost.usd_per_accepted is None
    assert found.pace == ()


def test_labels_near_in_meaning_are_joined_where_there_is_an_embedder() -> None:
    def embed(texts: list[str] | tuple[str, ...]) -> np.ndarray:
        """One direction for each subject, whatever else a label says."""
        return np.stack([np.eye(26)[ord(t[0]) - 97] if t[0].isalpha() else np.eye(26)[25] for t in texts])

    run = FakeRun(40)
    assert report_of(run, embed=embed).shared_labels[0].n > report_of(run).shared_labels[0].n
