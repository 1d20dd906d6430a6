"""The morning report as a page, as Markdown and in lines: whole, safe, bounded, and with its n."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from glossator.records import FeatureCard, RunHistory, RunReport
from glossator.report.run_document import Row
from glossator.report.run_lines import report_lines
from glossator.report.run_markdown import plain, run_report_markdown
from glossator.report.run_outcome_sections import spending_words
from glossator.report.run_page import render_run_report, run_document, write_run_page
from glossator.run_report import EarlierRun
from tests.report.page_reading import Page
from tests.run_report.fake_runs import FakeRun, directions
from tests.run_report.test_run_report import cofiring, report_of

_INTERVAL = re.compile(r"\d \[[−$\d<]")


@pytest.fixture(scope="module")
def report() -> RunReport:
    run = FakeRun(240, shift=0.05)
    return report_of(
        run,
        directions=lambda features: directions(tuple(features)),
        cofiring=cofiring,
        contradictions=run.contradictions(),
        earlier=EarlierRun("r-before", FakeRun(240).cards()),
    )


@pytest.fixture(scope="module")
def html(report: RunReport) -> str:
    return render_run_report(report)


@pytest.fixture(scope="module")
def markdown(report: RunReport) -> str:
    return run_report_markdown(report)


def test_tags_are_balanced_ids_unique_and_links_inner(html: str) -> None:
    page = Page(html)
    assert page.open == []
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids)) >= 12
    links = [a["href"] for tag, a in page.elements if tag == "a"]
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)


def test_nothing_is_loaded_and_nothing_runs(html: str) -> None:
    page = Page(html)
    assert any("default-src 'none'" in a.get("content", "") for _, a in page.elements)
    loading = {"script", "link", "img", "iframe", "object", "base"}
    assert not [tag for tag, _ in page.elements if tag in loading]
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert not re.search(r"src=[\"']|@import|url\(", html.replace("&lt;img src=x", ""))


def test_hostile_labels_and_events_are_shown_as_they_are(html: str) -> None:
    text = Page(html).text
    assert "<script>alert(1)</script> endpoint https://a|b does not answer" in text
    assert "<img src=x onerror=alert(1)>, [bold] | *stars*" in text


def test_markdown_makes_no_markup_of_what_others_wrote(markdown: str) -> None:
    assert "<script>" not in markdown.replace("\\<script", "")
    assert not re.search(r"(?<!\\)<", markdown)
    assert "https://" not in markdown
    for line in markdown.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) >= 2
    tables = re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE)
    assert len(tables) > 15
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_plain_writes_out_what_markdown_would_read() -> None:
    assert plain("# *a* [b](c) `d`\n| e") == "\\# \\*a\\* \\[b\\](c) \\`d\\` \\| e"
    assert [plain(t) for t in ("- a", "1. a", "---", "=", "-0.3")] == [
        "\\- a",
        "1\\. a",
        "\\---",
        "\\=",
        "-0.3",
    ]


_AUTOLINKS = (
    r"https?://\w", r"ftp://\w", r"www\.", r"[\w.+-]@[\w-]+\.\w", r"(mailto|xmpp):\S+@\w",
    r"@\w", r"#\d", r"\bGH-\d",
)  # fmt: skip
"""What GitHub makes a link of: https://github.github.com/gfm/#autolinks-extension-, names and issues."""


@pytest.mark.parametrize(
    "text",
    [
        "see www.a.b", "_www.a.b_", "(WWW.a.b)", "https://a.b", "_https://a.b/c_", "~HTTP://a.b~",
        "xhttps://a.b", "a:https://a.b", "ftp://a.b", "_ftp://a.b_", "a@b.c", "a_b.c+d@e-f.gh",
        "mailto:a@b.c", "xmpp:a@b.c/d", "<https://a.b>", "<a@b.c>", "@someone", "(@some-one)",
        "#12", "me/thing#12", "GH-12", "gh-12",
        "me@0123abc",
    ],
)  # fmt: skip
def test_plain_makes_no_link_of_an_address(text: str) -> None:
    found = [rule for rule in _AUTOLINKS if re.search(rule, text, re.IGNORECASE)]
    assert found, "the rules know this form"
    shown = plain(text)
    assert not [rule for rule in _AUTOLINKS if re.search(rule, shown, re.IGNORECASE)]
    assert re.sub(r"\\(.)", r"\1", shown).replace("\u200b", "") == text


