"""Labels of others, made into explanations that are checked, scored and decided on like our own.

What they claim for a label is kept as evidence and never counted as a score. A label that is no label (a
model's thinking, a refusal, an essay, the prompt) is not scored; why is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from glossator.agents.explainers.label_validation import clean_label, unfit_label
from glossator.agents.explainers.validated import ExplainedFeature, ValidatedCandidate
from glossator.agents.feature_preparation import PreparedFeature
from glossator.prompts.prompt_file import load_prompt
from glossator.prompts.rendered_prompt import RenderedPrompt
from glossator.records import Evidence, Explanation, ExplanationMethod, ImportedLabel

NO_LABEL = "no imported label"
_FOREIGN_PROMPTS = re.compile(
    r"\b(?:MAX_ACTIVATING_TOKENS|TOKENS_AFTER_MAX_ACTIVATING_TOKEN|TOP_POSITIVE_LOGITS|TOP_ACTIVATING_TEXTS)\b"
    r"|\[EXPLANATION\]|<<\s*>>|^\*\*?the pattern\b|\bI need to generate\b",
    re.IGNORECASE,
)
"""Words of other explainers' prompts that are known to have been stored as labels."""


class UsableLabels(NamedTuple):
    """What is worth scoring of the labels that were read."""

    by_feature: dict[int, ImportedLabel]
    """The first usable label of each feature, in the order in which they were read."""
    rejected: dict[str, int]
    """Reason to count, for those that are no labels."""
    further: int
    """Usable labels of features that had one already."""


class ImportedExplanation(NamedTuple):
    """An imported label as an explanation, with what is known of where it is from."""

    explanation: Explanation | None
    evidence: tuple[Evidence, ...]


def usable_labels(labels: Iterable[ImportedLabel]) -> UsableLabels:
    """The labels that are labels, one a feature; the others counted."""
    kept: dict[int, ImportedLabel] = {}
    rejected: Counter[str] = Counter()
    further = 0
    for label in labels:
        reason = unfit_imported(label.text)
        if reason is not None:
            rejected[reason] += 1
        elif label.feature in kept:
            further += 1
        else:
            kept[label.feature] = label
    return UsableLabels(kept, dict(rejected), further)


def unfit_imported(text: str) -> str | None:
    """Why a label of others is not worth scoring; None if it is. The reasons are those of our own labels."""
    if _FOREIGN_PROMPTS.search(text):
        return "prompt echo"
    return unfit_label(clean_label(text), prompt=_own_prompt())


def imported_explanation(label: ImportedLabel | None, feature: PreparedFeature) -> ImportedExplanation:
    """`label` as an explanation of `feature`, with evidence of where it is from; nothing if it is unfit."""
    if label is None or feature.unfit is not None or unfit_imported(label.text) is not None:
        return ImportedExplanation(None, ())
    came = label.as_evidence(feature.ref)
    explanation = Explanation.of(
        feature.ref,
        label.author,
        clean_label(label.text),
        None,
        () if feature.report is None else feature.report.flags,
        (*feature.cited, came.id),
        method=ExplanationMethod.IMPORTED,
    )
    return ImportedExplanation(explanation, (came,))


def explained_elsewhere(label: ImportedLabel | None, feature: PreparedFeature) -> ExplainedFeature:
    """The same as the one candidate that a model's explanations would otherwise be; no explainer is asked."""
    explanation = imported_explanation(label, feature).explanation
    if explanation is None:
        reason = NO_LABEL if label is None else unfit_imported(label.text) or NO_LABEL
        return ExplainedFeature((), None, {reason: 1})
    return ExplainedFeature((ValidatedCandidate(explanation),), 0, {})


@cache
def _own_prompt() -> RenderedPrompt:
    """Our explainers' instructions: a label that repeats them is an echo, whoever's prompt was alike."""
    return load_prompt("explain_one_shot").render(windows=[], tokens=[], predicate_help="")
