"""Choosing tokens with random numbers that rows share.

Gumbel-max sampling: the token with the largest log-probability / temperature + Gumbel noise is a sample
from the softmax. With the same noise, two distributions that are close choose the same token mostly, so
that a clean and a steered continuation differ by the steering and not by luck.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

_BITS = (1 << 64) - 1


class TokenChoice:
    """Chooses the tokens of one batch, step after step; noise depends on seed, draw and step alone."""

    def __init__(
        self, draws: Sequence[int], *, temperature: float, seed: int, barred: Bool[torch.Tensor, " vocab"]
    ) -> None:
        """`draws` has one number per row; tokens that are `barred` are never chosen; temperature 0 takes
        the likeliest."""
        self._temperature, self._barred = temperature, barred
        numbers = sorted(set(draws))
        self._slots = torch.tensor([numbers.index(draw) for draw in draws], device=barred.device)
        self._streams = [np.random.default_rng((seed & _BITS, draw & _BITS)) for draw in numbers]

    def __call__(self, log_probs: Float[torch.Tensor, "rows vocab"]) -> Int[torch.Tensor, " rows"]:
        """The next token of each row."""
        scores = log_probs.masked_fill(self._barred, -torch.inf)
        if self._temperature > 0:
            scores = scores / self._temperature + self._gumbel()[self._slots]
        return scores.argmax(-1)

    def _gumbel(self) -> Float[torch.Tensor, "draws vocab"]:
        size, tiny = self._barred.shape[0], np.finfo(np.float32).tiny
        drawn = np.stack([s.standard_exponential(size, dtype=np.float32) for s in self._streams])
        return -torch.from_numpy(np.maximum(drawn, tiny)).to(self._barred.device).log()