def test_every_estimate_stands_with_n(report: RunReport) -> None:
    """A row with an interval says how many features, examples or documents it rests on; what events and
    contradictions say is quoted."""
    for section in run_document(report).sections:
        for table in section.tables:
            for row in table.rows:
                words = " ".join(f"{c.text} {c.small}" for c in row)
                if _INTERVAL.search(words) and section.anchor not in ("history", "contradictions"):
                    n_named = re.search(r"n = |documents = |\d \+ \d", words) or "Documents" in table.head
                    assert n_named, (section.anchor, words)


def test_rows_of_coverage_sum_to_all_features(report: RunReport, html: str, markdown: str) -> None:
    """Skipped ones with an earlier card stand once, apart from what was done here."""
    rows = [row for row in _coverage(report) if row[0].text]
    named = {row[0].text: int(row[1].text) for row in rows}
    assert sum(named.values()) == report.coverage.counts.total == 240
    assert sum(float(row[2].text.split()[0]) for row in rows) == pytest.approx(100, abs=0.3)
    done = sum(n for name, n in named.items() if name.startswith("done: "))
    with_card = sum(n for name, n in named.items() if name.startswith("skipped, earlier card: "))
    assert (done, with_card) == (report.coverage.counts.done, 3)
    assert named["skipped, without a card"] == 3
    assert "6 skipped (3 of them with an earlier card, which counts)" in report_lines(report)[0]
    for text in (Page(html).text, markdown):
        assert "skipped, 3 with an earlier card" in text


def test_a_lost_card_has_its_row() -> None:
    lost = report_of(FakeRun(40), cards=[c for c in FakeRun(40).cards() if c.feature.index != 8])
    named = {row[0].text: int(row[1].text) for row in _coverage(lost)}
    assert named["done: card not found"] == 1
    assert sum(named.values()) == 40


def _coverage(report: RunReport) -> tuple[Row, ...]:
    return next(s for s in run_document(report).sections if s.anchor == "coverage").tables[0].rows


def test_baselines_stand_beside_scores(html: str) -> None:
    text = " ".join(Page(html).text.split())
    assert re.search(r"shuffled 0\.\d\d \[0\.\d\d, 0\.\d\d\] \(n = \d+\)", text)
    assert re.search(r"empty 0\.50", text)
    assert re.search(r"embedded analyst 0\.70", text)


def test_what_others_reach_stands_with_its_n(report: RunReport) -> None:
    """In each cell of a column that shows it, not only somewhere in the row."""
    cells: list[str] = []
    for section in run_document(report).sections:
        for table in section.tables:
            columns = [i for i, name in enumerate(table.head) if name.startswith(("Shuffled", "To beat"))]
            cells += [row[i].small for row in table.rows for i in columns]
    assert len(cells) > 20
    said = re.compile(r"(other labels here, )?n = 15 \+ 5|other labels on average, n = \d+ features|a coin")
    assert all(said.fullmatch(cell) for cell in cells), cells
    assert {c.split(",")[0] for c in cells} == {"n = 15 + 5", "other labels here", "other labels on average"}


def test_cards_stored_before_baselines_had_an_n_can_be_read() -> None:
    card = FakeRun(40).card(1)
    text = re.sub(r',"n_positive":15,"n_negative":5(?=\})', "", card.model_dump_json())
    assert len(text) < len(card.model_dump_json())
    older = FeatureCard.model_validate_json(text)
    shown = report_of(FakeRun(40), cards=[older])
    assert shown.best[0].shuffled_n is None
    assert Page(render_run_report(shown)).open == []


