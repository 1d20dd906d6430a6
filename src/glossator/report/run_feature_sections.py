"""What the report says of single features: best, worst, surprising, alike, absorbed, contradicting."""

from __future__ import annotations

from glossator.records import NestedPair, Nesting, Nestings, RunReport, ShownFeature, SurpriseKind
from glossator.report.run_document import (
    Cell,
    CellKind,
    Row,
    Section,
    Table,
    estimate_cell,
    feature_cell,
    features_words,
    label_cell,
    number_cell,
    value_cell,
    verdict_cell,
)
from glossator.report.wording import NOTHING, count, number

SURPRISE_WORDS = {
    SurpriseKind.LLM_BETTER: (
        "A model's label beats the embedded analyst's",
        "Read by the same reader on windows of the same texts, and the two intervals do not meet.",
    ),
    SurpriseKind.LLM_WORSE: (
        "The embedded analyst's label beats a model's",
        "Read by the same reader on windows of the same texts, and the two intervals do not meet.",
    ),
    SurpriseKind.READERS_DISAGREE: (
        "Words and predicate of one label disagree",
        "Detection by the model that reads its words and by its predicate, whose intervals do not meet.",
    ),
    SurpriseKind.TOPIC_ONLY: (
        "Accepted, yet no better than a coin where windows look alike",
        "Detection against hard windows lies below that against random ones, intervals apart, and its"
        " interval reaches down to 0.5.",
    ),
    SurpriseKind.OTHER_OUTPUT: (
        "Accepted, and raises output tokens that its label does not speak of",
        "None of the five output tokens that it raises most shares a word's beginning with the label or its"
        " predicate, and the strongest is in the upper tenth of the run. Only a hint: what makes a"
        " feature fire and what it writes may differ.",
    ),
}
NESTING_WORDS = {
    Nesting.TWINS: "Twins: each fires where the other does",
    Nesting.INSIDE: "Parts: the narrower fires nearly only where the wider does",
    Nesting.ABSORBED: "Hints of absorption: the wider is silent where its label holds and the narrower fires",
}


def ranked_section(report: RunReport) -> Section:
    """The best and the worst labels."""
    lead = (
        "Best: accepted labels by the lower end of the interval of the score that their verdict rests on."
        " Worst: labels that were tried, accepted or not, by its upper end. Open a feature with"
        " glossator show NUMBER.",
    )
    tables = [
        _ranked(rows, caption) for rows, caption in ((report.best, "Best"), (report.worst, "Worst")) if rows
    ]
    return Section("ranked", "Best and worst labels", lead, tuple(tables))


def surprises_section(report: RunReport) -> Section:
    """Features that do not behave as one would expect."""
    tables: list[Table] = []
    for kind, (caption, definition) in SURPRISE_WORDS.items():
        found = [s for s in report.surprises if s.kind is kind]
        n = report.surprise_counts.get(kind.value, 0)
        rows = tuple((feature_cell(s.feature), label_cell(s.label), Cell(s.words)) for s in found)
        shown = f" {count(n)} such features; the clearest are shown." if n > len(found) else ""
        if rows:
            head = ("Feature", "Label", "What is surprising")
            tables.append(Table(head, rows, caption, definition + shown, wide=2))
    lead = ("Surprising is what fits one of these definitions, checked by code.",)
    if not tables:
        lead = ("No feature fits a definition of surprising that could be checked.",)
    return Section("surprises", "Most surprising features", lead, tuple(tables))


def alike_section(report: RunReport) -> Section:
    """Duplicates, parts and hints of absorption."""
    near = report.directions
    lead: list[str] = []
    if near.compared:
        lead.append(
            f"{count(near.compared)} features that fire were compared by direction, each with each:"
            f" {count(near.pairs)} pairs have a cosine of at least {number(near.threshold)};"
            f" {count(near.features)} features are in one."
        )
    if near.note:
        lead.append(f"Directions: {near.note}.")
    unjoined = report.shared_label_note
    lead.append(
        f"{count(report.shared_label_count)} labels (or groups of nearly the same meaning) stand for several"
        f" features{f'; groups may be larger and fewer or more: {unjoined}' if unjoined else ''}."
    )
    lead.append(_nesting_lead(report))
    tables = [*_direction_tables(report), *_shared_tables(report), *_nesting_tables(report)]
    return Section("alike", "Duplicates and absorbed features", tuple(lead), tuple(tables))


