"""Writes cards in one of the formats, streamed: no more than a batch of cards is in memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from glossator.exports.context import ExportContext, ExportKind, ExportReport, FindEvidence
from glossator.exports.csv_table import write_csv
from glossator.exports.delphi import write_delphi
from glossator.exports.json_lines import write_json_lines
from glossator.exports.neuronpedia import write_neuronpedia
from glossator.exports.staged_folder import MARK, staged_folder
from glossator.probes.atomic_file import written_atomically
from glossator.records import FeatureCard


def export_cards(
    kind: ExportKind,
    folder: Path,
    cards: Iterable[FeatureCard],
    *,
    evidence: FindEvidence,
    context: ExportContext,
) -> ExportReport:
    """Write `cards` to `folder`, which then holds this export and nothing else.

    The same cards give the same bytes. What stood in `folder` is replaced if it was an export of ours.

    Args:
        kind: the format.
        folder: where to; empty, missing, or an earlier export.
        cards: current cards of one dictionary, by index.
        evidence: finds what scores cite; asked for one at a time.
        context: what the format says of model and dictionary.

    Raises:
        UserError: `folder` holds something else, or a name does not fit the format.
        StorageError: it cannot be written, or a card holds a number that is not finite.
    """
    with staged_folder(folder) as staged:
        report = _written(kind, staged, cards, evidence, context)
        with written_atomically(staged / MARK) as stream:
            stream.write(report.model_dump_json(indent=1).encode() + b"\n")
    return report


def _written(
    kind: ExportKind,
    folder: Path,
    cards: Iterable[FeatureCard],
    evidence: FindEvidence,
    context: ExportContext,
) -> ExportReport:
    match kind:
        case ExportKind.NEURONPEDIA:
            return write_neuronpedia(folder, cards, evidence=evidence, context=context)
        case ExportKind.DELPHI:
            return write_delphi(folder, cards, evidence=evidence, context=context)
        case ExportKind.JSONL:
            return write_json_lines(folder, cards)
        case ExportKind.CSV:
            return write_csv(folder, cards)
