"""Neuronpedia's bulk layout: `v1/config/…` and `v1/{model}/{layer}-{set}/…`, as its importer reads it.

    v1/config/{explanation_model_type,explanation_score_model,explanation_score_type}.jsonl
    v1/MODEL/SOURCE/{release,model,sourceset,source}.jsonl
    v1/MODEL/SOURCE/{features,activations,explanations,scores,evidence}/batch-n.jsonl.gz

Written after `utils/neuronpedia-utils/neuronpedia_utils/export-data.py` and, for what an importer trips
over, `apps/webapp/lib/db/import.ts` (github.com/hijohnnylin/neuronpedia). Scores and evidence are extra:
Neuronpedia exports none. The config files name only what is not registered there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from glossator.exports.context import ExportContext, ExportKind, ExportReport, FindEvidence
from glossator.exports.neuronpedia_config import config_files
from glossator.exports.neuronpedia_features import activation_rows, feature_row
from glossator.exports.neuronpedia_labels import explanation_row, score_rows
from glossator.exports.neuronpedia_rows import ModelRow, ReleaseRow, SourceRow, SourceSetRow
from glossator.exports.row_files import BatchFiles, write_rows
from glossator.exports.standing_labels import Tally
from glossator.records import Evidence, FeatureCard, Record

BATCH = 1024
"""Features of one file, as in Neuronpedia's own."""
PUBLISHER = "Glossator"
UNSCORED = "scores without a value, which are never written as 0"
SILENT_WINDOWS = "windows where the feature is silent, which the layout has no place for"
NO_EVIDENCE = "evidence that the ledger does not hold"


class _Files(NamedTuple):
    features: BatchFiles
    activations: BatchFiles
    explanations: BatchFiles
    scores: BatchFiles
    evidence: BatchFiles


def write_neuronpedia(
    folder: Path, cards: Iterable[FeatureCard], *, evidence: FindEvidence, context: ExportContext
) -> ExportReport:
    """Write `cards` below `folder`; every card gives a feature row, only labels that stand give explanations.

    Raises:
        StorageError: a file cannot be written, or a card holds a number that is not finite.
    """
    source = folder / "v1" / context.neuronpedia_model / context.neuronpedia_source
    tally, named = Tally(), _Named(set(), set(), set())
    with ExitStack() as stack:
        files = _Files(*(stack.enter_context(BatchFiles(source / kind)) for kind in _Files._fields))
        for card in cards:
            _write_card(card, files, tally, named, evidence, context)
            if tally.features % BATCH == 0:
                for kind in files:
                    kind.end_batch()
    written = [path for kind in files for path in kind.files]
    rows = {name: kind.rows for name, kind in zip(_Files._fields, files, strict=True) if kind.rows}
    for name, row in _described(context):
        written.append(source / f"{name}.jsonl")
        rows[name] = write_rows(written[-1], [row])
    for name, config in config_files(named.models, named.readers, named.score_types, context):
        written.append(folder / "v1" / "config" / f"{name}.jsonl")
        rows[f"config/{name}"] = write_rows(written[-1], config)
    return ExportReport(
        kind=ExportKind.NEURONPEDIA, features=tally.features, labels=tally.labels,
        files=tuple(sorted(str(p.relative_to(folder)) for p in written)),
        rows=rows, left_out=tally.abstained | dict(tally.left_out),
    )  # fmt: skip


class _Named(NamedTuple):
    """Names that rows refer to and that Neuronpedia must know."""

    models: set[str]
    readers: set[str]
    score_types: set[str]


def _write_card(
    card: FeatureCard,
    files: _Files,
    tally: Tally,
    named: _Named,
    find: FindEvidence,
    context: ExportContext,
) -> None:
    label = tally.count(card)
    files.features.write([feature_row(card, context)])
    files.activations.write(activation_rows(card, context))
    tally.left_out += Counter({SILENT_WINDOWS: len(card.silent_windows)})
    if label is None:
        return
    explanation = explanation_row(card, label, context)
    scores = list(score_rows(card, explanation, context, find))
    files.explanations.write([explanation])
    files.scores.write(scores)
    tally.left_out += Counter({UNSCORED: len(card.scores) - len(scores)})
    named.models.add(explanation.explanationModelName)
    named.readers.update(row.explanationScoreModelName for row in scores)
    named.score_types.update(row.explanationScoreTypeName for row in scores)
    if context.with_evidence:
        found = list(_evidence(card, find))
        files.evidence.write(found)
        tally.left_out += Counter({NO_EVIDENCE: len(set(card.evidence)) - len(found)})


def _evidence(card: FeatureCard, find: FindEvidence) -> Iterator[Evidence]:
    for identity in dict.fromkeys(card.evidence):
        found = find(identity)
        if found is not None:
            yield found


def _described(context: ExportContext) -> Iterator[tuple[str, Record]]:
    """Release, model, source set and source: each one row."""
    model, where = context.neuronpedia_model, context.neuronpedia_set
    release = f"{PUBLISHER.lower()}-{model}-{where}"
    about = f"{context.names.dictionary} over {context.names.subject} at {context.place}"
    yield (
        "release",
        ReleaseRow(
            name=release, visibility="PRIVATE", description=f"{about}, labelled by {PUBLISHER}",
            descriptionShort=None, urls=(), creatorEmail=None, creatorName=PUBLISHER, creatorNameShort=None,
            creatorId=context.creator, defaultSourceSetName=where,
            defaultSourceId=context.neuronpedia_source,
        ),
    )  # fmt: skip
    yield (
        "model",
        ModelRow(
            id=model, displayNameShort=context.names.subject, displayName=context.names.subject,
            creatorId=context.creator, visibility="PRIVATE", layers=context.n_layers,
            neuronsPerLayer=context.neurons_per_layer, owner="unknown",
        ),
    )  # fmt: skip
    yield (
        "sourceset",
        SourceSetRow(
            modelId=model, name=where, visibility="PRIVATE", description=about, type="",
            creatorName=PUBLISHER, urls=(), creatorEmail=None, creatorId=context.creator,
            releaseName=release,
        ),
    )  # fmt: skip
    yield (
        "source",
        SourceRow(
            id=context.neuronpedia_source, modelId=model, visibility="PRIVATE", setName=where,
            creatorId=context.creator, dataset=context.corpus, notes=about,
        ),
    )  # fmt: skip