def test_page_and_markdown_say_the_same(report: RunReport, html: str, markdown: str) -> None:
    text = " ".join(Page(html).text.split())
    unescaped = " ".join(re.sub(r"\\(.)", r"\1", markdown).split())
    for section in run_document(report).sections:
        assert section.title in text
        assert section.title in unescaped
        for paragraph in section.lead:
            assert " ".join(paragraph.split()) in text
            assert " ".join(paragraph.split()) in unescaped


def test_what_was_spent_without_account_is_said(html: str) -> None:
    text = Page(html).text
    assert "Up to 37 more" in text
    assert "the budget counts them as spent" in text


def test_where_the_price_is_unknown_nothing_is_said_to_cost_nothing(report: RunReport) -> None:
    spent = report.cost.spending.model_copy(update={"usd": None, "unaccounted_usd": 0.0})
    unknown = report.model_copy(update={"cost": report.cost.model_copy(update={"spending": spent})})
    assert "price unknown. Up to 37 more were in flight" in spending_words(unknown)
    assert "Up to 37 more ($0.0021) were in flight" in spending_words(report)


def test_the_share_of_false_labels_is_said(html: str, report: RunReport) -> None:
    held = len(report.discovery.holding)
    assert ", ".join(str(f) for f in report.discovery.holding) in Page(html).text
    assert f"{held} of {report.discovery.accepted} accepted labels hold" in Page(html).text


def test_where_a_search_was_cut_counts_are_at_least(report: RunReport) -> None:
    found = report.nestings.model_copy(update={"cut": True})
    cut = report.model_copy(update={"nestings": found, "shared_label_note": "of 9 pairs only 2 were joined"})
    n = f"{found.candidates:,} pairs of labels"
    pages = (Page(render_run_report(cut)).text, run_report_markdown(cut))
    assert all(f"At least {n}" in text and "of at least" in text for text in pages)
    assert all("of 9 pairs only 2 were joined" in text for text in pages)
    assert "about " in next(line for line in report_lines(cut) if "shared by several" in line)
    whole = cut.model_copy(update={"nestings": found.model_copy(update={"cut": False})})
    assert f"At least {n}" not in Page(render_run_report(whole)).text
    assert n in Page(render_run_report(whole)).text
    assert RunReport.model_validate_json(cut.model_dump_json()).nestings.partly


def test_the_page_does_not_grow_with_the_run(report: RunReport, html: str) -> None:
    many = report_of(
        FakeRun(600),
        directions=lambda features: directions(tuple(features)),
        cofiring=cofiring,
        contradictions=FakeRun.contradictions() * 10,
    )
    assert len(render_run_report(many)) < 1.2 * len(html)


def test_lines_are_few_and_plain(report: RunReport) -> None:
    lines = report_lines(report)
    assert 5 <= len(lines) <= 10
    assert lines[0].startswith("240 features: ")
    assert not [line for line in lines if "\n" in line or "\x1b" in line]


def test_the_report_of_an_empty_run_can_be_shown() -> None:
    empty = report_of(FakeRun(0), ended=())
    assert Page(render_run_report(empty)).open == []
    assert run_report_markdown(empty)
    assert "Never started" in report_lines(empty.model_copy(update={"history": RunHistory()}))


@pytest.mark.parametrize("n", [1, 2])
def test_the_report_of_hardly_any_features_claims_no_interval(n: int) -> None:
    few = report_of(FakeRun(n), ended=(1,))
    assert few.distributions[0].median.n == n
    assert few.distributions[0].median.interval is None
    assert few.cost.calls_per_feature.n == n
    assert Page(render_run_report(few)).open == []
    assert report_lines(few)


def test_the_same_report_makes_the_same_page(report: RunReport, html: str, tmp_path: Path) -> None:
    again = RunReport.model_validate_json(report.model_dump_json())
    assert write_run_page(tmp_path / "a" / "run.html", again).read_text(encoding="utf-8") == html


def test_contradictions_that_nobody_looked_for_are_not_none_found() -> None:
    unasked = report_of(FakeRun(40), contradictions=None)
    assert "Not looked for" in Page(render_run_report(unasked)).text
    assert "contradictions not looked for" in " ".join(report_lines(unasked))
