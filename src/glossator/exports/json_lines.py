"""Cards as JSON lines: one whole card a line, to be read back with `FeatureCard.model_validate_json`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from glossator.exports.context import ExportKind, ExportReport
from glossator.exports.standing_labels import Tally
from glossator.probes.atomic_file import written_atomically
from glossator.records import FeatureCard
from glossator.report.terminal import card_json_line

FILE = "cards.jsonl"


def write_json_lines(folder: Path, cards: Iterable[FeatureCard]) -> ExportReport:
    """Write `cards` to `cards.jsonl` in `folder`; abstentions are there with their verdict."""
    tally = Tally()
    with written_atomically(folder / FILE) as stream:
        for card in cards:
            tally.count(card)
            stream.write(card_json_line(card).encode() + b"\n")
    return ExportReport(
        kind=ExportKind.JSONL, features=tally.features, labels=tally.labels, files=(FILE,),
        rows={"cards": tally.features}, left_out={},
    )  # fmt: skip
