"""Random directions of the same norm: what any push of that size does to a subject."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float

from glossator.probes.intervals import Ends, t_quantile


def null_directions(direction: Float[torch.Tensor, " d"], n: int, seed: int) -> Float[torch.Tensor, "n d"]:
    """`n` isotropic directions as long as `direction`, float32 on the CPU; the same for the same seed.

    The first of them are the same whatever `n` is, and whatever the length of `direction`.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.stack([torch.randn(direction.shape[0], generator=generator) for _ in range(n)])
    return drawn / drawn.norm(dim=1, keepdim=True) * direction.detach().float().cpu().norm()


def null_band(values: Float[np.ndarray, " directions"]) -> Ends | None:
    """Where one more random direction is expected; None without two finite values.

    The range of the draws, and at least the 95 % prediction interval of a further draw (Student's t): the
    range of 8 draws alone misses a ninth in two of nine cases.
    """
    finite = values[np.isfinite(values)]
    if len(finite) < 2:
        return None
    mean, n = float(finite.mean()), len(finite)
    half = t_quantile(n - 1) * float(finite.std(ddof=1)) * math.sqrt(1 + 1 / n)
    return Ends(min(float(finite.min()), mean - half), max(float(finite.max()), mean + half))
