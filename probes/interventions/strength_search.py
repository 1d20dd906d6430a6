"""Strengths that mean something: matched to a target next-token KL. Signatures only, so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from glossator.probes.interventions.intervention import EVERYWHERE, Positions
from glossator.probes.interventions.runs import InterventionRuns, Prompt
from glossator.records import FeatureRef, SiteRef, StrengthCalibration


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
    """KL(clean || steered) of each row, in nats."""
    raise NotImplementedError


def kl_at(
    runs: InterventionRuns,
    prompts: Sequence[Prompt],
    steered: Steered,
    multiples: Sequence[float],
    *,
    positions: Positions = EVERYWHERE,
) -> Float[np.ndarray, "multiples prompts"]:
    """Next-token KL of each prompt at each strength; NaN where the subject gave no finite numbers."""
    raise NotImplementedError


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
    """Strengths whose mean next-token KL over `prompts` is each target."""
    raise NotImplementedError
