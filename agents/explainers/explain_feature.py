"""Explains one feature with a model: candidates from `explore`, the choice among them on `validate`."""

from __future__ import annotations

from collections.abc import Sequence

from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.explainers.judged_windows import detection_value, validate_windows
from glossator.agents.explainers.label_writing import LabelWriter
from glossator.agents.explainers.material import Material, OpenViews
from glossator.agents.explainers.questions import Question
from glossator.agents.explainers.refining import refine
from glossator.agents.explainers.validated import ExplainedFeature, ValidatedCandidate, best_of
from glossator.agents.llm_calls.all_finished import all_finished
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.window_reading.reader import LlmReader
from glossator.records import Explanation, ExplanationMethod


async def explain_feature(
    calls: CallRoom, reader: LlmReader, views: OpenViews, material: Material, settings: ExplainerSettings
) -> ExplainedFeature:
    """Every method's explanations, the embedded analyst's first, and the one that does best on `validate`.

    Where there is but one candidate and none is to be refined, nothing is read: there is no choice.
    Of equals, one with a predicate is chosen, then the earliest; the embedded analyst's is the earliest.

    Args:
        calls: where questions to the explainer are asked.
        reader: reads candidates on windows of `validate`, and of `explore` for refining.
        views: the open splits.
        material: what explainers are shown of the feature.
        settings: which methods, and how much they see.

    Raises:
        BudgetSpent: a call could exceed the budget. Answers so far are in the ledger.
        ModelAccessError: a model cannot be used as it is set.
        EndpointError: an endpoint does not answer.
    """
    writer = LabelWriter(calls, views, material)
    refining = ExplanationMethod.REFINED in settings.methods
    written = await all_finished(
        writer.write(question, sample)
        for question in _questions(material, settings)
        for sample in range(settings.samples)
    )
    explanations = _distinct(material.embedded, written)
    if not explanations or (len(explanations) == 1 and not refining):
        alone = tuple(map(ValidatedCandidate, explanations))
        return ExplainedFeature(alone, 0 if alone else None, dict(writer.rejected))
    windows = validate_windows(views, material, settings)

    async def validated(explanation: Explanation) -> ValidatedCandidate:
        value = await detection_value(reader, explanation.text, windows)
        return ValidatedCandidate(explanation, value.accuracy, value.n)

    candidates = await all_finished(map(validated, explanations))
    if refining:
        candidates += await refine(writer, reader, candidates, settings, validated)
    return ExplainedFeature(tuple(candidates), best_of(candidates), dict(writer.rejected))


def _questions(material: Material, settings: ExplainerSettings) -> list[Question]:
    """The first questions. Refining corrects their best answer, or the embedded analyst's; without
    either, a one-shot answer."""
    methods = [m for m in dict.fromkeys(settings.methods) if m is not ExplanationMethod.REFINED]
    if not methods and material.embedded is None:
        methods = [ExplanationMethod.ONE_SHOT]
    return [Question(method, material, settings) for method in methods]


def _distinct(embedded: Explanation | None, written: Sequence[Explanation | None]) -> list[Explanation]:
    """Without labels that are there already; of two alike, the first that has a predicate."""
    first = [] if embedded is None else [embedded]
    kept = {one.text.casefold(): one for one in first}
    for one in written:
        if one is not None:
            before = kept.setdefault(one.text.casefold(), one)
            if before is not embedded and before.predicate is None and one.predicate is not None:
                kept[one.text.casefold()] = one
    return list(kept.values())
