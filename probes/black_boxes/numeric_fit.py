"""Fitting a numeric skeleton (families and how they are joined) to experiments, exception included.

Fits are compared by the Bayesian information criterion, with a floor under the residuals so that a fit
without any residual is not infinitely better than one with rounding errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from glossator.probes.black_boxes.box import Pair
from glossator.probes.black_boxes.families import FAMILIES, FamilyName, Points
from glossator.probes.black_boxes.numeric_form import ExceptionInterval, NumericForm, Term
from glossator.probes.black_boxes.numeric_pairs import fit_pair
from glossator.probes.black_boxes.shape_search import least_squares, refined, shape_grid
from glossator.probes.black_boxes.solver import Fit

_FLOOR = 2e-3
"""Residuals below this share of the spread count as none."""
_FLAT = 0.8
"""Range of outputs in an exception, at most: N(0, 0.1) spreads so far in some dozen points."""
_RUNS = 3
_LEAST_OUTSIDE = 8


class Skeleton(NamedTuple):
    """A numeric form without its numbers."""

    first: FamilyName
    join: Literal["sum", "product"] | None = None
    second: FamilyName | None = None


class _Run(NamedTuple):
    """Neighbouring points of about one output."""

    start: int
    stop: int


class Points2(NamedTuple):
    """Experiments as sorted arrays."""

    x: Points
    y: Points


def points_of(pairs: Sequence[Pair]) -> Points2:
    """The experiments in order of their inputs."""
    table = sorted((float(p.given), float(p.got)) for p in pairs)
    x, y = np.array(table, dtype=float).reshape(-1, 2).T
    return Points2(x, y)


def fit_skeleton(
    skeleton: Skeleton, pairs: Sequence[Pair], low: float, high: float, *, exceptions: bool = True
) -> Fit:
    """The best numbers for `skeleton`, without or with one exception interval.

    Args:
        skeleton: Families and join.
        pairs: Experiments; at least one.
        low: Least input of the function.
        high: Largest input.
        exceptions: Try exceptions at all.
    """
    points = points_of(pairs)
    plain = _regular(skeleton, points)
    best = _graded(plain, points)
    if not exceptions or best.quality > 1 - 1e-5:
        return best
    for run in _suspects(plain, points):
        outside = np.ones(len(points.x), dtype=bool)
        outside[run.start : run.stop] = False
        rest = Points2(points.x[outside], points.y[outside])
        form = _regular(skeleton, rest).model_copy(update={"exception": _interval(run, points, low, high)})
        fit = _graded(form, points)
        best = min(best, fit, key=lambda f: f.loss)
    return best


def _regular(skeleton: Skeleton, points: Points2) -> NumericForm:
    if skeleton.second is None or skeleton.join is None:
        return NumericForm(first=fit_term(skeleton.first, points.x, points.y))
    first, second = fit_pair(skeleton.first, skeleton.second, skeleton.join, points.x, points.y)
    return NumericForm(first=first, join=skeleton.join, second=second)


def fit_term(family: FamilyName, x: Points, y: Points) -> Term:
    """The best function of one family."""
    shapes = shape_grid(family, x, y)
    found = least_squares(FAMILIES[family].basis(x, shapes), y)
    parameters = np.count_nonzero(np.abs(found.weights) > 0, axis=1)
    losses = [
        _bic(float(r), len(x), float(np.var(y)), int(k)) for r, k in zip(found.rss, parameters, strict=True)
    ]
    shape = refined(family, x, y, shapes[int(np.argmin(losses))])
    weights = least_squares(FAMILIES[family].basis(x, shape[None, :]), y).weights[0]
    return Term(family=family, shape=tuple(map(float, shape)), weights=tuple(map(float, weights)))


def _bic(rss: float, n: int, variance: float, parameters: int) -> float:
    floor = _FLOOR**2 * max(variance, 1e-6)
    return n * math.log(rss / n + floor) + parameters * math.log(max(n, 2))


def _graded(form: NumericForm, points: Points2) -> Fit:
    residual = points.y - form.values(points.x)
    rss, variance = float(residual @ residual), float(np.var(points.y))
    parameters = sum(
        len(t.weights) + len(t.shape) for t in (form.first, form.second) if t is not None
    ) + 4 * (form.exception is not None)
    quality = 1 - rss / len(points.x) / variance if variance > 1e-9 else float(rss < 1e-6)
    return Fit(form, _bic(rss, len(points.x), variance, parameters), quality)


def _suspects(form: NumericForm, points: Points2) -> list[_Run]:
    """Flat runs, those first that the form explains worst."""
    residual = (points.y - form.values(points.x)) ** 2
    runs = _flat_runs(points.y)
    runs = [r for r in runs if len(points.x) - (r.stop - r.start) >= _LEAST_OUTSIDE]
    return sorted(runs, key=lambda r: -float(residual[r.start : r.stop].sum()))[:_RUNS]


def _flat_runs(y: Points) -> list[_Run]:
    """Maximal runs of at least two neighbours whose outputs differ by at most `_FLAT`."""
    runs: list[_Run] = []
    start = 0
    while start < len(y):
        stop = start + 1
        while stop < len(y) and float(np.ptp(y[start : stop + 1])) <= _FLAT:
            stop += 1
        if stop - start >= 2 and (not runs or stop > runs[-1].stop):
            runs.append(_Run(start, stop))
        start += 1
    return runs


def _interval(run: _Run, points: Points2, low: float, high: float) -> ExceptionInterval:
    """From half way to the neighbours outside; to the domain's end where there is none."""
    x = points.x
    left = low if run.start == 0 else float(x[run.start - 1] + x[run.start]) / 2
    right = high if run.stop == len(x) else float(x[run.stop - 1] + x[run.stop]) / 2
    return ExceptionInterval(low=left, high=right, value=float(np.mean(points.y[run.start : run.stop])))
