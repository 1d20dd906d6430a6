"""Causal evidence on the page: everything that fails is said, drawings stand where the numbers are."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from glossator.errors import StorageError
from glossator.records import CausalFindings, FeatureCard, FeatureRole, KlPoint
from glossator.report.causal_page import write_causal_page
from glossator.report.causal_plots import dose_plot, kl_plot
from glossator.report.causal_wording import beyond_null, cell_words, target_words
from glossator.report.page import ReportContext, ReportTotals, render_report
from glossator.report.plot_scales import Bend, Scale, round_values
from glossator.report.stress_panels import stress_panels
from glossator.report.terminal_card import label_text, render_card
from glossator.report.token_marks import safe_text
from tests.report.fake_cards import fake_cards
from tests.report.fake_causal import (
    bare_findings,
    fake_calibration,
    fake_effects,
    fake_explanation,
    fake_findings,
    fake_role,
    fake_scores,
    fake_stress,
)


class _Elements(HTMLParser):
    """Checks nesting; keeps elements and text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(html)
        self.close()
        assert not self.open
        self.text = " ".join(self.words.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words += data


def _page(findings: CausalFindings | None) -> str:
    card = fake_cards()[0].model_copy(update={"causal": findings})
    return render_report([card], _context(card))


def _context(card: FeatureCard) -> ReportContext:
    return ReportContext(
        title="t",
        subject="s",
        dictionary="d",
        corpus="c",
        tokens=1,
        created=datetime(2026, 11, 22, tzinfo=UTC),
        version="0",
        totals=ReportTotals.of([card]),
    )


@pytest.fixture(scope="module")
def page() -> _Elements:
    return _Elements(_page(fake_findings()))


def test_every_failing_cell_and_check_and_reason_is_listed(page: _Elements) -> None:
    stress = fake_stress()
    assert len(stress.failing) == 4
    for cell in stress.failing:
        assert cell_words(cell) in page.text
        assert "fails: block" in cell_words(cell)
    for check in stress.checks:
        assert check.words in page.text
    assert "✗ siblings" in page.text
    assert "– prompting" in page.text
    assert all(reason in page.text for reason in stress.reasons)
    assert "50 of 54 cells pass" in page.text


def test_failing_cells_carry_a_sign_and_every_cell_its_words(page: _Elements) -> None:
    groups = [a for tag, a in page.elements if tag == "g" and "fails" in a.get("class", "").split()]
    assert len(groups) == 4
    marked = [c for p in stress_panels(fake_stress().cells) for c in p.cells if c.mark]
    assert len(marked) == 4
    assert all(f"{c.mark}{c.value}" in page.text for c in marked)
    assert all(cell_words(cell) in page.text for cell in fake_stress().cells)


def test_targets_that_were_not_reached_are_said(page: _Elements) -> None:
    missed = [t for s in (1, -1) for t in fake_calibration(s).targets if not t.reached]
    assert len(missed) == 3
    for target in missed:
        assert target_words(target).startswith("not reached (too weak at any safe strength); nearest KL")
        assert target_words(target) in page.text
    assert sum(a.get("class") == "missed" for tag, a in page.elements if tag == "g") == 3
    assert "above 8.8× the subject gives infinities or NaN" in page.text


def test_values_escape(page: _Elements) -> None:
    assert sum(tag == "script" for tag, _ in page.elements) == 1
    assert "as often as its own <script>" in page.text
    assert "block 8 <i>does not</i> lower it" in page.text
    hostile = fake_findings().model_copy(update={"explanation": fake_explanation("<img src=x> {{ 7*7 }}")})
    shown = _Elements(_page(hostile))
    assert "<img src=x> {{ 7*7 }}" in shown.text
    assert not [tag for tag, _ in shown.elements if tag == "img"]


def test_what_it_causes_stands_beside_what_it_fires_on(page: _Elements) -> None:
    label = fake_cards()[0].explanation
    assert label is not None
    sides = re.search(r"Fires on ?(.*?) ?Causes ?(.*?) ?Role ?(output side)", page.text)
    assert sides is not None
    assert sides[1] == label.text
    assert sides[2].startswith(fake_explanation().text)


def test_scores_stand_with_excess_and_all_three_nulls(page: _Elements) -> None:
    assert "+0.46 [+0.39, +0.54]" in page.text
    assert "+0.39 [+0.31, +0.48]" in page.text
    assert "random direction +0.04 [+0.01, +0.07]" in page.text
    assert "random direction, explained alike +0.07 [+0.04, +0.10]" in page.text
    assert "shuffled +0.00 [−0.03, +0.03]" in page.text
    assert "14.2 / 29.4 / 28.5" in page.text
    assert "24 unscored: no target strength 24" in page.text


def test_the_page_is_valid_with_little_and_with_nothing() -> None:
    bare = _Elements(_page(bare_findings()))
    assert "no token rises in most prompts" in bare.text
    assert "No token rises in most prompts" in bare.text
    assert bare.text.count("not reached") == 4
    plain = _Elements(_page(None))
    assert "What it causes" not in plain.text
    assert ".null-band" not in _page(None)


def test_what_was_not_measured_is_a_dash() -> None:
    missing: dict[str, None] = dict.fromkeys(("kl", "change", "null_low", "null_high", "carried", "fluency"))
    stress = fake_stress()
    broken = stress.cells[0].model_copy(update={**missing, "passed": False, "reason": "no finite numbers"})
    stress = stress.model_copy(update={"cells": (broken, *stress.cells[1:])})
    nowhere: dict[str, None] = dict.fromkeys(("perplexity_clean", "perplexity_steered", "perplexity_random"))
    scores = tuple(s.model_copy(update=nowhere) for s in fake_scores())
    shown = _Elements(_page(fake_findings().model_copy(update={"stress": stress, "scores": scores})))
    assert "change –, null – to –, carried –, fluency –, 8 prompts; fails: no finite numbers" in shown.text
    assert "✗–" in shown.text
    assert "– / – / –" in shown.text


def test_nothing_is_loaded_and_no_number_is_broken() -> None:
    html = _page(fake_findings())
    assert not re.search(r"https?://|@import|url\(", html)
    assert not re.search(r'="[^"]*\b(nan|inf)\b', html)


def test_points_of_the_dose_curve_lie_where_their_numbers_are() -> None:
    effects = fake_effects()
    plot = dose_plot(effects.dose)
    assert plot is not None
    assert plot.zero_x is not None
    points = sorted(effects.dose, key=lambda p: p.multiple)
    assert [d.x for d in plot.dots] == sorted(d.x for d in plot.dots)
    for dot, point in zip(plot.dots, points, strict=True):
        assert (dot.x > plot.zero_x) == (point.multiple > 0)
        assert (dot.y < plot.zero_y) == (point.change > 0)
        assert dot.high < dot.y < dot.low  # up is less
        assert dot.beyond == beyond_null(point)
    assert [d.beyond for d in plot.dots] == [False, True, True, True, True, True]
    assert f"{plot.zero_x:g},{plot.zero_y:g}" in plot.band.split()
    assert dose_plot(()) is None


def test_kl_curves_break_where_the_subject_broke() -> None:
    up = fake_calibration(1)
    middle = (*up.curve[:5], KlPoint(multiple=1.3, kl=None), *up.curve[5:])
    plot = kl_plot([up.model_copy(update={"curve": middle})])
    assert plot is not None
    assert [len(run.split()) for run in plot.lines[0].runs] == [5, 5]
    assert len(plot.broken) == 2
    assert [t.reached for t in plot.targets] == [True, True, True, False]
    assert kl_plot([up.model_copy(update={"curve": (KlPoint(multiple=1.0, kl=None),)})]) is None


def test_log_places_are_equally_far_for_equal_ratios() -> None:
    scale = Scale(0.1, 10.0, 0.0, 200.0, Bend.LOG)
    assert (scale.at(0.1), scale.at(1.0), scale.at(10.0), scale.at(0.0)) == (0.0, 100.0, 200.0, 0.0)
    both = Scale(-8.0, 8.0, 0.0, 200.0, Bend.SYMMETRIC_LOG, 0.1)
    assert both.at(0.0) == 100.0
    assert math.isclose(both.at(4.0) - both.at(2.0), both.at(8.0) - both.at(4.0), rel_tol=0.02)
    assert list(round_values(-1.1, 3.9)) == [-1.0, 0.0, 1.0, 2.0, 3.0]
    assert [t.words for t in Scale(0.0, 10.0, 0.0, 50.0).ticks([0.0, 5.0, 10.0])] == ["0", "10"]


def test_a_page_of_one_feature_shows_what_it_is_given(tmp_path: Path) -> None:
    path = write_causal_page(
        tmp_path / "new" / "one.html", "812 <&>", effects=fake_effects(), calibrations=[fake_calibration()]
    )
    shown = _Elements(path.read_text("utf-8"))
    assert "812 <&>" in shown.text
    assert "Effect on the next token" in shown.text
    assert not {"Stress", "Causes"} & set(shown.text.split())
    assert not [tag for tag, _ in shown.elements if tag == "script"]
    path = write_causal_page(path, "812", stress=fake_stress(), scores=fake_scores(), notes=["a <b>"])
    shown = _Elements(path.read_text("utf-8"))
    assert "a <b>" in shown.text
    assert "4 failing cells" in shown.text
    assert "Effect on the next token" not in shown.text


def test_a_page_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not write the report"):
        write_causal_page(tmp_path / "file" / "page.html", "t", stress=fake_stress())


@pytest.mark.parametrize(
    ("role", "shown"),
    [
        (FeatureRole.OUTPUT, "{causes}\n{fires}"),
        (FeatureRole.BOTH, "{fires}\n{causes}"),
        (FeatureRole.INPUT, "{fires}"),
        (FeatureRole.NEITHER, "{fires}"),
    ],
)
def test_the_label_says_the_side_that_matters(role: FeatureRole, shown: str) -> None:
    card = fake_cards()[0]
    assert card.explanation is not None
    finding = fake_role().model_copy(update={"role": role})
    causal = fake_findings().model_copy(update={"role": finding})
    said = label_text(card.model_copy(update={"causal": causal})).plain
    assert causal.explanation is not None
    assert said == shown.format(causes=causal.explanation.text, fires=card.explanation.text)
    article = _page(causal).split("<article", 1)[1]
    heading = article.split("<h2", 1)[1].split("</h2>", 1)[0]
    matters = role in (FeatureRole.OUTPUT, FeatureRole.BOTH)
    assert (safe_text(causal.explanation.text) in heading) is matters


def test_why_nothing_causal_was_measured_is_said() -> None:
    card = fake_cards()[0].model_copy(update={"causal_missing": "it never fires <b>"})
    page = _Elements(render_report([card], _context(card)))
    assert "Not measured: it never fires <b>" in page.text
    assert "not measured: it never fires <b>" in printed(render_card(card))


def printed(shown: RenderableType) -> str:
    with StringIO() as out:
        Console(file=out, width=100).print(shown)
        return out.getvalue()
