"""Cards as a table for spreadsheets: one feature a row, the headline score with what makes it honest.

A cell that a spreadsheet could take for a formula gets an apostrophe in front (OWASP, "CSV Injection",
https://owasp.org/www-community/attacks/CSV_Injection): labels are written by models and by strangers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from glossator.exports.context import ExportKind, ExportReport
from glossator.exports.standing_labels import Tally
from glossator.probes.atomic_file import written_atomically
from glossator.records import BaselineName, Explanation, FeatureCard, Score
from glossator.report.headline import baseline_of, headline

FILE = "labels.csv"
COLUMNS = (
    "index", "feature", "label", "verdict", "reason", "author", "method", "score", "negatives", "reader",
    "value", "low", "high", "interval_method", "n_positive", "n_negative", "n_unscored",
    "shuffled", "shuffled_n_positive", "shuffled_n_negative", "empty", "embedded_analyst", "hard_value",
    "f1", "density", "n_firings", "max_activation", "llm_calls", "input_tokens", "output_tokens", "usd",
)  # fmt: skip
EMPTY_LABELS = "labels that do not stand (their features have rows, with the reason)"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
Cell = str | int | float | None


def write_csv(folder: Path, cards: Iterable[FeatureCard]) -> ExportReport:
    """Write `cards` to `labels.csv` in `folder`: UTF-8, commas, a row of names first.

    The headline score is the one that stands for a feature everywhere else: detection on sealed texts
    against random windows, by an LLM where one read, else by the predicate, else by the embedder.
    """
    tally = Tally()
    with written_atomically(folder / FILE) as stream:
        stream.write(_line(COLUMNS))
        for card in cards:
            row = _row(card, tally.count(card))
            stream.write(_line([_safe(row.get(column)) for column in COLUMNS]))
    empty = tally.features - tally.labels
    return ExportReport(
        kind=ExportKind.CSV, features=tally.features, labels=tally.labels, files=(FILE,),
        rows={"features": tally.features}, left_out={EMPTY_LABELS: empty} if empty else {},
    )  # fmt: skip


def _row(card: FeatureCard, label: Explanation | None) -> Mapping[str, Cell]:
    spent, shown = card.spending, headline(card)
    facts: dict[str, Cell] = {
        "index": card.feature.index,
        "feature": str(card.feature),
        "verdict": card.verdict.kind.value,
        "reason": card.verdict.reason,
        "density": card.density,
        "n_firings": card.n_firings,
        "max_activation": card.max_activation,
    }
    if label is not None:
        facts |= {"label": label.text, "author": label.author, "method": label.method.value}
    if label is not None and shown.detection_random is not None:
        hard, f1 = shown.detection_hard, shown.f1
        facts |= _score_cells(shown.detection_random)
        facts |= {"hard_value": hard and hard.value, "f1": f1 and f1.value}
    if spent is not None:
        facts |= {"llm_calls": spent.calls, "input_tokens": spent.input_tokens}
        facts |= {"output_tokens": spent.output_tokens, "usd": spent.usd}
    return facts


def _score_cells(score: Score) -> Mapping[str, Cell]:
    named = {name: baseline_of(score, name) for name in BaselineName}
    interval, shuffled = score.interval, named[BaselineName.SHUFFLED]
    return {
        "score": f"{score.method.value} {score.metric.value}",
        "negatives": score.negatives.value,
        "reader": score.reader,
        "value": score.value,
        "low": interval and interval.low,
        "high": interval and interval.high,
        "interval_method": interval and interval.method,
        "n_positive": score.n_positive,
        "n_negative": score.n_negative,
        "n_unscored": sum(score.unscored.values()),
        "shuffled_n_positive": shuffled and shuffled.n_positive,
        "shuffled_n_negative": shuffled and shuffled.n_negative,
    } | {name.value: found and found.value for name, found in named.items()}


def _safe(cell: Cell) -> str:
    """The cell as text that stays text; numbers are numbers, whatever their sign."""
    if cell is None:
        return ""
    if not isinstance(cell, str):
        return repr(cell)
    text = cell.replace("\x00", " ")
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _line(cells: Iterable[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode()
