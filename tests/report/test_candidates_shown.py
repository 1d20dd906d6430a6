from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from glossator.comparison import compare_cards
from glossator.llm_summary import SHOWN, feature_differences, total_rejected, total_spending
from glossator.records import FeatureCard, LlmSpending, Score
from glossator.report.headline import headline
from glossator.report.page import render_report
from glossator.report.terminal import cards_table, render_card
from glossator.report.terminal_comparison import render_comparison
from glossator.report.wording import signed_words, spending_words, usd_words
from glossator.report_summary import report_context
from glossator.settings import load_settings
from tests.report.fake_candidates import READER, llm_card
from tests.report.fake_cards import fake_cards


class _Page(HTMLParser):
    """The page's elements and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += f"{data} "


def page_of(cards: list[FeatureCard], *, compared: bool = True) -> str:
    settings = load_settings({"explainer": "openai:gpt-5-mini"}, environment={}).settings
    context = report_context(cards, settings, tokens=1000, created=datetime(2026, 11, 22, tzinfo=UTC))
    labelled = llm_card()
    comparisons = [compare_cards([labelled.card], labelled.evidence.get)] if compared else []
    return render_report(cards, context, comparisons)


def printed(what: RenderableType, width: int) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


@pytest.fixture(scope="module")
def html() -> str:
    return page_of([llm_card().card, *fake_cards()])


def words(html: str) -> str:
    return " ".join(_Page(html).text.split())


def test_the_page_is_whole_and_loads_no_model_text_as_markup(html: str) -> None:
    page = _Page(html)
    assert page.open == []
    assert page.tags.count("script") == 1
    assert "<script>alert(1)</script> [bold]names[/bold] ␛[31mred␛[0m [/nope]" in page.text
    assert "\x1b" not in html


def test_the_page_shows_each_candidate_with_method_author_prompts_and_flags(html: str) -> None:
    shown = words(html)
    assert "embedded analyst, no LLM, by embedded-analyst/1, with a rule" in shown
    assert "one-shot, by gpt-5-mini, asked with explain_one_shot v2, without a rule" in shown
    assert "refined, by gpt-5-mini, asked with explain_one_shot v2, explain_refine v1" in shown
    assert "quotes windows" in shown
    assert "0.95 (n 32)" in shown
    assert f"Detection read by {READER}" in shown


def test_the_page_shows_differences_with_their_intervals(html: str) -> None:
    labelled = llm_card()
    comparison = compare_cards([labelled.card], labelled.evidence.get)
    shown = words(html)
    found = [s.difference for e in comparison.explanations for s in e.scores if s.difference is not None]
    paired = [d for d in found if d.value is not None]
    assert len(paired) == 6
    for difference in paired:
        assert signed_words(difference.value, difference.interval) in shown
    assert "there is no paired interval for this measure" in shown


def test_the_page_shows_what_was_unfit_unscored_and_spent(html: str) -> None:
    shown = words(html)
    assert "prompt echo 2, refusal 1" in shown
    assert "41 calls, 3 from the ledger; 20,512 tokens in, 1,403 out; cost $0.012" in shown
    assert "malformed answer 7, timed out 2" in shown
    assert "7 unscored: malformed answer 7" in shown
    assert "detection_many v1, 10 a prompt, stopped: the interval was narrow enough" in shown
    assert "41 paid, 3 from the ledger" in shown


def test_an_unknown_price_is_said(html: str) -> None:
    assert "Cost $0.012" in words(html)
    assert "Cost unknown" in words(page_of([llm_card().card, llm_card(5, usd=None).card]))


def test_without_evidence_the_candidates_stand_without_differences() -> None:
    shown = words(page_of([llm_card().card], compared=False))
    assert "surnames after a title" in shown
    assert "no paired interval" not in shown
    assert "Explanations tried" not in words(page_of(fake_cards()))


def test_the_card_on_a_terminal_shows_the_candidates() -> None:
    labelled = llm_card()
    comparison = compare_cards([labelled.card], labelled.evidence.get)
    shown = " ".join(printed(render_card(labelled.card, comparison), 120).split())
    assert "Explanations tried" in shown
    assert "By gpt-5-mini, refined, asked with explain_one_shot v2, explain_refine v1" in shown
    assert "<script>alert(1)</script> [bold]names[/bold] ␛[31mred␛[0m [/nope]" in shown
    assert "explanations that were not fit to be scored: prompt echo 2, refusal 1" in shown
    assert "cost $0.012" in shown
    assert "without a usable answer: malformed answer 7, timed out 2" in shown


@pytest.mark.parametrize("width", [30, 80, 120])
def test_a_comparison_fits_its_terminal_and_lets_no_escape_through(width: int) -> None:
    labelled = llm_card()
    comparison = compare_cards([labelled.card], labelled.evidence.get)
    for what in (render_comparison(comparison), render_card(labelled.card, comparison)):
        shown = printed(what, width)
        assert max(map(cell_len, shown.splitlines())) <= width
        assert not [c for c in shown if ord(c) < 0x20 and c != "\n"]


def test_a_comparison_names_every_question_and_what_could_not_be_paired() -> None:
    labelled = llm_card()
    lines = printed(render_comparison(compare_cards([labelled.card], labelled.evidence.get)), 100)
    shown = " ".join(lines.split())
    for asked in (
        f"Detection by {READER}, against random silent windows",
        f"Detection by {READER}, against hard silent windows",
        f"Fuzzing by {READER}, against firing windows wrongly marked",
        f"Simulation by {READER}",
        "balanced accuracy 1 0.73",
        "correlation 1 0.32",
    ):
        assert asked in shown
    assert "explanation 2: 7 unscored: malformed answer 7" in shown
    assert "no difference: values stand side by side" in shown


def test_the_table_shows_the_llms_detection_and_who_read() -> None:
    card = llm_card().card
    wide = printed(cards_table([card, *fake_cards()], 130), 130)
    assert "read by" in wide
    assert READER in wide
    assert "read by" not in printed(cards_table(fake_cards(), 130), 130)
    assert "read by" not in printed(cards_table([card], 100), 100)


def test_an_llm_reader_stands_before_the_predicate() -> None:
    card, plain = llm_card().card, fake_cards()[0]
    both = card.model_copy(update={"scores": (*plain.scores, *card.scores)})
    shown = headline(both)
    assert shown.detection_random is not None
    assert shown.detection_random.reader == READER
    unread = tuple(_unscored(s) for s in card.scores)
    fallback = headline(card.model_copy(update={"scores": (*unread, *plain.scores)})).detection_random
    assert fallback is not None
    assert fallback.reader == "predicate"


def _unscored(score: Score) -> Score:
    return score.model_copy(update={"value": None, "interval": None})


def test_run_totals_add_up_and_an_unknown_price_stays_unknown() -> None:
    cards = [llm_card().card, *fake_cards()]
    total = total_spending([*cards, llm_card(5).card])
    assert total is not None
    assert (total.calls, total.cached, total.input_tokens) == (82, 6, 41_024)
    assert total.usd == pytest.approx(0.0246)
    assert total.unscored == {"malformed answer": 14, "timed out": 4}
    unknown = total_spending([*cards, llm_card(5, usd=None).card])
    assert unknown is not None
    assert unknown.usd is None
    assert total_spending(fake_cards()) is None
    assert total_rejected(cards) == {"prompt echo": 2, "refusal": 1}


def test_differences_are_within_features_and_need_both_labels() -> None:
    card = llm_card().card
    base, _, chosen = card.candidates
    found = feature_differences([card, *fake_cards()])
    name = f"{SHOWN}: Detection · balanced accuracy by {READER}, against random silent windows, >30 % of max"
    assert chosen.scores[0].value is not None
    assert base.scores[0].value is not None
    assert found[name] == [pytest.approx(chosen.scores[0].value - base.scores[0].value)]
    assert any(n.startswith("one-shot: Fuzzing") for n in found)
    assert not any("Simulation" in n for n in found)
    alone = card.model_copy(update={"candidates": (chosen,)})
    assert feature_differences([alone]) == {}


def test_the_summary_has_the_mean_difference_with_an_interval_over_features() -> None:
    shown = words(page_of([llm_card().card, llm_card(5).card, llm_card(6).card]))
    assert "LLM labels against the embedded analyst's, paired by feature" in shown
    assert f"{SHOWN}: Detection" in shown


@pytest.mark.parametrize(
    ("usd", "said"),
    [(None, "unknown"), (0.0, "$0.00"), (0.0123, "$0.012"), (12.3456, "$12.35"), (1e-6, "<$0.0001")],
)
def test_money_in_words(usd: float | None, said: str) -> None:
    assert usd_words(usd) == said


def test_one_call_is_one_call() -> None:
    assert spending_words(LlmSpending(calls=1)).startswith("1 call, 0 from the ledger")
