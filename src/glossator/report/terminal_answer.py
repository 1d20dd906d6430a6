"""An answer on a terminal: claims with their evidence, what was struck and doubted, and what was tried.

Every text goes through `rich.text.Text`, never through markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.text import Text

from glossator.records import Answer, Claim, ClaimStanding, LlmSpending
from glossator.report.token_marks import safe_text

_TRIED = 12
_MARKS = {
    ClaimStanding.SUPPORTED: ("•", ""),
    ClaimStanding.DOUBTFUL: ("~", "yellow"),
    ClaimStanding.UNSUPPORTED: ("✗", "red"),
}


def render_answer(answer: Answer) -> Group:
    """Claims first; then what should be known before they are believed."""
    return Group(*_lines(answer))


def _lines(answer: Answer) -> Iterator[Text]:
    if not answer.enough:
        yield Text(
            "Not enough evidence." if answer.claims else "Not enough evidence to answer.", style="bold"
        )
    if answer.stopped:
        yield Text(f"Ended early: {safe_text(answer.stopped)}", style="red")
    for claim in answer.claims:
        yield _claim(claim)
    for contradiction in answer.contradictions:
        yield Text(f"contradicts what is stored: {safe_text(contradiction.words)}", style="red")
        yield Text(f"  {contradiction.first} against {contradiction.second}", style="dim")
    yield from _listed("Tried", answer.tried if not answer.enough else ())
    yield from _listed("Not looked at", answer.left_out)
    spent = spending_words(answer.spending)
    yield Text(
        f"{answer.investigation} · {answer.planner.value} · {answer.seconds:.1f} s · {spent}", style="dim"
    )


def _claim(claim: Claim) -> Text:
    mark, style = _MARKS[claim.standing]
    line = Text(f"{mark} ", style=style)
    line.append(safe_text(claim.text), style=style)
    if claim.evidence:
        line.append(f"  [{', '.join(claim.evidence)}]", style="dim")
    for identity in claim.struck:
        line.append("  ")
        line.append(safe_text(identity), style="strike red")
    if claim.remark:
        line.append(f"\n    {claim.standing.value}: {safe_text(claim.remark)}", style=style)
    return line


def _listed(heading: str, lines: Sequence[str]) -> Iterator[Text]:
    if lines:
        yield Text(f"{heading}:", style="bold")
    for line in lines[:_TRIED]:
        yield Text(f"  {safe_text(line)}")
    if len(lines) > _TRIED:
        yield Text(f"  … and {len(lines) - _TRIED} more")


def spending_words(spent: LlmSpending) -> str:
    """Calls, tokens and money in a few words."""
    if not spent.calls and not spent.cached:
        return "no LLM calls"
    money = "price unknown" if spent.usd is None else f"{spent.usd:.4f} USD"
    tokens = f"{spent.input_tokens:,} + {spent.output_tokens:,} tokens"
    return f"{spent.calls} LLM calls ({spent.cached} from the ledger), {tokens}, {money}"
