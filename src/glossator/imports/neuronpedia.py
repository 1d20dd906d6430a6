"""Labels from Neuronpedia's bulk files: `…/{explanations,scores}/batch-n.jsonl`, compressed or not.

Their writers disagree, and all of them are read: batches are in the order of the index as text or as a
number, so labels are joined by index and never by batch; `embedding` is a list, a text or absent; so are
`createdAt` and whatever else we do not need (`export-data.py`, `batch-autointerp.py` and
`apps/webapp/lib/db/import.ts` of github.com/hijohnnylin/neuronpedia). Scores are read where there are any:
Neuronpedia exports none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from glossator.errors import ImportedFileError, UserError, listed
from glossator.imports.lines import Line, lines_of, read_row
from glossator.records import ClaimedScore, ImportedLabel

ORIGIN = "neuronpedia"
_BATCH = re.compile(r"batch-(\d+)\.jsonl(\.gz)?")


class _ExplanationRow(BaseModel):
    """What is read of an explanation."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = None
    modelId: str | None = None
    layer: str | None = None
    index: int = Field(ge=0)
    description: str
    typeName: str | None = None
    explanationModelName: str | None = None

    @field_validator("index", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        """The index is a text in their files; only plain digits are a number."""
        return int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,12}", value) else value


class _Details(BaseModel):
    model_config = ConfigDict(extra="ignore")

    n_positive: int | None = Field(default=None, ge=0)
    n_negative: int | None = Field(default=None, ge=0)


class _ScoreRow(BaseModel):
    """What is read of a score."""

    model_config = ConfigDict(extra="ignore")

    explanationId: str
    value: float = Field(allow_inf_nan=False)
    explanationScoreTypeName: str
    explanationScoreModelName: str | None = None
    glossatorDetails: _Details | None = None


def read_neuronpedia(folder: Path, source: str | None = None) -> Iterator[ImportedLabel]:
    """Every label below `folder`, in the order of the files; a feature may have several.

    Args:
        folder: a source's folder, or one above it.
        source: `6-res-jb` or `gpt2-small/6-res-jb`; needed where `folder` holds several.

    Raises:
        ImportedFileError: a file is damaged; names file and line.
        UserError: there are no explanations, or several sources and none was chosen.
    """
    root = _chosen_source(folder, source)
    claimed = _claimed_scores(root)
    seen: set[str] = set()
    named: tuple[str | None, str | None] | None = None
    for line in _rows(root / "explanations"):
        row = read_row(line, _ExplanationRow)
        if row.id is not None and row.id in seen:
            continue
        named = _same_source(line, row, named)
        seen.update(() if row.id is None else (row.id,))
        yield ImportedLabel(
            feature=row.index,
            text=row.description,
            author=f"{ORIGIN}:{row.explanationModelName}" if row.explanationModelName else ORIGIN,
            type_name=row.typeName or "",
            model=row.modelId or "",
            place=row.layer or "",
            claimed=tuple(claimed.get(row.id or "", ())),
            source=str(line.path.relative_to(root)),
        )


def _chosen_source(folder: Path, source: str | None) -> Path:
    """The folder of the one source that is meant."""
    if not folder.is_dir():
        raise UserError(f"there is no folder {str(folder)!r}: give one that holds Neuronpedia's files")
    found = sorted(p.parent for p in folder.rglob("explanations") if p.is_dir() and _batches(p))
    if not found:
        raise UserError(
            f"no explanations/batch-N.jsonl or .jsonl.gz is below {str(folder)!r}: give the folder of a "
            "source, such as v1/gpt2-small/6-res-jb"
        )
    named = {f"{p.parent.name}/{p.name}": p for p in found}
    wanted = [p for name, p in named.items() if source in (None, name, p.name)]
    if len(wanted) != 1:
        raise UserError(
            f"{str(folder)!r} holds the sources {listed(named)}: choose one with --source"
            if source is None
            else f"--source {source!r} is {'several' if wanted else 'none'} of the sources {listed(named)}"
        )
    return wanted[0]


def _batches(folder: Path) -> list[Path]:
    """Files of rows, by number; of a batch that is there twice, the compressed one."""
    matched = [(m, p) for p in folder.iterdir() if (m := _BATCH.fullmatch(p.name))]
    by_number = {int(m[1]): p for m, p in sorted(matched, key=lambda found: found[1].name)}
    return [by_number[n] for n in sorted(by_number)]


def _rows(folder: Path) -> Iterator[Line]:
    for path in _batches(folder):
        yield from lines_of(path)


def _claimed_scores(root: Path) -> dict[str, list[ClaimedScore]]:
    """Scores by the id of their explanation; empty where no scores were exported."""
    claimed: dict[str, list[ClaimedScore]] = {}
    if not (root / "scores").is_dir():
        return claimed
    for line in _rows(root / "scores"):
        row = read_row(line, _ScoreRow)
        details = row.glossatorDetails or _Details()
        known = details.n_positive is not None and details.n_negative is not None
        claimed.setdefault(row.explanationId, []).append(
            ClaimedScore(
                name=row.explanationScoreTypeName,
                reader=row.explanationScoreModelName or "",
                value=row.value,
                n_scored=(details.n_positive or 0) + (details.n_negative or 0) if known else None,
            )
        )
    return claimed


def _same_source(
    line: Line, row: _ExplanationRow, named: tuple[str | None, str | None] | None
) -> tuple[str | None, str | None]:
    """Rows of two dictionaries in one folder would put labels on the wrong features."""
    own = (row.modelId, row.layer)
    if named is not None and own != named:
        raise ImportedFileError(
            f"{line.place}: the row is of {own[0]}/{own[1]}, those before of {named[0]}/{named[1]}; nothing "
            "was imported: keep each source in a folder of its own"
        )
    return own
