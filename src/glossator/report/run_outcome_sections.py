"""What the report says of a run as a whole: what happened, what became of its features, what it cost."""

from __future__ import annotations

from glossator.records import Estimate, RunCoverage, RunReport
from glossator.report.progress import duration_words
from glossator.report.run_document import (
    Cell,
    CellKind,
    Section,
    Table,
    counted,
    estimate_cell,
    features_words,
    number_cell,
    reasons_table,
)
from glossator.report.run_plots import pace_plot
from glossator.report.wording import NOTHING, count, number, usd_words

_KIND_WORDS = {"worker_lost": "lost worker", "outage_began": "outage", "paused": "pause"}


def history_section(report: RunReport) -> Section:
    """What happened, in order."""
    history = report.history
    rows = tuple(
        (
            Cell(e.at[:19].replace("T", " "), CellKind.NUMBER),
            Cell(e.event.kind.value.replace("_", " ")),
            Cell(e.event.words, small=e.event.worker),
        )
        for e in history.events
    )
    note = f"{count(history.left_out)} events in the middle are left out." if history.left_out else ""
    table = Table(("When (UTC)", "What", "In words"), rows, "Events", note, len(rows) > 12, 2)
    return Section("history", "What happened", _history_lead(report), (table,) if rows else ())


def coverage_section(report: RunReport) -> Section:
    """What became of all features that were asked for."""
    covered = report.coverage
    total = max(covered.counts.total, 1)
    states = _outcomes(covered)
    rows = tuple(
        (Cell(name), number_cell(n), Cell(f"{100 * n / total:.1f} %", CellKind.NUMBER)) for name, n in states
    )
    tables = [Table(("Outcome", "Features", "Of all"), rows, "", _coverage_note(report))]
    named = (
        (covered.failed, "Why features failed", "Features"),
        (covered.skipped, "Why features were skipped", "Features"),
        (report.unscored, "Model answers that could not be used", "Calls"),
        (report.rejected, "Explanations that were not fit to be scored", "Explanations"),
    )
    tables += [reasons_table(found, caption, unit) for found, caption, unit in named if found]
    lead = (f"{count(covered.counts.total)} features were asked for.",)
    return Section("coverage", "Coverage", lead, tuple(tables))


def abstentions_section(report: RunReport) -> Section:
    """Features without a label: a result, with its reasons."""
    rows = tuple(
        (Cell(g.reason), number_cell(g.n), Cell(features_words(g.examples, g.n))) for g in report.abstentions
    )
    n = sum(g.n for g in report.abstentions)
    lead = (
        f"{count(n)} features were left without a label. That is a result: what was tried did not stand up to"
        " sealed texts, or there was nothing to try it on. Their cards say what was tried.",
    )
    table = Table(("Reason", "Features", "Which"), rows)
    return Section("abstentions", "Abstentions", lead, (table,) if rows else ())


def cost_section(report: RunReport) -> Section:
    """The bill, and how fast it went."""
    cost = report.cost
    rows = (
        (Cell("by accepted label"), Cell(usd_words(cost.usd_per_accepted), CellKind.NUMBER), Cell(
            f"the whole bill by {count(cost.accepted)} accepted labels")),
        (Cell("by feature"), money_cell(cost.usd_per_feature), Cell("mean over features done")),
        (Cell("calls by feature"), _amount(cost.calls_per_feature), Cell("paid ones")),
        (Cell("tokens by feature"), _amount(cost.tokens_per_feature, 0), Cell("sent and received")),
        (Cell("seconds by feature"), _amount(cost.seconds_per_feature), Cell(
            "from lease to end; features are in work side by side")),
    )  # fmt: skip
    tables = [Table(("Cost", "Mean, 95 % interval", "Of what"), rows, wide=2)]
    if cost.by_method:
        by_method = tuple(
            (
                Cell(m.method),
                number_cell(m.features),
                _amount(m.calls),
                _amount(m.tokens, 0),
                money_cell(m.usd),
            )
            for m in cost.by_method
        )
        head = ("Label", "Features", "Calls", "Tokens", "Money")
        note = (
            "What the whole feature cost whose label came about so, other methods that were tried included."
        )
        tables.append(Table(head, by_method, "By how the label came about", note))
    return Section(
        "cost", "Cost and pace", (spending_words(report),), tuple(tables), pace=pace_plot(report.pace)
    )


