from __future__ import annotations

import pytest
from rich.console import Console, RenderableType

from glossator.report.causal_wording import cell_words, target_words
from glossator.report.terminal import render_card
from glossator.report.terminal_causal import (
    render_causal,
    render_effects,
    render_scores,
    render_strengths,
    render_stress,
)
from tests.report.fake_cards import fake_cards
from tests.report.fake_causal import (
    bare_findings,
    fake_calibration,
    fake_effects,
    fake_findings,
    fake_scores,
    fake_stress,
)


def _printed(what: RenderableType, width: int = 400) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_a_stress_report_alone_lists_every_failing_cell_and_check() -> None:
    shown = _printed(render_stress(fake_stress()))
    for cell in fake_stress().failing:
        assert f"✗ {cell_words(cell)}" in shown
    assert "Failing cells: 4 of 54" in shown
    grids = shown.split("Checks")[0]
    assert sum(line.count("✗") for line in grids.splitlines()) == 4
    assert sum(line.count("✓") for line in grids.splitlines()) == 50
    for check in fake_stress().checks:
        assert check.words in shown
    assert "Grade C" in shown
    assert all(reason in shown for reason in fake_stress().reasons)


def test_a_cell_without_numbers_is_shown_and_listed() -> None:
    stress = fake_stress()
    missing: dict[str, None] = dict.fromkeys(("kl", "change", "null_low", "null_high", "carried", "fluency"))
    broken = stress.cells[0].model_copy(update={**missing, "passed": False, "reason": "no finite numbers"})
    shown = _printed(render_stress(stress.model_copy(update={"cells": (broken, *stress.cells[1:])})))
    assert f"✗ {cell_words(broken)}" in shown
    assert "–✗" in shown


def test_strengths_alone_say_what_was_not_reached() -> None:
    shown = _printed(render_strengths(fake_calibration(-1)))
    for target in fake_calibration(-1).targets:
        assert target_words(target) in shown
    assert "✗ KL 1 " in shown
    assert "✓ KL 0.33" in shown


def test_effects_alone_and_with_strengths() -> None:
    alone = _printed(render_effects(fake_effects()))
    assert "·morning +2.90, 0.4 % → 6 %" in alone
    assert "<b> +1.20" in alone
    assert "+2.71 [+2.29, +3.13]" in alone
    assert "Strengths" not in alone
    assert "Strengths, turned down" in _printed(
        render_effects(fake_effects(), fake_calibration(1), fake_calibration(-1))
    )


def test_scores_alone_have_their_nulls() -> None:
    shown = _printed(render_scores(fake_scores()))
    assert "+0.46 [+0.39, +0.54]" in shown
    assert "explained alike +0.07 [+0.04, +0.10]" in shown
    assert "14.2 / 29.4 / 28.5" in shown
    assert "24 unscored: no target strength 24" in shown


def test_a_card_shows_what_it_causes() -> None:
    card = fake_cards()[0]
    assert "What it causes" not in _printed(render_card(card))
    shown = _printed(render_card(card.model_copy(update={"causal": fake_findings()})))
    assert "Role: output side" in shown
    assert "Note: KL 3 is out of reach & was left out" in shown
    assert "no token rises in most prompts" in _printed(render_causal(bare_findings()))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_fits_its_terminal(width: int) -> None:
    assert max(map(len, _printed(render_causal(fake_findings()), width).splitlines())) <= width