def contradictions_section(report: RunReport) -> Section:
    """Findings that cannot both be right."""
    n = report.contradiction_count
    if n is None:
        said = "Not looked for: too many labels to compare in pairs. See glossator memory contradictions."
        return Section("contradictions", "Contradictions", (said,))
    if not n:
        return Section("contradictions", "Contradictions", ("None was found among what memory holds.",))
    rows = tuple((Cell(c.words), Cell(c.first, small=c.second)) for c in report.contradictions)
    note = f"{count(len(rows))} of {count(n)} are shown; all: glossator memory contradictions."
    lead = (f"{count(n)} pairs of findings cannot both be right. Which is right is for an investigation.",)
    table = Table(("What contradicts what", "Findings"), rows, note=note if n > len(rows) else "")
    return Section("contradictions", "Contradictions", lead, (table,))


def _ranked(features: tuple[ShownFeature, ...], caption: str) -> Table:
    head = ("Feature", "Label", "Verdict", "Deciding score, 95 %", "Shuffled, 95 %", "Examples")
    rows = tuple(
        (
            feature_cell(f.feature),
            label_cell(f.label),
            verdict_cell(f.verdict),
            value_cell(f.value, f.interval, f"by {f.reader}"),
            value_cell(f.shuffled, f.shuffled_interval, _examples(f.shuffled_n)),
            Cell(f"{count(f.n_positive)} + {count(f.n_negative)}", CellKind.NUMBER),
        )
        for f in features
    )
    return Table(head, rows, caption, wide=1)


def _examples(n: tuple[int, int] | None) -> str:
    return "" if n is None else f"n = {count(n[0])} + {count(n[1])}"


def _direction_tables(report: RunReport) -> list[Table]:
    shown = report.directions.shown
    if not shown:
        return []
    rows = tuple(
        (
            feature_cell(p.first),
            feature_cell(p.second),
            Cell(f"{p.cosine:.3f}", CellKind.NUMBER),
            Cell(p.first_label or "no label"),
            Cell("the same" if p.same_words else p.second_label or "no label"),
        )
        for p in shown
    )
    note = f"The nearest {count(len(rows))} of {count(report.directions.pairs)}."
    head = ("Feature", "Other", "Cosine", "Label", "Other's label")
    folded = len(rows) > 10
    return [Table(head, rows, "Nearly one direction", note, folded, 3)]


def _shared_tables(report: RunReport) -> list[Table]:
    if not report.shared_labels:
        return []
    rows = tuple(
        (
            Cell(s.label, small=f"also: {'; '.join(s.others)}" if s.others else ""),
            number_cell(s.n),
            Cell(features_words(s.features, s.n)),
        )
        for s in report.shared_labels
    )
    n = report.shared_label_count
    note = f"The {count(len(rows))} most shared of {count(n)}." if n > len(rows) else ""
    return [Table(("Label", "Features", "Which"), rows, "One label, several features", note, len(rows) > 10)]


def _nesting_lead(report: RunReport) -> str:
    found = report.nestings
    least = "at least " if found.cut else ""
    if found.note:
        suggested = f"{least}{count(found.candidates)} pairs of labels suggest it"
        return f"Twins, parts and absorption: {found.note} ({suggested})."
    return (
        f"{least.capitalize()}{count(found.candidates)} pairs of labels of which one covers the other were"
        f" found, and the firings of {count(found.checked)} compared.{_left_out(found)} Absorption is that a"
        " feature stays silent where its concept is there because a narrower one took it over (Chanin et al."
        " 2024, A is for Absorption). Showing it takes a probe for the concept and an ablation; what stands"
        " here is a hint of it, or of a label that is too wide."
    )


def _left_out(found: Nestings) -> str:
    """That there may be more."""
    if found.cut:
        return " Where many features share a label or a token, only some were paired, so there may be more."
    return " There may be more among the others." if found.partly else ""


def _nesting_tables(report: RunReport) -> list[Table]:
    found, tables = report.nestings, list[Table]()
    head = ("Narrower", "Wider", "Narrower's label", "Wider's label", "Wider fires there, 95 %")
    for kind, caption in NESTING_WORDS.items():
        rows = tuple(_nested(p) for p in found.shown if p.kind is kind)
        n = found.counts.get(kind.value, 0)
        least = "at least " if found.partly else ""
        note = f"{count(len(rows))} of {least}{count(n)} pairs, those that fire most."
        note = note if n > len(rows) or least else ""
        if rows:
            tables.append(Table(head, rows, caption, note, wide=2))
    return tables


def _nested(pair: NestedPair) -> Row:
    share = estimate_cell(pair.share, "documents")
    return (
        feature_cell(pair.narrow),
        feature_cell(pair.wide),
        Cell(pair.narrow_label or NOTHING),
        Cell(pair.wide_label or NOTHING, small=pair.why),
        share._replace(small=f"{count(pair.firings)} firings, {share.small}"),
    )
