from __future__ import annotations

import json

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from glossator.records import FeatureCard, Split
from glossator.report.activation_shade import bands, firing_share, shade, sparkline
from glossator.report.headline import headline
from glossator.report.terminal import card_json_line, cards_table, render_card
from glossator.report.wording import baseline_words, density_words, number
from tests.report.fake_cards import dead_card, fake_cards, hostile_card


def _printed(what: RenderableType, width: int) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 160])
def test_the_table_fits_its_terminal(width: int) -> None:
    lines = _printed(cards_table(fake_cards(), width), width).splitlines()
    assert max(map(len, lines)) <= width
    assert any("812" in line for line in lines)


def test_the_table_at_100_columns_has_every_column() -> None:
    shown = _printed(cards_table(fake_cards(), 100), 100)
    first = next(line for line in shown.splitlines() if " 812 " in line)
    assert first.split("✓ accepted")[1].split() == ["0.93", "0.79", "0.85", "0.51", "0.66", "%", "bi"]
    assert ".88–.98" in shown
    assert "+7" in shown, "the shuffled column says what it rests on"
    assert "no label" in shown


def test_a_narrow_table_keeps_index_label_and_verdict() -> None:
    shown = _printed(cards_table(fake_cards(), 45), 45)
    assert "✓ accepted" in shown
    assert "detect." not in shown


def test_markup_in_labels_and_reasons_stays_text() -> None:
    assert "[bold red]" in " ".join(_printed(cards_table([hostile_card()], 160), 160).split())
    shown = _printed(render_card(hostile_card()), 160)
    assert "beats shuffled [/red]." in shown
    assert not [c for c in shown if ord(c) < 0x20 and c != "\n"]


@pytest.mark.parametrize("card", fake_cards(), ids=lambda c: str(c.feature.index))
def test_a_card_shows_each_score_with_interval_counts_and_baselines(card: FeatureCard) -> None:
    shown = " ".join(_printed(render_card(card), 160).split())
    assert card.verdict.reason in shown
    for score in card.scores:
        if score.interval is not None:
            assert (
                f"{number(score.value)} [{number(score.interval.low)}, {number(score.interval.high)}]"
                in shown
            )
        assert f"{score.n_positive:,} " in shown
        assert f"vs {score.n_negative:,} " in shown
        for reason, n in score.unscored.items():
            assert f"{reason} {n}" in shown
        for baseline in score.baselines:
            assert baseline_words(baseline) in shown
    for tried in card.verdict.tried:
        assert tried in shown


@pytest.mark.parametrize("width", [24, 60])
def test_a_card_renders_on_a_narrow_terminal(width: int) -> None:
    assert max(map(cell_len, _printed(render_card(hostile_card()), width).splitlines())) <= width


def test_a_dead_card_renders() -> None:
    assert "No firing windows" in _printed(render_card(dead_card()), 80)


def test_a_json_line_is_one_ascii_line_that_reads_back() -> None:
    for card in fake_cards():
        line = card_json_line(card)
        assert line.isascii()
        assert "\n" not in line
        assert json.loads(line)["feature"]["index"] == card.feature.index
        assert FeatureCard.model_validate_json(line) == card


def test_the_headline_takes_sealed_scores_at_the_usual_threshold_only() -> None:
    card = fake_cards()[0]
    assert headline(card).f1 == card.scores[2]
    explored = tuple(s.model_copy(update={"split": Split.VALIDATE}) for s in card.scores)
    assert headline(card.model_copy(update={"scores": explored})) == (None, None, None, None)


def test_shade_is_neuronpedias_curve() -> None:
    assert shade(0.0, 5.0) == 0.0
    assert shade(5.0, 5.0) == pytest.approx(1.0)
    assert shade(1.0, 9.0) == pytest.approx(0.05 + 0.95 * 0.30103, abs=1e-5)
    assert shade(7.0, 5.0) == pytest.approx(1.0)
    assert shade(1.0, 0.0) == 0.0
    assert shade(float("nan"), 5.0) == 0.0


def test_bands_hold_every_window_once_within_their_bounds() -> None:
    card = fake_cards()[2]
    found = bands(card)
    assert sorted(w.start for b in found for w in b.windows) == sorted(w.start for w in card.windows)
    assert all(b.low <= max(w.activations) <= b.high for b in found for w in b.windows)
    assert [b.high for b in found] == sorted((b.high for b in found), reverse=True)


def test_firing_share_splits_a_bin_evenly() -> None:
    card = dead_card().model_copy(
        update={"max_activation": 10.0, "histogram_edges": (0.0, 4.0, 10.0), "histogram_counts": (30, 10)}
    )
    assert firing_share(card, 0.0, 0.2) == pytest.approx(15 / 40)
    assert firing_share(card, 0.4, 1.0) == pytest.approx(10 / 40)
    assert firing_share(dead_card(), 0.0, 1.0) is None


def test_sparkline_shows_rare_bins() -> None:
    assert sparkline([0, 1, 100_000]) == " ▁█"
    assert sparkline([0, 0]) == ""


@pytest.mark.parametrize(
    ("density", "words"),
    [(0.0, "never"), (0.0066, "0.66 %"), (0.123, "12 %"), (1e-7, "<0.001 %"), (float("nan"), "–")],
)
def test_density_words(density: float, words: str) -> None:
    assert density_words(density) == words
