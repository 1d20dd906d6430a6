"""Labels that stand and their scores, as Neuronpedia's explanation and score rows.

A registered name is used only for what really is that measure: `eleuther_recall` and `eleuther_fuzz` are
balanced accuracies of a language model on windows (Paulo et al. 2024, https://arxiv.org/abs/2410.13928),
told from random windows and from silent windows with marks. Everything else has a type of our own, which
begins with `glossator_`. Scores are of sealed texts: the lists of single answers have no text in them.
"""

from __future__ import annotations

from collections.abc import Iterator

from glossator.exports.context import ExportContext, FindEvidence
from glossator.exports.cuid import content_cuid
from glossator.exports.neuronpedia_rows import ExplanationRow, ScoreRow
from glossator.exports.row_files import json_text
from glossator.exports.score_examples import ScoredExample, scored_examples
from glossator.exports.score_rows import EleutherExample, ScoreDetails
from glossator.records import Explanation, FeatureCard, Metric, Negatives, Score, ScoreMethod
from glossator.report.headline import is_llm

REGISTERED = {
    (ScoreMethod.DETECTION, Negatives.RANDOM): "eleuther_recall",
    (ScoreMethod.FUZZING, Negatives.MARKED_SILENT): "eleuther_fuzz",
}
"""Neuronpedia's names of balanced accuracies by a language model."""
OURS = "glossator_"
_UNKNOWN_DISTANCE = 0
_SILENT_DISTANCE = -1


def explanation_row(card: FeatureCard, label: Explanation, context: ExportContext) -> ExplanationRow:
    """The label of `card`."""
    notes = (
        f"glossator {label.id}; method: {label.method.value}; author: {label.author}; "
        f"verdict: {card.verdict.kind.value} ({card.verdict.reason})"
    )
    place = [context.neuronpedia_model, context.neuronpedia_source, card.feature.index]
    model = author_model(label)
    return ExplanationRow(
        id=content_cuid("explanation", *place, context.creator, label.text, model, notes),
        modelId=context.neuronpedia_model,
        layer=context.neuronpedia_source,
        index=str(card.feature.index),
        authorId=context.creator,
        description=label.text.replace("\x00", " "),
        embedding=None,
        typeName=None,
        explanationModelName=model,
        umap_x=0.0,
        umap_y=0.0,
        umap_cluster=0,
        umap_log_feature_sparsity=0.0,
        notes=notes,
    )


def score_rows(
    card: FeatureCard, explanation: ExplanationRow, context: ExportContext, find: FindEvidence
) -> Iterator[ScoreRow]:
    """The scores of the label of `card`; those without a value are not among them."""
    for score in card.scores:
        if score.value is None:
            continue
        name, details = score_type(score), ScoreDetails.of(score)
        shown = _shown(score, name, details, find)
        named = (name, score.reader, score.value, json_text(details), shown)
        yield ScoreRow(
            id=content_cuid("score", explanation.id, *named),
            value=score.value,
            explanationId=explanation.id,
            explanationScoreTypeName=name,
            explanationScoreModelName=reader_model(score.reader),
            initiatedByUserId=context.creator,
            jsonDetails=shown,
            glossatorDetails=details,
        )


def score_type(score: Score) -> str:
    """Neuronpedia's name of what was measured, or one of our own that says what it is."""
    registered = REGISTERED.get((score.method, score.negatives))
    measured = score.metric is Metric.BALANCED_ACCURACY and is_llm(score.reader)
    if registered is not None and measured:
        return registered
    every = "_all_firings" if score.threshold == 0 else ""
    return f"{OURS}{score.method.value}_{score.metric.value}_{score.negatives.value}{every}"


def reader_model(reader: str) -> str:
    """The reader as a name of a model; those that are no language model say so."""
    return reader if is_llm(reader) else f"{OURS}{reader}"


def author_model(label: Explanation) -> str:
    """The model that wrote `label`: its author without the method or the place in front."""
    return label.author.split(":", 1)[1] if ":" in label.author else label.author


def _shown(score: Score, name: str, details: ScoreDetails, find: FindEvidence) -> str:
    """`jsonDetails`: the list that Neuronpedia's page shows for `eleuther_*`; the details for our types."""
    if name.startswith(OURS):
        return json_text(details)
    examples = scored_examples(score, find) or ()
    return f"[{','.join(json_text(_example(score, one)) for one in examples if one.said is not None)}]"


def _example(score: Score, one: ScoredExample) -> EleutherExample:
    return EleutherExample(
        text="",
        distance=_UNKNOWN_DISTANCE if one.fires else _SILENT_DISTANCE,
        ground_truth=one.fires,
        prediction=bool(one.said),
        highlighted=score.method is ScoreMethod.FUZZING,
        correct=one.said is one.fires,
        probability=one.probability,
        conditional_probability=None,
        activations=(),
        str_tokens=(),
    )
