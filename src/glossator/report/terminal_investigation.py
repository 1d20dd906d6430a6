"""What an investigation of one feature came to, on a terminal. Texts never go through markup."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from glossator.agents.investigator.findings import states
from glossator.agents.investigator.told_apart import told_apart
from glossator.records import FeatureInvestigation
from glossator.report.terminal_card import VERDICT_STYLES
from glossator.report.token_marks import safe_text
from glossator.report.wording import VERDICT_SIGNS, interval_words, spending_words

_MOST_HYPOTHESES = 8


def render_investigation(found: FeatureInvestigation, identity: str) -> RenderableType:
    """Verdict, label, facets, exceptions, hypotheses with their beliefs, and what it rests on."""
    parts: list[RenderableType] = [_headline(found), _numbers(found)]
    parts += [t for t in (_facets(found), _exceptions(found), _hypotheses(found), _minimal(found)) if t]
    parts.append(_footer(found, identity))
    return Group(*parts)


def _headline(found: FeatureInvestigation) -> Text:
    kind = found.verdict.kind
    label = found.explanation.text if found.explanation else "no label"
    line = Text(f"{VERDICT_SIGNS[kind]} {kind.value}", style=VERDICT_STYLES[kind])
    return line.append(f"  {found.feature}  ", style="default").append(safe_text(label), style="bold")


def _numbers(found: FeatureInvestigation) -> Text:
    lines = [safe_text(found.verdict.reason)]
    if found.f1 is not None and found.f1_interval is not None:
        compared = (
            "the one-shot label has no predicate"
            if found.baseline_f1 is None
            else f"the one-shot label {found.baseline_f1:.2f}"
        )
        interval = interval_words(found.f1_interval)
        lines.append(f"sealed F1 over all tokens {found.f1:.2f} {interval}; {compared}")
    return Text("\n".join(lines))


def _facets(found: FeatureInvestigation) -> Table | None:
    if not found.facets:
        return None
    table = Table(
        "facet", "covers", "precision", box=box.SIMPLE_HEAD, title="several meanings", title_justify="left"
    )
    for facet in found.facets:
        table.add_row(Text(safe_text(facet.text)), f"{facet.share:.0%}", f"{facet.precision:.2f}")
    return table


def _exceptions(found: FeatureInvestigation) -> Text | None:
    if not found.exceptions:
        return None
    lines: list[str] = []
    for exception in found.exceptions:
        note = "" if states(found.explanation, exception) else "; seen in a rival, not part of the claim"
        lines.append(f"  {safe_text(exception.text)} ({exception.n} places{note})")
    return Text("but not\n" + "\n".join(lines))


def _hypotheses(found: FeatureInvestigation) -> Table | None:
    if not found.hypotheses:
        return None
    table = Table(
        "hypothesis", "belief", "texts", "standing", "from",
        box=box.SIMPLE_HEAD, title="hypotheses", title_justify="left",
    )  # fmt: skip
    beliefs = {b.hypothesis: b for b in found.beliefs}
    for hypothesis in found.hypotheses[:_MOST_HYPOTHESES]:
        belief = beliefs.get(hypothesis.id)
        table.add_row(
            Text(safe_text(told_apart(hypothesis, found.hypotheses))),
            "–" if belief is None else f"{belief.probability:.2f}",
            "–" if belief is None else str(belief.n),
            "refuted" if hypothesis.id in found.refuted else "stands",
            hypothesis.origin.value,
        )
    left = len(found.hypotheses) - _MOST_HYPOTHESES
    if left > 0:
        table.caption = f"{left} more: --json"
    return table


def _minimal(found: FeatureInvestigation) -> Table | None:
    if not found.minimal:
        return None
    table = Table(
        "shortest text on which it fires", "activation kept",
        box=box.SIMPLE_HEAD, title="minimal contexts", title_justify="left",
    )  # fmt: skip
    for context in found.minimal:
        table.add_row(Text(safe_text(context.kept)), f"{context.share:.0%}")
    return table


def _footer(found: FeatureInvestigation, identity: str) -> Text:
    n = len(found.experiments)
    lines = [
        f"{n} experiment{'' if n == 1 else 's'}, stopped: {found.stopped.value}; "
        f"proposed by {safe_text(found.proposer)}; {found.seconds:.0f} s",
    ]
    if found.spending.calls or found.spending.cached:
        lines.append(spending_words(found.spending))
    shown = ", ".join(found.experiments[:4])
    if shown:
        lines.append(f"experiments {shown}{' …' if n > 4 else ''} (glossator evidence ID)")
    lines.append(f"trace: glossator investigations show {identity}")
    return Text("\n".join(lines), style="dim")
