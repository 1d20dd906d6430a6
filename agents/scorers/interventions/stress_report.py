"""Everything that the stress grade of a feature rests on, in one report."""

from __future__ import annotations

from collections.abc import Sequence

from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.concept import Concept
from glossator.agents.scorers.interventions.comparison_directions import (
    Rivalry,
    mean_difference_check,
    prompting_check,
)
from glossator.agents.scorers.interventions.grid_rows import clean_families, joined
from glossator.agents.scorers.interventions.stress_grade import grade, score_check
from glossator.agents.scorers.interventions.stress_grid import stress_grid, too_weak
from glossator.agents.scorers.interventions.working_band import working_band
from glossator.records import (
    ContextFamily,
    InterventionScore,
    StrengthCalibration,
    StressCell,
    StressCheck,
    StressReport,
)


def stress_report(
    bench: CausalBench,
    feature: int,
    *,
    claim: str,
    concept: Concept,
    up: StrengthCalibration,
    down: StrengthCalibration | None,
    checks: Sequence[StressCheck] = (),
    score: InterventionScore | None = None,
    explanation: str | None = None,
    seed: int,
) -> StressReport:
    """The grid, the comparisons, the checks of others, and the grade by the written rule.

    Args:
        bench: the run.
        feature: the feature's number.
        claim: what is put to the test, in words.
        concept: tokens that should rise.
        up: strengths that turn it up.
        down: strengths that turn it down.
        checks: tests made elsewhere, such as `lexical neighbours`.
        score: the intervention score at the level at which the feature was explained; None where nothing
            could be scored.
        explanation: what to ask for in words; made from the concept where there is none.
        seed: of prompts, random directions and continuations.
    """
    families = clean_families(bench, feature, seed) if concept else ()
    cells = stress_grid(bench, feature, concept, up, down, seed=seed, families=families)
    band = working_band(cells, bench.dictionary.output_site.layer)
    tested = (score_check(score), *checks)
    if cells:
        rivalry = Rivalry(bench, feature, concept, up, joined(families), seed)
        asked = prompting_check(rivalry, explanation or concept_in_words(concept))
        tested = (*tested, asked, mean_difference_check(rivalry))
    graded = grade(cells, tested, band)
    return StressReport(
        feature=bench.ref(feature),
        claim=claim,
        concept=concept.texts,
        cells=cells,
        checks=tested,
        band=band,
        grade=graded.letter,
        reasons=(*graded.reasons, *_missing(cells, down)),
        seed=seed,
    )


def concept_in_words(concept: Concept, most: int = 6) -> str:
    """The concept as something to ask for."""
    return "words such as " + ", ".join(f'"{text.strip()}"' for text in concept.texts[:most])


def _missing(cells: Sequence[StressCell], down: StrengthCalibration | None) -> tuple[str, ...]:
    """Parts of the grid that could not be tested."""
    if not cells:
        return ()
    present = {cell.family for cell in cells}
    families = [f"not tested: no sealed prompts of {f}" for f in ContextFamily if f not in present]
    if down is None:
        return (*families, "not tested: turning the feature down")
    unreached = [t for t in down.targets if too_weak(down, t)]
    return (
        *families,
        *(f"not tested: KL {t.target:g} downwards, which ends at {t.kl:.2g}" for t in unreached),
    )
