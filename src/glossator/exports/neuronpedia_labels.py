"""Labels that stand and their scores, as Neuronpedia's explanation and score rows.

A registered name is used only for what really is that measure: `eleuther_recall` and `eleuther_fuzz` are
balanced accuracies of a language model on windows (Paulo et al. 2024, https://arxiv.org/abs/2410.13928),
told from random windows and from silent windows with marks. Everything else has a type of our own, which
begins with `glossator_`. Scores are of sealed texts: the lists of single answers have no text in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import JsonValue

from glossator.exports.context import ExportContext, FindEvidence
from glossator.exports.cuid import content_cuid
from glossator.exports.neuronpedia_rows import ExplanationRow, ScoreRow
from glossator.exports.score_examples import scored_examples
from glossator.records import Explanation, FeatureCard, Metric, Negatives, Score, ScoreMethod, Split
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
        name, details = score_type(score), score_details(score)
        examples = _examples(score, find) if not name.startswith(OURS) else None
        shown = json.dumps(details if examples is None else examples, sort_keys=True)
        yield ScoreRow(
            id=content_cuid("score", explanation.id, name, score.reader, score.value, details, shown),
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


def score_details(score: Score) -> dict[str, JsonValue]:
    """What the number rests on; nothing of it is text of the corpus."""
    interval = score.interval
    return {
        "method": score.method.value,
        "metric": score.metric.value,
        "reader": score.reader,
        "negatives": score.negatives.value,
        "n_positive": score.n_positive,
        "n_negative": score.n_negative,
        "unscored": dict(score.unscored),
        "interval": None if interval is None else interval.model_dump(mode="json"),
        "baselines": [b.model_dump(mode="json") for b in score.baselines],
        "split": score.split.value,
        "held_out": score.split is Split.SEALED,
        "threshold": score.threshold,
        "evidence": score.evidence,
    }


def reader_model(reader: str) -> str:
    """The reader as a name of a model; those that are no language model say so."""
    return reader if is_llm(reader) else f"{OURS}{reader}"


def author_model(label: Explanation) -> str:
    """The model that wrote `label`: its author without the method or the place in front."""
    return label.author.split(":", 1)[1] if ":" in label.author else label.author


def _examples(score: Score, find: FindEvidence) -> JsonValue:
    """The list that Neuronpedia's page shows for `eleuther_*`, without the sealed text."""
    found = scored_examples(score, find) or ()
    return [
        {
            "text": "",
            "distance": _UNKNOWN_DISTANCE if one.fires else _SILENT_DISTANCE,
            "ground_truth": one.fires,
            "prediction": one.said,
            "highlighted": score.method is ScoreMethod.FUZZING,
            "correct": one.said is one.fires,
            "probability": one.probability,
            "conditional_probability": None,
            "activations": [],
            "str_tokens": [],
        }
        for one in found
        if one.said is not None
    ]
