"""The written rule of the stress grade, and the working band, on cells made by hand."""

from __future__ import annotations

import pytest

from glossator.agents.scorers.interventions.stress_grade import LEXICAL, SCORE, grade, score_check
from glossator.agents.scorers.interventions.working_band import working_band
from glossator.records import (
    ContextFamily,
    Interval,
    InterventionScore,
    Metric,
    Negatives,
    Score,
    ScoreMethod,
    Split,
    StressCell,
    StressCheck,
)

BAND = Interval(low=0.5, high=1.0, method="strengths tested")
ORDER = "ABCDF"


def cell(passed: bool, level: float = 1.0, fluency: float | None = 1.0, layer: int = 5) -> StressCell:
    return StressCell(
        layer=layer,
        level=level,
        family=ContextFamily.SILENT,
        multiple=level,
        kl=abs(level),
        change=2.0 if passed else 0.1,
        null_low=-0.5,
        null_high=0.5,
        carried=0.5,
        fluency=fluency,
        n=8,
        passed=passed,
        reason="" if passed else "within what random directions do",
    )


def cells(passing: int, of: int = 20) -> list[StressCell]:
    return [cell(i < passing) for i in range(of)]


def check(name: str, passed: bool | None, bound: float | None = 0.5) -> StressCheck:
    value = None if passed is None else 0.4
    interval = None if value is None else Interval(low=0.3, high=0.5, method="wilson")
    return StressCheck(name=name, passed=passed, value=value, interval=interval, bound=bound, words="why")


def score(low: float, high: float) -> InterventionScore:
    return InterventionScore(
        explanation="x-1",
        target_kl=1.0,
        kl=1.0,
        multiple=2.0,
        score=Score(
            method=ScoreMethod.INTERVENTION,
            metric=Metric.GAIN,
            reader="predicate",
            negatives=Negatives.CLEAN,
            split=Split.SEALED,
            threshold=0.0,
            value=0.3,
            interval=Interval(low=0.1, high=0.5, method="bootstrap over documents"),
            n_positive=24,
            n_negative=24,
        ),
        excess=(low + high) / 2,
        excess_interval=Interval(low=low, high=high, method="bootstrap over documents"),
        perplexity_clean=10.0,
        perplexity_steered=12.0,
        perplexity_random=11.0,
    )


@pytest.mark.parametrize(
    ("passing", "letter"),
    [
        (20, "A"),
        (18, "A"),
        (17, "B"),
        (15, "B"),
        (14, "C"),
        (10, "C"),
        (9, "D"),
        (5, "D"),
        (4, "F"),
        (0, "F"),
    ],
)
def test_the_share_of_passing_cells_gives_the_letter(passing: int, letter: str) -> None:
    graded = grade(cells(passing), [check("siblings", True)], BAND)
    assert graded.letter == letter
    assert any(f"{passing} of 20 cells pass" in reason for reason in graded.reasons)


@pytest.mark.parametrize(
    ("checks", "band", "letter"),
    [
        ([check("siblings", False)], BAND, "B"),
        ([check("siblings", False), check("weak activations", False)], BAND, "C"),
        ([check(LEXICAL, False)], BAND, "C"),
        ([check(SCORE, False)], BAND, "D"),
        ([], None, "B"),
        ([check("prompting", False, bound=None)], BAND, "A"),
        ([check(LEXICAL, None)], BAND, "A"),
    ],
    ids=[
        "one check",
        "two checks",
        "lexical",
        "score",
        "no band",
        "one that informs",
        "one that was not made",
    ],
)
def test_what_fails_caps_the_letter(checks: list[StressCheck], band: Interval | None, letter: str) -> None:
    assert grade(cells(20), checks, band).letter == letter
    assert grade(cells(6), checks, band).letter == "D", "a cap never raises a letter"
    assert grade(cells(0), checks, band).letter == "F"


def test_what_lowers_the_letter_stands_first() -> None:
    graded = grade(cells(16), [check(SCORE, False), check("siblings", False)], None)
    assert graded.letter == "D"
    assert graded.reasons[0].startswith("at most D: intervention score failed")
    assert [r[:9] for r in graded.reasons[:3]] == ["at most D", "at most C", "16 of 20 "]


def test_every_failing_cell_and_untested_check_is_named() -> None:
    made = [cell(True), cell(False, level=-0.33), cell(False, level=3.0, layer=7)]
    reasons = grade(made, [check(LEXICAL, None)], BAND).reasons
    failing = next(r for r in reasons if "failing" in r)
    assert failing.startswith("2 failing, within what random directions do")
    assert "layer 5, KL -0.33, silent" in failing
    assert "layer 7, KL +3, silent" in failing
    assert reasons[-1] == f"not tested: {LEXICAL}: why"


def test_without_cells_the_grade_is_f() -> None:
    graded = grade([], [check(LEXICAL, True)], None)
    assert graded.letter == "F"
    assert "no concept" in graded.reasons[0]


def test_a_score_whose_excess_may_be_zero_fails() -> None:
    assert score_check(score(0.1, 0.4)).passed is True
    assert score_check(score(-0.1, 0.4)).passed is False
    assert score_check(score(0.0, 0.4)).passed is False, "the interval holds 0"
    assert score_check(None).passed is None
    assert score_check(None).name == SCORE


def test_more_passing_cells_never_lower_a_grade() -> None:
    for checks in ([], [check(LEXICAL, False)], [check(SCORE, False)]):
        letters = [grade(cells(n), checks, BAND).letter for n in range(21)]
        assert letters == sorted(letters, key=ORDER.index, reverse=True)


def test_the_band_is_the_longest_run_of_working_strengths() -> None:
    working = [cell(True, 0.1), cell(False, 0.33), cell(True, 1.0), cell(True, 3.0)]
    band = working_band(working, 5)
    assert band is not None
    assert (band.low, band.high) == (1.0, 3.0)
    fading = [*working[:3], cell(True, 3.0, fluency=0.79)]
    band = working_band(fading, 5)
    assert band is not None
    assert (band.low, band.high) == (0.1, 0.1), "of equal runs the weaker"


def test_a_band_needs_the_own_layer_upwards_and_fluent() -> None:
    assert working_band([cell(True, 1.0, layer=7)], 5) is None
    assert working_band([cell(True, -1.0)], 5) is None
    assert working_band([cell(True, 1.0, fluency=0.5)], 5) is None
    assert working_band([cell(True, 1.0, fluency=None)], 5) is None
    assert working_band([cell(True), cell(False)], 5) is None, "half of the families are not most"
