"""Random directions of the same norm: what any push of that size does to a subject."""

from __future__ import annotations

import torch
from jaxtyping import Float


def null_directions(direction: Float[torch.Tensor, " d"], n: int, seed: int) -> Float[torch.Tensor, "n d"]:
    """`n` isotropic directions as long as `direction`, float32 on the CPU; the same for the same seed.

    The first of them are the same whatever `n` is, and whatever the length of `direction`.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn((n, direction.shape[0]), generator=generator)
    return drawn / drawn.norm(dim=1, keepdim=True) * direction.detach().float().cpu().norm()
