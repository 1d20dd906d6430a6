from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from glossator.agents.trace.audit import AuditFlag, AuditKind, audit
from glossator.agents.trace.trace import StepTrace, Trace
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.records import StoredEvent, TraceKind, TriedText
from glossator.report.belief_plot import belief_plot
from glossator.report.trace_events_view import LONGEST
from glossator.report.trace_page import render_trace_page, trace_json, write_trace_page
from tests.agents.trace_fixtures import (
    BOTH,
    FEATURE,
    LEGAL,
    SPORT,
    add_beliefs,
    add_experiment,
    add_hypothesis,
    begun,
    beliefs,
    experiment,
    hypothesis,
    made_up_feature,
    made_up_request,
    spent,
    tried,
)

VOID = {"meta"}
NASTY = "<script>alert(1)</script> \x1b[2J \u202e ]]> &amp; </style>"


class Tags(HTMLParser):
    """Counts tags and notices where they do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        given = dict(attrs)
        self.ids += [str(given["id"])] if "id" in given else []
        self.links += [str(given["href"])] if "href" in given else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(tmp_path / "l.sqlite")


def page_of(ledger: Ledger, identity: str, flags: Sequence[AuditFlag] | None = None) -> str:
    store = InvestigationStore(ledger)
    events = store.events(identity)
    found = audit(events, lambda _: False) if flags is None else flags
    return render_trace_page(store.find(identity), events, found)


def words_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<body>") :]).split())


def test_an_investigation_is_one_page_that_needs_nothing_else(ledger: Ledger) -> None:
    page = page_of(ledger, made_up_feature(ledger))
    tags = Tags(page)
    assert not {"script", "link", "img", "iframe", "form"} & set(tags.seen)
    assert "default-src 'none'" in page
    assert "url(" not in page
    assert all(link.startswith("#") for link in tags.links)
    assert {link[1:] for link in tags.links} <= set(tags.ids)  # every link leads somewhere
    assert len(tags.ids) == len(set(tags.ids))
    words = words_of(page)
    assert "Audit: nothing to report" in words
    assert "accepted detection 0.91" in words
    assert "0.83 [0.79, 0.86]" in words
    assert "2 calls, 0 from the ledger; 2,400 tokens in, 300 out; cost $0.004" in words
    assert "investigator:small-model" in words
    assert "41.7 s" in words
    assert "royal courts: 15% of firing windows" in words
    assert "“the court” keeps 71%" in words


def test_experiments_are_tables_and_hypotheses_have_short_names(ledger: Ledger) -> None:
    page = page_of(ledger, made_up_feature(ledger))
    words = words_of(page)
    assert "texts for H1: 4 of 4 decided texts as predicted, 1 too weak to decide" in words
    assert "texts for H2: 0 of 4 decided texts as predicted" in words
    assert "minimal pairs for H1: 3 of 4" in words
    assert "The court ruled against the tenant. a ruling fires ✓ fires 8.4 0.84 ·court" in words
    assert "She won on the clay court in Paris. tennis fires ✗ silent 0 – –" in words
    assert "A lawyer wrote the letter. fires ~ weak 1.4 0.14 ·lawyer" in words
    assert 'style="width:92.31%"' in page or 'style="width:100.0%"' in page
    for one in (LEGAL, SPORT, BOTH):
        assert f">{one.id}" not in page  # named H1, H2, H3 instead
    assert "H3 courts of law, and royal courts joined" in words
    assert re.search(r"H2 tennis and other sports .* refuted", words)


def test_a_request_shows_its_claims_with_what_they_cite(ledger: Ledger) -> None:
    page = page_of(ledger, made_up_request(ledger))
    words = words_of(page)
    Tags(page)
    assert "Feature 812 fires on courts of law. supported" in words
    assert '<del title="cited, and does not exist"><code>e-made-up</code></del>' in page
    assert "window 1, explore: fires 9.1 (quantile 0.97)" in words
    assert "left out: 14 more: page 2" in words
    assert "texts must be at least 4" in words
    assert "no model was asked" in words
    assert "schema" in words


def test_flags_stand_on_top_and_lead_to_their_steps(ledger: Ledger) -> None:
    flag = AuditFlag(kind=AuditKind.ONE_SIDED, words=f"all texts for {SPORT.id} {NASTY}", step="experiment-1")
    lost = AuditFlag(kind=AuditKind.AFTER_THE_END, words="something", step="nowhere")
    page = page_of(ledger, made_up_feature(ledger), [flag, lost])
    assert page.index("Audit: 2 to look at") < page.index("Hypotheses</h2>")
    assert "all texts for H2 &lt;script&gt;" in page
    target = re.search(r'<a href="#(step-\d+)">experiment-1</a>', page)
    assert target is not None
    assert f'id="{target[1]}" open' in page


def nasty(ledger: Ledger) -> str:
    """Every kind of event, each with text that would like to be markup."""
    trace = begun(ledger, NASTY)
    one = hypothesis(NASTY[:200], NASTY)
    with trace.at(f"step {NASTY}") as events:
        for kind in TraceKind:
            payload = {"text": NASTY, "turns": [{"role": NASTY, "content": NASTY}], "said": [NASTY]}
            events.add(kind, NASTY, payload, evidence=[NASTY], spent=spent())
            events.add(kind, NASTY, {"facts": [{"text": NASTY, "evidence": NASTY}, NASTY, 3]})
            events.add(kind, NASTY, [NASTY])
        add_hypothesis(events, one)
        add_experiment(trace, events, experiment(one, [tried(NASTY, "fires", 5.0, NASTY, NASTY)]))
    with trace.at("beliefs") as events:
        add_beliefs(events, beliefs(legal=1.0))
    return trace.investigation


def test_texts_cannot_become_markup(ledger: Ledger) -> None:
    page = page_of(ledger, nasty(ledger))
    tags = Tags(page)
    assert "script" not in tags.seen
    assert "<script" not in page.lower()
    assert page.count("</style>") == 1
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert page.count("&lt;script&gt;") > 40
    for kind in ("started", "asked", "reply", "hypothesis", "calls", "result", "error", "belief", "claim"):
        assert f'<span class="kind">{kind}</span>' in page
    for kind in ("verdict", "limit", "finished", "failed"):
        assert f'<span class="kind">{kind}</span>' in page


def test_an_investigation_that_has_not_finished_has_a_page_too(ledger: Ledger) -> None:
    empty = begun(ledger, "nothing yet").investigation
    assert "0 events in 0 steps" in page_of(ledger, empty)
    page = page_of(ledger, made_up_feature(ledger, finish=False))
    assert 'class="state unfinished"' in page
    assert 'aria-label="Result"' not in page


def long_trace(ledger: Ledger, n: int) -> str:
    trace = begun(ledger, str(FEATURE))
    text = "The court ruled “against” the tenant of the house — and adjourned. " * 30
    for number in range(n // 5):
        with trace.at(f"experiment-{number}") as events:
            if number == 0:
                add_hypothesis(events, LEGAL)
            events.add(TraceKind.PROMPT, "asked", {"turns": [{"role": "user", "content": text}]})
            events.add(TraceKind.REPLY, "answered", {"said": [text[:500]]}, spent=spent())
            _plain_experiment(events, [tried(f"{i}: {text[:100]}", "fires", i / 2) for i in range(8)])
            add_beliefs(events, beliefs(legal=number / 50))
    return trace.investigation


def _plain_experiment(events: StepTrace, tested: Sequence[TriedText]) -> None:
    done = experiment(LEGAL, tested)
    events.add(TraceKind.TOOL_RESULT, "ran", done.model_dump(mode="json"), evidence=["e-1"])


def test_five_hundred_events_take_less_than_a_second(ledger: Ledger) -> None:
    store = InvestigationStore(ledger)
    identity = long_trace(ledger, 500)
    events, stored = store.events(identity), store.find(identity)
    assert len(events) > 500
    render_trace_page(stored, events[:10], ())  # the templates are read
    began = time.process_time()
    page = render_trace_page(stored, events, audit(events, lambda _: True))
    assert time.process_time() - began < 1.0
    Tags(page)
    assert " open>" not in page  # many steps are closed at first
    assert page.count("<polyline") == 1


def test_very_long_texts_are_cut_and_say_so(ledger: Ledger) -> None:
    trace = begun(ledger, "long")
    with trace.at("propose") as events:
        events.add(
            TraceKind.PROMPT, "asked", {"turns": [{"role": "user", "content": "x" * (LONGEST + 1234)}]}
        )
    assert "… 1,234 more characters: glossator investigations export ID" in page_of(
        ledger, trace.investigation
    )


def told(trace: Trace, *rounds: dict[str, float]) -> list[StoredEvent]:
    for number, odds in enumerate(rounds):
        with trace.at(f"update-{number}") as events:
            add_beliefs(events, beliefs(**odds))
    return trace.store.events(trace.investigation)


def test_curves_begin_where_a_hypothesis_entered(ledger: Ledger) -> None:
    events = told(begun(ledger, "x"), {"legal": 0.0, "sport": 0.0}, {"legal": 2.0, "both": 0.1, "sport": 0.0})
    names = {LEGAL.id: "H1", SPORT.id: "H2", BOTH.id: "H3", "h-unseen": "H4"}
    plot = belief_plot([e.event for e in events], names)
    assert plot is not None
    assert [line.name for line in plot.lines] == ["H1", "H2", "H3"]
    assert [len(line.dots) for line in plot.lines] == [2, 2, 1]
    assert plot.lines[0].dots[1].y < plot.lines[0].dots[0].y  # more believed: higher up
    assert plot.lines[2].dots[0].x == plot.lines[0].dots[1].x
    places = sorted(line.label_y for line in plot.lines)
    assert all(b - a >= 12.9 for a, b in pairwise(places))  # names are apart
    assert plot.top <= places[0]
    assert places[-1] <= plot.bottom
    assert "H1 0.7" in plot.words
    assert belief_plot([], names) is None
    assert belief_plot([e.event for e in events], {"h-unseen": "H4"}) is None


def test_the_export_for_programs_holds_everything(ledger: Ledger, tmp_path: Path) -> None:
    store, identity = InvestigationStore(ledger), made_up_feature(ledger)
    events = store.events(identity)
    flag = AuditFlag(kind=AuditKind.ONE_SIDED, words="w", step="s")
    whole = json.loads(trace_json(store.find(identity), events, [flag]))
    assert [StoredEvent.model_validate(e) for e in whole["events"]] == events
    assert whole["result"]["verdict"]["kind"] == "accepted"
    assert whole["investigation"]["id"] == identity
    assert whole["investigation"]["names"] == {"subject": "tiny", "dictionary": "1-resid-8"}
    assert whole["audit"][0]["kind"] == "one-sided experiments"
    path = write_trace_page(tmp_path / "deep" / "page.html", store.find(identity), events, [])
    assert path.read_text().startswith("<!DOCTYPE html>")
