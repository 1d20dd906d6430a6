"""Numeric functions: search of all families and their joins, and inputs that tell fits apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glossator.probes.black_boxes.box import Pair, Signature, Value
from glossator.probes.black_boxes.draw_numeric import JOINED
from glossator.probes.black_boxes.families import SIMPLE
from glossator.probes.black_boxes.numeric_fit import Skeleton, fit_skeleton, points_of
from glossator.probes.black_boxes.numeric_form import NumericForm
from glossator.probes.black_boxes.solver import Fit, best_first

GOOD = 0.985
"""R² above which joins of two families are not searched."""
_GRID = 401
_GOLDEN = 0.6180339887


class NumericSolver:
    """A `Solver` for functions of numbers."""

    def __init__(self, signature: Signature) -> None:
        self._low, self._high = signature.low, signature.high

    def opening(self, n: int) -> list[Value]:
        """Even places with a small irregular shift, so that no wave hides between them; both ends."""
        places = (np.arange(n) + 0.1 + 0.8 * ((np.arange(n) * _GOLDEN) % 1)) / n
        x = np.round(self._low + places * (self._high - self._low), 1)
        x[0], x[-1] = self._low, self._high
        return [float(v) for v in dict.fromkeys(x.tolist())]

    def random(self, n: int, rng: np.random.Generator) -> list[Value]:
        """Uniform over the domain, to 0.1."""
        return [float(v) for v in np.round(rng.uniform(self._low, self._high, n), 1)]

    def fit(self, skeleton: Skeleton, pairs: Sequence[Pair]) -> Fit:
        """The best numbers for families that somebody proposes."""
        return fit_skeleton(skeleton, pairs, self._low, self._high)

    def search(self, pairs: Sequence[Pair]) -> list[Fit]:
        """Every family; and every join of two where no family fits well."""
        fits = [self.fit(Skeleton(family), pairs) for family in SIMPLE]
        if max(f.quality for f in fits) < GOOD:
            fits += [
                fit_skeleton(Skeleton(first, join, second), pairs, self._low, self._high, exceptions=False)
                for i, first in enumerate(JOINED)
                for second in JOINED[i:]
                for join in ("sum", "product")
                if "constant" not in (first, second)
            ]
        return best_first(fits)

    def telling(self, fits: Sequence[Fit], pairs: Sequence[Pair], n: int) -> list[Value]:
        """Half where fits disagree, half in the middle of jumps between neighbouring experiments."""
        chosen = [*self._middles(pairs, n - n // 2), *self._disputed(fits, pairs, n // 2)]
        return [float(v) for v in dict.fromkeys(chosen)]

    def _middles(self, pairs: Sequence[Pair], n: int) -> list[float]:
        """Bisection: the middles of gaps, weighed by how far apart inputs and outputs are."""
        x, y = points_of(pairs)
        gaps, jumps = np.diff(x), np.abs(np.diff(y))
        bends = np.abs(np.diff(y, 2, prepend=y[0]))
        weight = gaps * (jumps + bends + 0.02 * max(float(np.ptp(y)), 1e-9)) * (gaps > 0.3)
        order = np.argsort(-weight, kind="stable")[:n]
        return [round(float(x[i] + x[i + 1]) / 2, 1) for i in order if weight[i] > 0]

    def _disputed(self, fits: Sequence[Fit], pairs: Sequence[Pair], n: int) -> list[float]:
        """Where the best fits differ most, no two places near each other."""
        forms = [f.form for f in fits[:4] if isinstance(f.form, NumericForm)]
        if len(forms) < 2:
            return []
        x = np.round(np.linspace(self._low, self._high, _GRID), 1)
        spread = np.std([form.values(x) for form in forms], axis=0)
        known = [float(p.given) for p in pairs]
        chosen: list[float] = []
        for i in np.argsort(-spread, kind="stable"):
            if len(chosen) == n:
                break
            near = min(abs(float(x[i]) - k) for k in (*known, *chosen))
            if near > (self._high - self._low) / 200:
                chosen.append(float(x[i]))
        return chosen
