"""Strengths that mean something: matched to a target next-token KL.

Nothing says that KL grows with strength: subjects saturate, and some curves fall again. So a grid comes
first, and each target is sought where the curve first crosses it. Delphi bisects over the whole range
instead (https://arxiv.org/abs/2410.13928, appendix; rtol 0.1), which may end at any crossing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from glossator.errors import ProbeError
from glossator.probes.interventions.intervention import EVERYWHERE, AddVectors, Positions
from glossator.probes.interventions.kl_curve import KlCurve, outcome, wanted_strengths
from glossator.probes.interventions.runs import InterventionRuns, Prompt
from glossator.records import FeatureRef, KlTarget, SiteRef, StrengthCalibration

WEAKEST, STRONGEST = 1e-4, 300.0
"""Multiples between which a strength is sought."""
CHUNK_CELLS = 1 << 24
"""Log-probabilities held at once: 64 MiB."""
ROUNDS = 14
_DECADES = 12


class Steered(NamedTuple):
    """What is turned up or down."""

    feature: FeatureRef
    site: SiteRef
    """Where its direction is added."""
    direction: Float[torch.Tensor, " d"]
    """What one unit of activation adds."""
    max_activation: float
    """Its largest activation on `explore`: one multiple."""


def next_token_kl(
    clean: Float[torch.Tensor, "rows vocab"], steered: Float[torch.Tensor, "rows vocab"]
) -> Float[torch.Tensor, " rows"]:
    """KL(clean || steered) of each row of log-probabilities, in nats; NaN where a row holds one.

    A token that the clean subject rules out (-inf) adds nothing; one that only the steered subject rules
    out makes the KL infinite.
    """
    share = clean.exp()
    terms = torch.where(share == 0, share, share * (clean - steered))
    return terms.sum(dim=1, dtype=torch.float64).clamp_min(0)


class KlMeter:
    """Next-token KL of one feature on fixed prompts, at any strengths; the clean subject runs once."""

    def __init__(
        self,
        runs: InterventionRuns,
        prompts: Sequence[Prompt],
        steered: Steered,
        positions: Positions = EVERYWHERE,
    ) -> None:
        """Run the clean subject.

        Raises:
            ProbeError: there is no prompt, or the clean subject itself gives infinities or NaN.
        """
        if not prompts:
            raise ProbeError("no prompts to measure a strength on")
        self._runs, self._prompts, self._steered, self._positions = runs, tuple(prompts), steered, positions
        self._clean = runs.next_log_probs(self._prompts)
        if bool(self._clean.isnan().any()):
            raise ProbeError("the subject gives infinities or NaN without any intervention: check its dtype")

    def __call__(self, multiples: Sequence[float]) -> Float[np.ndarray, "multiples prompts"]:
        """KL of each prompt at each multiple; NaN where the subject gave no finite numbers."""
        n, vocabulary = self._clean.shape
        each = max(1, CHUNK_CELLS // (n * vocabulary))
        parts = [self._measured(multiples[at : at + each]) for at in range(0, len(multiples), each)]
        return np.concatenate(parts) if parts else np.zeros((0, n))

    def _measured(self, multiples: Sequence[float]) -> Float[np.ndarray, "multiples prompts"]:
        n = len(self._prompts)
        strengths = torch.tensor(multiples, dtype=torch.float64) * self._steered.max_activation
        vectors = (strengths[:, None] * self._steered.direction.double()).float().repeat_interleave(n, dim=0)
        change = AddVectors(self._steered.site, vectors, self._positions)
        steered = self._runs.next_log_probs(self._prompts * len(multiples), change)
        parts = [next_token_kl(self._clean, part) for part in steered.split(n)]
        return torch.stack(parts).numpy()


def kl_at(
    runs: InterventionRuns,
    prompts: Sequence[Prompt],
    steered: Steered,
    multiples: Sequence[float],
    *,
    positions: Positions = EVERYWHERE,
) -> Float[np.ndarray, "multiples prompts"]:
    """Next-token KL of each prompt at each strength; NaN where the subject gave no finite numbers.

    Raises:
        ProbeError: there is no prompt, or the clean subject itself gives infinities or NaN.
    """
    return KlMeter(runs, prompts, steered, positions)(multiples)


def calibrate(
    runs: InterventionRuns,
    prompts: Sequence[Prompt],
    steered: Steered,
    *,
    targets: Sequence[float] = (0.1, 0.33, 1.0, 3.0),
    sign: int = 1,
    tolerance: float = 0.1,
    positions: Positions = EVERYWHERE,
) -> StrengthCalibration:
    """Strengths whose mean next-token KL over `prompts` is each target: the smallest that was found.

    All targets are refined together, so that a round costs one batch. What is aimed at is 0.3 of the
    tolerance; what counts as reached is the tolerance.

    Args:
        runs: The subject.
        prompts: On which KL is measured; of `validate`.
        steered: The feature.
        targets: In nats, above 0.
        sign: 1 turns it up, -1 down.
        tolerance: Relative.
        positions: Where the direction is added.

    Raises:
        ProbeError: there is no prompt, or the clean subject itself gives infinities or NaN.
    """
    meter = KlMeter(runs, prompts, steered, positions)
    curve = KlCurve()
    for _ in range(ROUNDS):
        wanted = wanted_strengths(curve, targets, tolerance, WEAKEST, STRONGEST)
        if not wanted:
            break
        curve.add(wanted, meter([sign * m for m in wanted]).mean(axis=1))
    outcomes = [outcome(curve, target, tolerance) for target in targets]
    largest = curve.largest_safe()
    return StrengthCalibration(
        feature=steered.feature,
        site=steered.site,
        sign=sign,
        max_activation=steered.max_activation,
        direction_norm=float(steered.direction.norm()),
        curve=curve.points(sign),
        targets=tuple(
            KlTarget(target=t, multiple=sign * o.strength, kl=o.kl, reached=o.reached, reason=o.reason)
            for t, o in zip(targets, outcomes, strict=True)
        ),
        largest_safe=None if largest is None else sign * largest,
        n_prompts=len(prompts),
        tolerance=tolerance,
    )


def with_sealed_kl(calibration: StrengthCalibration, kls: Sequence[float]) -> StrengthCalibration:
    """`calibration` with the KL of each of its targets on prompts that a scorer measured (`kl_of_targets`
    on prompts of `sealed`); NaN says that the subject gave no finite numbers there."""
    targets = tuple(
        target.model_copy(update={"kl_sealed": kl if math.isfinite(kl) else None})
        for target, kl in zip(calibration.targets, kls, strict=True)
    )
    return calibration.model_copy(update={"targets": targets})


def kl_of_targets(
    runs: InterventionRuns,
    prompts: Sequence[Prompt],
    steered: Steered,
    calibration: StrengthCalibration,
    *,
    positions: Positions = EVERYWHERE,
) -> Float[np.ndarray, " targets"]:
    """Mean next-token KL over other prompts at the strength of each target.

    Raises:
        ProbeError: there is no prompt, or the clean subject itself gives infinities or NaN.
    """
    multiples = [target.multiple for target in calibration.targets]
    return kl_at(runs, prompts, steered, multiples, positions=positions).mean(axis=1)


def largest_safe_multiple(
    runs: InterventionRuns, prompts: Sequence[Prompt], steered: Steered, sign: int, upper: float
) -> float:
    """The multiple, with the sign of `sign`, of the largest strength found up to `upper` at which the subject
    gives finite numbers for every prompt, to 2 %. `upper` itself where that is safe, 0 where nothing is.

    Takes for granted that what lies below a safe strength is safe.

    Raises:
        ProbeError: there is no prompt, or the clean subject itself gives infinities or NaN.
    """
    meter = KlMeter(runs, prompts, steered)

    def safe(strengths: Sequence[float]) -> list[bool]:
        finite = np.isfinite(meter([sign * s for s in strengths]).sum(axis=1))
        return np.atleast_1d(finite).tolist()

    # Where numbers overflow is known only to within many powers of ten: those first, then quarters.
    strengths = [upper * 10.0**-k for k in range(_DECADES)]
    found = next((i for i, ok in enumerate(safe(strengths)) if ok), None)
    if found is None:
        return 0.0
    low, high = strengths[found], strengths[max(0, found - 1)]
    while high > 1.02 * low:
        inner = np.geomspace(low, high, 6)[1:-1].tolist()
        fine = [*safe(inner), False]
        first_bad = fine.index(False)
        low = inner[first_bad - 1] if first_bad else low
        high = inner[first_bad] if first_bad < len(inner) else high
    return sign * low
