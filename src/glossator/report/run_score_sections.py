"""What the report says of scores: their distributions, against the embedded analyst, and which labels"
" hold."""

from __future__ import annotations

from glossator.records import LabelTest, RunQuestion, RunReport, ScoreDistribution
from glossator.report.run_document import (
    Cell,
    CellKind,
    Row,
    Section,
    Table,
    difference_cell,
    estimate_cell,
    feature_cell,
    features_words,
    label_cell,
    number_cell,
    reasons_table,
    value_cell,
)
from glossator.report.run_plots import score_plot
from glossator.report.wording import (
    METRIC_WORDS,
    NEGATIVES_WORDS,
    count,
    number,
    reasons_words,
    signed_words,
    threshold_words,
)
from glossator.run_report.score_tallies import is_main

_PLOTS = 12
_HOLDING = 1000
"""Labels that hold that are listed by number; all are in the report's JSON."""


def scores_section(report: RunReport) -> Section:
    """How scores are distributed over features, with their baselines."""
    main = [d for d in report.distributions if is_main(d.question)]
    other = [d for d in report.distributions if not is_main(d.question)]
    drawn = (score_plot(d, question_title(d.question), _against(d.question)) for d in main[:_PLOTS])
    deciding = ", ".join(f"{question_title(q)} {_against(q)}" for q in report.deciding[:3])
    lead = (
        "Over all features for which a label was proposed, rejected ones included; a label is scored on"
        " sealed texts that nothing that wrote it has seen. Scores of different questions are never put"
        " together.",
        *((f"Verdicts rest on: {deciding}.",) if deciding else ()),
    )
    head = ("Question", "Median, 95 %", "Mean, 95 %", "Baselines: median, 95 %", "Examples", "Unscored")
    tables = [Table(head, tuple(_row(d) for d in main))]
    if other:
        tables.append(Table(head, tuple(_row(d) for d in other), "Further questions", folded=True))
    plots = tuple(p for p in drawn if p is not None)
    return Section("scores", "Scores and their baselines", lead, tuple(tables), plots)


def embedded_section(report: RunReport) -> Section | None:
    """Labels of a model against the embedded analyst's; None where none was compared."""
    if not report.against_embedded:
        return None
    rows = tuple((Cell(n.name), difference_cell(n.estimate)) for n in report.against_embedded)
    lead = (
        "Sealed scores of a model's label minus those of the embedded analyst's label of the same feature, by"
        " the same reader: means over features that have both. Above 0, the model's labels are better. The"
        " label shown was chosen on validate texts and may be the embedded one; its difference is then 0.",
    )
    table = Table(("Whose label, and which question", "Mean difference, 95 %"), rows)
    return Section("embedded", "Against the embedded analyst", lead, (table,))


def discovery_section(report: RunReport) -> Section:
    """Which accepted labels hold when chance is given its due."""
    found = report.discovery
    held = len(found.holding)
    lead = [
        f"{count(held)} of {count(found.accepted)} accepted labels hold at a false discovery rate of"
        f" {number(found.q)}: on average at most that share of them, {number(found.expected_false, 1)}, would"
        " be labels that detect no better than those of other features do.",
        f"{count(found.tested)} labels were tested, rejected ones among them, since all of them had the"
        " chance to be accepted. Each was held against the largest of a coin, of what labels of other"
        " features reach on its own windows, and of what they reach on average over the run.",
        "The test takes each document for one toss of a coin that comes up as often as those labels are"
        " right, since windows of one document are not independent; those of many windows weigh more. Where a"
        " reader might have stopped early, p is multiplied by the number of looks at which it might have. The"
        " rate is held by Benjamini and Hochberg's rule, which takes tests as independent or positively"
        " dependent. To hold is to be better than other labels, not to be right.",
    ]
    if found.threshold is not None:
        lead.append(f"The largest p among those that hold is {p_words(found.threshold)}.")
    untested = found.accepted - found.accepted_tested
    if untested:
        lead.append(
            f"{count(untested)} accepted labels could not be tested and are not among those that hold."
        )
    head = ("Feature", "Label", "p", "Adjusted p", "Detection, 95 %", "To beat", "Documents")
    tables: list[Table] = []
    if found.falling:
        note = _of(len(found.falling), found.fallen)
        rows = tuple(_tested(t) for t in found.falling)
        tables.append(Table(head, rows, "Accepted labels that do not hold", note, wide=1))
    if found.weakest:
        rows = tuple(_tested(t) for t in found.weakest)
        tables.append(Table(head, rows, "Those that hold by least", folded=True, wide=1))
    if found.holding:
        listed = features_words(found.holding[:_HOLDING], held)
        tables.append(Table(("Features",), ((Cell(listed),),), "All that hold, by number", folded=True))
    if found.untested:
        tables.append(reasons_table(found.untested, "Why labels could not be tested", "Labels"))
    return Section("discovery", "Labels that hold", tuple(lead), tuple(tables))