def spending_words(report: RunReport) -> str:
    """The bill in one sentence, with what could not be accounted for."""
    spent = report.cost.spending
    money = "price unknown" if spent.usd is None else usd_words(spent.usd)
    words = f"{count(spent.calls)} calls were made, {count(spent.tokens)} tokens, {money}."
    if spent.unaccounted_calls:
        worth = "" if spent.usd is None else f" ({usd_words(spent.unaccounted_usd)})"
        words += (
            f" Up to {count(spent.unaccounted_calls)} more{worth} were in flight when"
            " workers were killed: whether they were paid is not known, so the budget counts them as spent."
        )
    return words


def money_cell(estimate: Estimate) -> Cell:
    """Money with its interval."""
    words = usd_words(estimate.value)
    if estimate.value is not None and estimate.interval is not None:
        words += f" [{usd_words(estimate.interval.low)}, {usd_words(estimate.interval.high)}]"
    return Cell(words, CellKind.NUMBER, f"n = {count(estimate.n)}")


def _history_lead(report: RunReport) -> tuple[str, ...]:
    history = report.history
    if not history.began:
        return ("It was never started.",)
    began, ended = (t[:16].replace("T", " ") for t in (history.began, history.ended))
    words = f"From {began} to {ended} UTC; running for {duration_words(history.running_seconds)} of that"
    if history.outage_seconds:
        words += f", and for {duration_words(history.outage_seconds)} of it some endpoint did not answer"
    met = [counted(n, _KIND_WORDS[kind]) for kind, n in history.counts.items() if kind in _KIND_WORDS]
    plan = report.plan
    ordered = f"Ordered: {plan.selection}, depth {plan.depth.value}, {plan.order.value} first"
    ordered += f", budget {plan.budget}" if plan.budget else ", no budget"
    ordered += f", until {plan.until}." if plan.until else "."
    return (words + (f"; {', '.join(met)}." if met else "."), ordered)


def _outcomes(covered: RunCoverage) -> list[tuple[str, int]]:
    """Every feature in one row: what was done here apart from what had an earlier card."""
    earlier = covered.earlier_verdicts
    here = {verdict: n - earlier.get(verdict, 0) for verdict, n in covered.verdicts.items()}
    rows = [(f"done: {verdict}", n) for verdict, n in _in_order(here)]
    if covered.missing_cards:
        rows.append(("done: card not found", covered.missing_cards))
    rows.append(("failed", covered.counts.failed))
    rows += [(f"skipped, earlier card: {v}", n) for v, n in _in_order(earlier) if covered.earlier_cards]
    without = "skipped, without a card" if covered.earlier_cards else "skipped"
    return [*rows, (without, covered.counts.skipped - covered.earlier_cards), ("left", covered.counts.left)]


def _coverage_note(report: RunReport) -> str:
    covered, notes = report.coverage, list[str]()
    if covered.retryable:
        notes.append(
            f"Trying again could help {count(covered.retryable)} that failed (glossator run retry-failed)."
        )
    if covered.earlier_cards:
        notes.append(
            f"{count(covered.earlier_cards)} skipped ones have a card of an earlier run, which counts in all"
            " that follows but the cost."
        )
    if covered.missing_cards:
        notes.append(
            f"Cards of {count(covered.missing_cards)} done features were not found; they count nowhere."
        )
    if covered.unscored:
        notes.append(f"Of {count(covered.unscored)} explanations no score could be measured.")
    return " ".join(notes)


def _in_order(verdicts: dict[str, int]) -> list[tuple[str, int]]:
    known = ("accepted", "tentative", "abstained")
    return [(v, verdicts.get(v, 0)) for v in known] + [(v, n) for v, n in verdicts.items() if v not in known]


def _amount(estimate: Estimate, digits: int = 1) -> Cell:
    if estimate.value is None:
        return Cell(NOTHING, CellKind.NUMBER)
    words, ends = number(estimate.value, digits), estimate.interval
    if digits == 0:
        words = count(round(estimate.value))
    if ends is not None:
        low, high = (count(round(e)) if digits == 0 else number(e, digits) for e in (ends.low, ends.high))
        words += f" [{low}, {high}]"
    return Cell(words, CellKind.NUMBER, estimate_cell(estimate).small)
