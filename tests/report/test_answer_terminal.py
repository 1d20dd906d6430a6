"""Answers and events on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from glossator.records import (
    Answer,
    Claim,
    ClaimStanding,
    Contradiction,
    LlmSpending,
    PlannerKind,
    TraceEvent,
    TraceKind,
)
from glossator.report.terminal_answer import render_answer, spending_words
from glossator.report.terminal_trace import TraceLines


def shown(answer: Answer) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(render_answer(answer))
    return out.getvalue()


CLAIMS = (
    Claim(text="feature 3 fires on [red]law[/red]\x1b[2J", evidence=("e-1",),
        standing=ClaimStanding.SUPPORTED),
    Claim(
        text="it fires often", evidence=("e-2",), struck=("F99",), standing=ClaimStanding.DOUBTFUL,
        remark="its evidence does not hold the number 9",
    ),
    Claim(text="all is well", standing=ClaimStanding.UNSUPPORTED, remark="it cites no evidence"),
)  # fmt: skip
ANSWER = Answer(
    investigation="i-0123", request="?", claims=CLAIMS, enough=True, planner=PlannerKind.SCHEMA,
    tried=("search(): 3 facts",), left_out=("search: 3 more: page 2",),
    contradictions=(Contradiction(first="f-1", second="f-2", words="3 is said to be two things"),),
    spending=LlmSpending(calls=2, cached=1, input_tokens=1500, output_tokens=80, usd=0.01),
)  # fmt: skip


def test_claims_show_what_they_are_worth() -> None:
    said = shown(ANSWER)
    assert "• feature 3 fires on [red]law[/red]" in said, "no markup"
    assert "\x1b[2J" not in said, "no terminal commands"
    assert "[e-1]" in said
    assert "~ it fires often" in said
    assert "F99" in said
    assert "doubtful: its evidence does not hold the number 9" in said
    assert "✗ all is well" in said
    assert "unsupported: it cites no evidence" in said
    assert "contradicts what is stored: 3 is said to be two things" in said
    assert "search: 3 more: page 2" in said
    assert "2 LLM calls (1 from the ledger), 1,500 + 80 tokens, 0.0100 USD" in said
    assert "Not enough" not in said
    assert "Tried" not in said


def test_not_enough_says_what_was_tried() -> None:
    tried = tuple(f"search(n={n}): 0 facts" for n in range(20))
    lacking = ANSWER.model_copy(
        update={"enough": False, "claims": (), "tried": tried, "stopped": "step limit"}
    )
    said = shown(lacking)
    assert "Not enough evidence to answer." in said
    assert "Ended early: step limit" in said
    assert "search(n=0): 0 facts" in said
    assert "and 8 more" in said


def test_costs_in_words() -> None:
    assert spending_words(LlmSpending()) == "no LLM calls"
    assert "price unknown" in spending_words(LlmSpending(calls=1))


def lines(*events: TraceEvent, every: bool = False) -> list[str]:
    out = io.StringIO()
    listener = TraceLines(Console(file=out, width=60), every=every)
    for event in events:
        listener(event)
    return out.getvalue().splitlines()


def test_each_event_is_one_line() -> None:
    call = TraceEvent(step="s", number=0, kind=TraceKind.TOOL_CALL, words='steer(feature=3, text="[b]a\nb")')
    long = TraceEvent(
        step="s", number=1, kind=TraceKind.TOOL_RESULT, words="x" * 300, evidence=("e-1", "e-2", "e-3")
    )
    paid = TraceEvent(
        step="s", number=2, kind=TraceKind.REPLY, words="wants steer",
        spent=LlmSpending(calls=1, input_tokens=9, output_tokens=2),
    )  # fmt: skip
    prompt = TraceEvent(step="s", number=3, kind=TraceKind.PROMPT, words="asks tiny")
    said = lines(call, long, paid, prompt)
    assert said[0] == '» steer(feature=3, text="[b]a b")'
    assert len(said) == 3
    assert all(len(line) <= 60 for line in said)
    assert said[2].endswith("9+2 tokens")
    assert lines(prompt, every=True) == ["→ asks tiny"]


def test_every_kind_has_a_sign() -> None:
    events = [TraceEvent(step="s", number=n, kind=kind, words="w") for n, kind in enumerate(TraceKind)]
    assert len(lines(*events, every=True)) == len(list(TraceKind))