def question_title(question: RunQuestion) -> str:
    """`Detection · balanced accuracy by gpt-5-mini`."""
    name = f"{question.method.value.capitalize()} · {METRIC_WORDS[question.metric]}"
    return f"{name} by {question.reader}"


def p_words(p: float) -> str:
    """A p-value."""
    return "<0.0001" if p < 1e-4 else f"{p:.2g}"


def earlier_section(report: RunReport) -> Section | None:
    """The run beside an earlier one, paired by feature."""
    found = report.earlier
    if found is None:
        return None
    lead = [
        f"Run {found.run}: {count(found.shared)} features have a card in both, measured on the same index;"
        f" of {count(found.labelled)} that have a label in both it is the same for"
        f" {count(found.same_label)}. {count(found.only_here)} features are only here,"
        f" {count(found.only_there)} only there."
        " Differences are now minus then, of answers to the same question only: method, number, reader,"
        " negatives, threshold. They say nothing of why.",
    ]
    if found.same_card:
        lead.append(
            f"{count(found.same_card)} features were skipped in one of the two and have one card in both:"
            " left out, since that would compare a card with itself."
        )
    if found.other_index:
        lead.append(
            f"{count(found.other_index)} features of both were measured on different indexes: left out."
        )
    if found.note:
        lead.append(found.note[0].upper() + found.note[1:] + ".")
    tables: list[Table] = []
    if found.differences:
        rows = tuple((Cell(n.name), difference_cell(n.estimate)) for n in found.differences)
        tables.append(Table(("Question", "Mean difference, 95 %"), rows, "Paired by feature"))
    if found.transitions:
        tables.append(_transitions(found.transitions))
    if found.changed:
        head = ("Feature", "Label now", "Label then", "Then, 95 %", "Now, 95 %", "Change")
        rows = tuple(
            (
                feature_cell(c.feature),
                Cell(c.label or "no label", small=c.verdict),
                Cell(c.before_label or "no label", small=c.before_verdict),
                value_cell(c.before, c.before_interval, f"n = {count(c.before_n)}"),
                value_cell(c.value, c.interval, f"n = {count(c.n)}"),
                Cell(signed_words(c.value - c.before, None), CellKind.NUMBER),
            )
            for c in found.changed
        )
        note = "The largest of many changes are partly luck: each of the two scores has its own error."
        tables.append(Table(head, rows, "Features whose deciding score changed most", note, wide=1))
    return Section("earlier", "Compared with an earlier run", tuple(lead), tuple(tables))


def _transitions(transitions: dict[str, dict[str, int]]) -> Table:
    kinds = ("accepted", "tentative", "abstained")
    rows = tuple(
        (Cell(then), *(number_cell(transitions.get(then, {}).get(now, 0)) for now in kinds)) for then in kinds
    )
    return Table(("Then \\ now", *kinds), rows, "Verdicts")


def _row(found: ScoreDistribution) -> Row:
    baselines = "; ".join(
        f"{b.name} {estimate_cell(b.median).text} (n = {count(b.median.n)})" for b in found.baselines
    )
    examples = f"{count(found.n_positive)} firing, {count(found.n_negative)} silent"
    unscored = reasons_words({r.words: r.n for r in found.unscored[:4]})
    more = f"; {len(found.unscored) - 4} other reasons" if len(found.unscored) > 4 else ""
    return (
        Cell(question_title(found.question), small=_against(found.question)),
        estimate_cell(found.median),
        estimate_cell(found.mean),
        Cell(baselines or "none measured"),
        Cell(examples),
        Cell(f"{count(found.unscored_features)} features", small=unscored + more),
    )


def _against(question: RunQuestion) -> str:
    return f"against {NEGATIVES_WORDS[question.negatives]}, {threshold_words(question.threshold)}"


def _tested(tested: LabelTest) -> Row:
    return (
        feature_cell(tested.feature),
        label_cell(tested.label),
        Cell(p_words(tested.p), CellKind.NUMBER),
        Cell(p_words(tested.adjusted), CellKind.NUMBER),
        value_cell(tested.value, tested.interval),
        Cell(number(tested.reached), CellKind.NUMBER, tested.reached_by),
        number_cell(tested.documents),
    )


def _of(shown: int, n: int) -> str:
    return f"{count(shown)} of {count(n)} are shown." if shown < n else ""
