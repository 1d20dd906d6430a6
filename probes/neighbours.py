"""Which features are near a feature, by the direction of what they write."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from glossator.errors import UnknownNameError

_CHUNK = 65_536


class Neighbours(NamedTuple):
    """Other features, nearest first: by direction (cosine) or by co-activation."""

    indices: Int[np.ndarray, " k"]
    """Features, the feature itself left out; int64."""
    scores: Float[np.ndarray, " k"]
    """How near; float32."""


def nearest_by_direction(directions: Float[torch.Tensor, "features d"], feature: int, k: int) -> Neighbours:
    """The `k` features (or all others, if fewer) whose directions have the largest cosine with `feature`'s.

    Works through the dictionary in chunks, so that it needs no second copy of it. A direction of
    length 0 is near nothing: its cosine is 0.

    Raises:
        UnknownNameError: if there is no such feature.
    """
    n = len(directions)
    if not 0 <= feature < n:
        raise UnknownNameError(f"unknown feature {feature!r}: this dictionary has features 0 to {n - 1}")
    query = torch.nn.functional.normalize(directions[feature].float(), dim=0)
    cosine = torch.cat([_cosine(directions[i : i + _CHUNK], query) for i in range(0, n, _CHUNK)])
    cosine[feature] = -torch.inf
    # A stable sort, so that ties go to the lower index on every machine.
    order = torch.sort(cosine, descending=True, stable=True).indices[: min(k, n - 1)]
    return Neighbours(order.cpu().numpy(), cosine[order].cpu().numpy())


def _cosine(
    rows: Float[torch.Tensor, "chunk d"], query: Float[torch.Tensor, " d"]
) -> Float[torch.Tensor, " chunk"]:
    rows = rows.float()
    return (rows @ query) / rows.norm(dim=1).clamp_min(1e-12)
