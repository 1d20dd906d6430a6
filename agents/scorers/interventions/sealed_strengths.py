"""What strengths that were tuned on `validate` reach on prompts of `sealed`."""

from __future__ import annotations

from glossator.agents.causal.bench import CausalBench
from glossator.agents.scorers.interventions.intervention_scores import sealed_prompts
from glossator.probes.interventions.strength_search import kl_of_targets, with_sealed_kl
from glossator.records import StrengthCalibration


def reported_on_sealed(bench: CausalBench, calibration: StrengthCalibration) -> StrengthCalibration:
    """`calibration` with the KL of each target on sealed prompts; its strengths stay as they are.

    Raises:
        UserError: the feature never fires on `explore`.
        ProbeError: too few sealed prompts, or a subject without finite numbers.
    """
    feature = calibration.feature.index
    prompts = [prompt.ids for prompt in sealed_prompts(bench, feature)]
    return with_sealed_kl(
        calibration, kl_of_targets(bench.runs, prompts, bench.steered(feature), calibration).tolist()
    )
