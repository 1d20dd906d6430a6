from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from glossator.errors import StorageError
from glossator.records import BaselineName, FeatureCard, Interval
from glossator.report.headline import headline
from glossator.report.page import ReportContext, ReportTotals, SummaryMean, render_report, write_report
from glossator.report.wording import baseline_words, number
from tests.report.fake_cards import HOSTILE_TOKENS, dead_card, fake_cards, hostile_card
from tests.report.page_reading import Page


def _context(cards: Sequence[FeatureCard]) -> ReportContext:
    interval = Interval(low=0.801, high=0.877, method="bootstrap over features")
    return ReportContext(
        title="Features <of> a model",
        subject="smollm2-135m",
        dictionary="12-resid-4k",
        corpus="starter",
        tokens=2_003_311,
        created=datetime(2026, 11, 22, 11, 5, tzinfo=UTC),
        version="0.1.0",
        totals=ReportTotals.of(cards),
        means=(SummaryMean(name="Detection, random", value=0.842, interval=interval, n=4),),
        settings={"seed": "0", "<b>": "&"},
        notes=("Read <this>.",),
    )


@pytest.fixture(scope="module")
def html() -> str:
    cards = fake_cards()
    return render_report(cards, _context(cards))


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_tags_are_balanced_and_ids_are_unique(page: Page) -> None:
    assert page.open == []
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))


def test_every_inner_link_leads_somewhere(page: Page) -> None:
    ids = {a["id"] for _, a in page.elements if "id" in a}
    links = [a["href"] for tag, a in page.elements if tag == "a"]
    assert len(links) >= 18
    assert all(link.startswith("#") and link[1:] in ids for link in links)


def test_nothing_is_loaded_from_anywhere(page: Page, html: str) -> None:
    assert not [a for _, a in page.elements if {"src", "srcset", "data", "action", "poster"} & set(a)]
    assert not [tag for tag, _ in page.elements if tag in ("link", "img", "iframe", "object", "base")]
    assert not re.search(r"https?://|@import|url\(", html)
    assert any("default-src 'none'" in a.get("content", "") for _, a in page.elements)


def test_hostile_text_makes_no_element_and_no_handler(page: Page) -> None:
    assert sum(tag == "script" for tag, _ in page.elements) == 1
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert 'tags such as <script>alert("x")</script>, [bold red] & "quotes"' in page.text
    assert "Read <this>." in page.text
    assert 'document doc"><svg onload=alert(1)>, explore, token 0' in [
        a.get("title") for _, a in page.elements
    ]


@pytest.mark.parametrize(
    "token", [t for t in HOSTILE_TOKENS if t.isprintable() and t == t.strip() and len(t) > 1]
)
def test_hostile_tokens_are_shown_as_they_are(page: Page, token: str) -> None:
    assert token in page.text


def test_no_control_character_is_in_the_page(html: str) -> None:
    assert not [c for c in html if (ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c == "\u202e"]


def test_every_score_stands_with_interval_counts_negatives_and_baselines() -> None:
    for card in fake_cards():
        text = " ".join(Page(render_report([card], _context([card]))).text.split())
        for score in card.scores:
            assert f"{score.n_positive:,} firing, {score.n_negative:,} silent" in text
            assert all(f"{n} " in text or f"{n:,}" in text for n in score.unscored.values())
            if score.interval is not None:
                ends = f"[{number(score.interval.low)}, {number(score.interval.high)}]"
                assert f"{number(score.value)} {ends}" in text
            for baseline in score.baselines:
                assert baseline_words(baseline) in text
                assert (" + 7)" in baseline_words(baseline)) is (baseline.name is BaselineName.SHUFFLED)
        if (shuffled := headline(card).shuffled) is not None:
            assert shuffled.interval is not None
            ends = f"[{number(shuffled.interval.low)}, {number(shuffled.interval.high)}]"
            assert f"{ends}, n = {shuffled.n_positive:,} + 7" in text


def test_scores_are_drawn_where_they_lie() -> None:
    card = fake_cards()[0]
    score = card.scores[4]
    assert score.interval is not None
    assert score.value == 0.93
    html = render_report([card], _context([card]))
    low, high = round(100 * score.interval.low, 2), round(100 * score.interval.high, 2)
    assert f'<line x1="{low}%" x2="{high}%" y1="5" y2="5"/><circle cx="93.0%" cy="5" r="4"/>' in html


def test_firing_tokens_have_their_value_and_shade() -> None:
    card = fake_cards()[0]
    html = render_report([card], _context([card]))
    firing = sum(a > 0 for w in card.windows for a in w.activations)
    spans = [a for tag, a in Page(html).elements if tag == "span" and a.get("class", "").split()[:1] == ["f"]]
    assert len(spans) == firing
    strongest = max(max(w.activations) for w in card.windows)
    assert f"{strongest:.3g}" in [a["title"] for a in spans]
    assert all(re.fullmatch(r"--a:(0\.\d\d|1\.00)", a["style"]) for a in spans)


def test_an_abstained_card_shows_what_was_tried() -> None:
    card = fake_cards()[4]
    text = Page(render_report([card], _context([card]))).text
    assert "No label" in text
    for tried in card.verdict.tried:
        assert tried in text


def test_a_card_without_windows_or_scores_renders() -> None:
    page = Page(render_report([dead_card()], _context([dead_card()])))
    assert page.open == []
    assert "No windows: it was not seen to fire." in page.text
    assert "never" in page.text


def test_a_report_of_no_cards_renders() -> None:
    assert Page(render_report([], _context([]))).open == []


def test_totals_and_means_are_stated(page: Page) -> None:
    assert ReportTotals.of(fake_cards()) == ReportTotals(
        features=6, labelled=3, tentative=1, abstained=2, unscored=0
    )
    assert "0.84 [0.80, 0.88]" in page.text
    assert "2,003,311 tokens" in page.text


def test_25_features_stay_below_2_mb(tmp_path: Path) -> None:
    cards = [hostile_card(), *(fake_cards()[:3] * 8)]
    path = write_report(tmp_path / "new" / "page.html", cards, _context(cards))
    assert path.stat().st_size < 2_000_000
    assert Page(path.read_text("utf-8")).open == []


def test_many_features_show_fewer_windows_and_say_so() -> None:
    cards = fake_cards()[:3] * 40
    many, few = render_report(cards, _context(cards)), render_report(cards[:3], _context(cards[:3]))
    assert len(many) < 40 * len(few) * 0.75
    assert "further windows are not shown" in many
    assert "further windows are not shown" not in few


def test_the_same_cards_make_the_same_page(html: str) -> None:
    cards = fake_cards()
    assert render_report(cards, _context(cards)) == html


def test_a_lone_surrogate_does_not_stop_the_page(tmp_path: Path) -> None:
    card = dead_card().model_copy(update={"index_identity": "x\ud800"})
    assert "&lt;U+D800&gt;" in write_report(tmp_path / "p.html", [card], _context([card])).read_text("utf-8")


def test_a_failed_write_leaves_the_old_report_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_report(path, [dead_card()], _context([dead_card()]))
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not write the report"):
        write_report(tmp_path / "file" / "page.html", [], _context([]))
