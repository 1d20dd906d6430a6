"""Corrects the best claim by its worst mistakes, as long as that helps on `validate`.

Mistakes are looked for on `explore`, in windows that the explainer has not seen; what is gained is
measured on `validate`, of which the explainer never sees anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.explainers.judged_windows import JudgedWindows, further_windows
from glossator.agents.explainers.label_writing import LabelWriter
from glossator.agents.explainers.questions import MOST_MISTAKES, Mistakes, Question
from glossator.agents.explainers.validated import ValidatedCandidate, best_of
from glossator.agents.window_reading.reader import LlmReader, Readings
from glossator.probes.split_view import ExploreView
from glossator.probes.windows import to_windows
from glossator.records import Explanation, ExplanationMethod

Validate = Callable[[Explanation], Awaitable[ValidatedCandidate]]


async def refine(
    writer: LabelWriter,
    reader: LlmReader,
    candidates: Sequence[ValidatedCandidate],
    settings: ExplainerSettings,
    validate: Validate,
) -> list[ValidatedCandidate]:
    """The corrections of the best candidate, in order; there must be one.

    It ends when a round finds no mistakes, gives no fit or no new label or gains less than `min_gain`,
    after `rounds`, and where nothing can be gained or measured.
    """
    found: list[ValidatedCandidate] = []
    best = candidates[best_of(candidates)]
    for number in range(settings.rounds):
        if best.value is None or best.value + settings.min_gain > 1:
            break
        mistakes = await _mistakes(writer, reader, best.explanation, settings, number)
        if not mistakes:
            break
        question = Question(ExplanationMethod.REFINED, writer.material, settings, mistakes)
        corrected = await writer.write(question, earlier=best.explanation.prompts)
        known = {one.explanation.text.casefold() for one in (*candidates, *found)}
        if corrected is None or corrected.text.casefold() in known:
            break
        candidate = await validate(corrected)
        found.append(candidate)
        if candidate.value is None or candidate.value < best.value + settings.min_gain:
            break
        best = candidate
    return found


async def _mistakes(
    writer: LabelWriter, reader: LlmReader, claim: Explanation, settings: ExplainerSettings, number: int
) -> Mistakes:
    material, explore = writer.material, writer.views.explore
    windows = further_windows(writer.views, material, settings, number)
    if not windows.texts:
        return Mistakes(claim.text, (), ())
    readings = await reader.detect(claim.text, windows.texts)
    return worst_mistakes(explore, material.feature.index, claim.text, windows, readings)


def worst_mistakes(
    explore: ExploreView, feature: int, claim: str, windows: JudgedWindows, readings: Readings
) -> Mistakes:
    """Misses and false alarms of which the reader was surest; of equals strong firings and hard negatives."""
    said = np.asarray(readings.fires)
    sure = np.nan_to_num(np.abs(np.asarray(readings.probability) - 0.5), nan=0.5)
    missed = np.flatnonzero((said == 0) & windows.fires)
    missed = missed[np.lexsort((-windows.batch.activation[missed], -sure[missed]))][:MOST_MISTAKES]
    alarms = np.flatnonzero((said == 1) & ~windows.fires)
    alarms = alarms[np.lexsort((~windows.hard[alarms], -sure[alarms]))][:MOST_MISTAKES]
    return Mistakes(
        claim,
        to_windows(explore, feature, windows.batch.take(missed)),
        tuple(windows.texts[i] for i in alarms.tolist()),
    )
