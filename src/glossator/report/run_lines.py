"""A run's report in a few plain lines, for a terminal or a message."""

from __future__ import annotations

from glossator.records import RunReport
from glossator.report.progress import duration_words
from glossator.report.run_document import counted
from glossator.report.run_outcome_sections import spending_words
from glossator.report.run_score_sections import question_title
from glossator.report.wording import count, number, signed_words, usd_words, value_words


def report_lines(report: RunReport) -> tuple[str, ...]:
    """Five to ten lines: coverage, scores, what holds, what is odd, the bill, and the run before."""
    return tuple(line for line in (*_outcomes(report), *_scores(report), *_oddities(report)) if line)


def _outcomes(report: RunReport) -> tuple[str, ...]:
    counts, verdicts, found = report.coverage.counts, report.coverage.verdicts, report.discovery
    labels = ", ".join(f"{count(verdicts.get(v, 0))} {v}" for v in ("accepted", "tentative", "abstained"))
    earlier = report.coverage.earlier_cards
    held = f" ({count(earlier)} of them with an earlier card, which counts)" if earlier else ""
    ended = f"{count(counts.failed)} failed, {count(counts.skipped)} skipped{held}, {count(counts.left)} left"
    history = report.history
    ran = f"Ran for {duration_words(history.running_seconds)}" if history.began else "Never started"
    if history.outage_seconds:
        ran += f", {duration_words(history.outage_seconds)} of it without an endpoint"
    lost = history.counts.get("worker_lost", 0)
    return (
        f"{count(counts.total)} features: {labels}; {ended}",
        f"{ran}; {counted(lost, 'worker')} lost" if lost else ran,
        f"{count(len(found.holding))} of {count(found.accepted)} accepted labels hold at a false discovery"
        f" rate of {number(found.q)} (at most {number(found.expected_false, 1)} of them false on average;"
        f" {count(found.accepted - found.accepted_tested)} not tested)",
    )


def _scores(report: RunReport) -> tuple[str, ...]:
    lines: list[str] = []
    for deciding in report.deciding[:1]:
        found = next((d for d in report.distributions if d.question == deciding), None)
        if found is not None and found.median.value is not None:
            shuffled = next((b.median for b in found.baselines if b.name == "shuffled"), None)
            words = (
                f"{question_title(deciding)}: median {value_words(found.median.value, found.median.interval)}"
            )
            other = "" if shuffled is None else f", shuffled {value_words(shuffled.value, shuffled.interval)}"
            if shuffled is not None and shuffled.n != found.median.n:
                other += f", n = {count(shuffled.n)}"
            lines.append(f"{words}, n = {count(found.median.n)}{other}")
    if report.against_embedded:
        first = report.against_embedded[0]
        words = signed_words(first.estimate.value, first.estimate.interval)
        lines.append(f"Against the embedded analyst, {first.name}: {words}, n = {count(first.estimate.n)}")
    return tuple(lines)


def _oddities(report: RunReport) -> tuple[str, ...]:
    near, cost, earlier = report.directions, report.cost, report.earlier
    alike = f"{counted(near.pairs, 'pair')} of nearly one direction, " if near.compared else ""
    about = "about " if report.shared_label_note else ""
    alike += f"{about}{counted(report.shared_label_count, 'label')} shared by several features"
    found = report.contradiction_count
    alike += ", contradictions not looked for" if found is None else f", {counted(found, 'contradiction')}"
    per_label = (
        "" if cost.usd_per_accepted is None else f" {usd_words(cost.usd_per_accepted)} an accepted label."
    )
    before = ""
    if earlier is not None and earlier.differences:
        first = earlier.differences[0]
        words = signed_words(first.estimate.value, first.estimate.interval)
        before = f"Against run {earlier.run}, {first.name}: {words}, n = {count(first.estimate.n)}"
    elif earlier is not None:
        before = f"Against run {earlier.run}: {earlier.note or 'nothing to compare'}"
    return alike, spending_words(report) + per_label, before
