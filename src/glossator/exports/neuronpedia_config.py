"""Rows that make names known to Neuronpedia which our rows refer to and which are not registered there.

Its importer overwrites a row whose name it knows (`importConfigFromS3` in `apps/webapp/lib/db/import.ts`), so
names that are known to be registered are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import NamedTuple

from glossator.exports.context import ExportContext
from glossator.exports.neuronpedia_labels import OURS
from glossator.exports.neuronpedia_rows import ModelNameRow, ScoreTypeRow
from glossator.records import Record

KNOWN_MODELS = frozenset(
    {
        "gpt-4o-mini", "gpt-4.1-nano", "gemini-2.0-flash", "gemini-2.0-flash-lite", "gemini-2.5-flash",
        "gemini-2.5-flash-lite",
    }
)  # fmt: skip
"""Explaining models that Neuronpedia's own scripts name (`batch-autointerp.py`)."""
_WRITER = "Named as the writer of labels in an export of Glossator."
_READER = "Named as the reader of labels in an export of Glossator."
_NO_MODEL = "No language model: computed by Glossator."
_MEASURE = (
    "Measured by Glossator on sealed texts, which no explainer saw. `jsonDetails` has the counts, the 95 % "
    "interval and the baselines; values of different types are not to be averaged."
)


class ConfigFile(NamedTuple):
    """A file of `config/`."""

    name: str
    rows: list[Record]


def config_files(
    models: Set[str], readers: Set[str], score_types: Set[str], context: ExportContext
) -> Iterator[ConfigFile]:
    """The files that are needed, each with at least one row."""
    files = (
        ConfigFile("explanation_model_type", [_model(n, _WRITER) for n in sorted(models - KNOWN_MODELS)]),
        ConfigFile("explanation_score_model", [_model(n, _READER) for n in sorted(readers - KNOWN_MODELS)]),
        ConfigFile(
            "explanation_score_type",
            [_score_type(n, context) for n in sorted(score_types) if n.startswith(OURS)],
        ),
    )
    return (file for file in files if file.rows)


def _model(name: str, about: str) -> Record:
    computed = name.startswith((OURS, "embedded-analyst"))
    return ModelNameRow(
        name=name, displayName=name, description=_NO_MODEL if computed else about, featured=False,
        creatorName="Glossator" if computed else "unknown",
    )  # fmt: skip


def _score_type(name: str, context: ExportContext) -> Record:
    return ScoreTypeRow(
        name=name, displayName=name.removeprefix(OURS).replace("_", " "), description=_MEASURE,
        featured=False, scoreDescription=None, creatorName="Glossator", creatorId=context.creator,
    )  # fmt: skip
