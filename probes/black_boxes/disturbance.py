"""What hides a numeric function: noise, jitter in an exception, an approximation. All of it deterministic.

The noise of an input is drawn from a seed that the input is part of, so the same question always has the
same answer, in any order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float

from glossator.probes.black_boxes.numeric_form import NumericForm

Points = Float[np.ndarray, " points"]
Curve = Callable[[Points], Points]
NoiseName = Literal["normal", "uniform", "poisson"]
JITTER = 0.1
"""Standard deviation inside an exception."""
KNOTS, HIDDEN = 33, 64


def rng_of(*parts: object) -> np.random.Generator:
    """A generator that belongs to these parts."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def noise_at(seed: int, x: float, name: NoiseName) -> float:
    """The noise of one input: N(0, 1), U(-1, 1) or Poisson(1) - 1."""
    rng = rng_of(seed, "noise", round(x, 9))
    if name == "normal":
        return float(rng.normal())
    return float(rng.uniform(-1, 1)) if name == "uniform" else float(rng.poisson(1.0)) - 1.0


def jitter_at(seed: int, x: float, form: NumericForm) -> float:
    """N(0, 0.1) inside the form's exception, 0 outside."""
    e = form.exception
    if e is None or not e.low <= x <= e.high:
        return 0.0
    return float(rng_of(seed, "jitter", round(x, 9)).normal()) * JITTER


def straight_pieces(form: NumericForm, low: float, high: float) -> Curve:
    """`form` between even knots, straight from knot to knot."""
    knots = np.linspace(low, high, KNOTS)
    values = form.values(knots)
    return lambda x: np.interp(x, knots, values)


def small_network(form: NumericForm, low: float, high: float, seed: int) -> Curve:
    """A ReLU layer with drawn kinks and fitted output weights (ridge regression)."""
    rng = rng_of(seed, "network")
    kinks = np.sort(rng.uniform(-1, 1, HIDDEN))
    x = np.linspace(low, high, 512)

    def hidden(points: Points) -> Float[np.ndarray, "points units"]:
        u = 2 * (points - low) / (high - low) - 1
        return np.column_stack([np.ones_like(u), u, np.maximum(u[:, None] - kinks[None, :], 0.0)])

    layer = hidden(x)
    gram = layer.T @ layer + 1e-4 * np.eye(layer.shape[1])
    weights = np.linalg.solve(gram, layer.T @ form.values(x))
    return lambda points: hidden(points) @ weights
