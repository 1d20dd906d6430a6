"""95 % intervals for proportions, F1 and balanced accuracy, over documents rather than examples.

Tokens and windows of one document resemble each other, so documents are the unit that is resampled
(cluster bootstrap), with percentiles widened for few documents (Hesterberg 2015,
https://arxiv.org/abs/1411.5279, section 5.3). AUC has its own module, `auc.py`.

Where the data say nothing about their own spread (no or one document, or all documents equal), the
interval is Wilson's with the number of *documents* as n, as if each document were one coin toss:
wide, and never of width 0. Without any document it is the whole range. Balanced accuracy is never
narrower than its two Wilson intervals combined (MOVER, https://doi.org/10.1002/sim.3095), because
one of its two rates is often 0 or 1 and then shows no spread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from glossator.records import Interval, Metric

_Z = 1.959963984540054
_CHUNK = 4_000_000
_BLOCKS = 1000


class Counts(NamedTuple):
    """Outcomes per document, aligned: entry i of each array belongs to the same document."""

    tp: Int[np.ndarray, " documents"]
    """Fires, and said to."""
    fp: Int[np.ndarray, " documents"]
    """Silent, but said to fire."""
    fn: Int[np.ndarray, " documents"]
    """Fires, but said to be silent."""
    tn: Int[np.ndarray, " documents"]
    """Silent, and said to be."""


def metric_value(counts: Counts, metric: Metric) -> float | None:
    """The metric over all documents; None where it is not defined (nothing predicted, nothing there)."""
    value = float(_metric(_table(counts).sum(axis=0)[None, :], metric)[0])
    return None if math.isnan(value) else value


def wilson(successes: int, n: int) -> Interval:
    """Wilson's score interval of a proportion; the whole range for n = 0."""
    low, high = wilson_ends(successes / n if n else 0.5, n)
    return Interval(low=low, high=high, method="wilson")


def metric_intervals(
    counts: Counts, metrics: Sequence[Metric], *, seed: int, draws: int = 1000
) -> tuple[Interval, ...]:
    """The interval of each metric, from one set of bootstrap draws over documents."""
    table = _contributing(_table(counts), metrics)
    totals = draw_totals(table, np.random.default_rng(seed), draws)
    return tuple(_metric_interval(table, totals, metric) for metric in metrics)


def paired_difference(
    first: Counts, second: Counts, metric: Metric, *, seed: int, draws: int = 1000
) -> Interval:
    """Interval of `metric(first) - metric(second)`, the same documents drawn for both.

    With fewer than two documents, or no spread, it is wide: the difference of two Wilson intervals.
    """
    joint = np.concatenate([_table(first), _table(second)], axis=1)
    joint = joint[joint.any(axis=1)]
    totals = draw_totals(joint, np.random.default_rng(seed), draws)
    differences = _metric(totals[:, :4], metric) - _metric(totals[:, 4:], metric)
    spread = percentile_ends(differences, len(joint))
    if spread is not None:
        return Interval(low=spread[0], high=spread[1], method="paired bootstrap over documents")
    a, b = (_metric_interval(t, t[:0].astype(float), metric) for t in (joint[:, :4], joint[:, 4:]))
    return Interval(low=a.low - b.high, high=a.high - b.low, method="wilson difference, documents as n")


def replicated_value(replicates: Sequence[Counts], metric: Metric) -> float | None:
    """The metric's mean over replicates (readings of the same examples); None where none defines it."""
    values = [v for c in replicates if (v := metric_value(c, metric)) is not None]
    return sum(values) / len(values) if values else None


def replicated_intervals(
    replicates: Sequence[Counts], metrics: Sequence[Metric], *, seed: int, draws: int = 1000
) -> tuple[Interval, ...]:
    """Intervals of `replicated_value`, with documents and replicates both drawn anew each time.

    The replicates are readings of the same documents, aligned, by different readers (explanations of
    other features). One replicate gives its own intervals.
    """
    if len(replicates) < 2:
        return metric_intervals(replicates[0], metrics, seed=seed, draws=draws)
    joint = np.concatenate([_table(c) for c in replicates], axis=1)
    joint = joint[joint.any(axis=1)]
    rng, n = np.random.default_rng(seed), len(replicates)
    totals = draw_totals(joint, rng, draws)
    drawn = rng.integers(n, size=(len(totals), n))
    found: list[Interval] = []
    for metric in metrics:
        values = np.stack([_metric(totals[:, 4 * r : 4 * r + 4], metric) for r in range(n)], axis=1)
        means = _mean_of_defined(np.take_along_axis(values, drawn, axis=1))
        ends = percentile_ends(means, min(n, len(joint)))
        if ends is None:
            found += metric_intervals(replicates[0], [metric], seed=seed, draws=draws)
        else:
            method = "bootstrap over documents and explanations"
            found.append(Interval(low=ends.low, high=ends.high, method=method))
    return tuple(found)


def _mean_of_defined(values: Float[np.ndarray, "draws replicates"]) -> Float[np.ndarray, " draws"]:
    """Mean of what is not nan; nan where nothing is. `np.nanmean` would warn, from whatever thread."""
    defined = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(defined, values, 0.0).sum(axis=1) / defined.sum(axis=1)


def _table(counts: Counts) -> Float[np.ndarray, "documents 4"]:
    return np.stack(counts, axis=1).astype(np.float64)


def _contributing(
    table: Float[np.ndarray, "documents 4"], metrics: Sequence[Metric]
) -> Float[np.ndarray, "kept 4"]:
    """Documents that change any of the metrics: true negatives alone change only balanced accuracy."""
    columns = 4 if Metric.BALANCED_ACCURACY in metrics else 3
    return table[table[:, :columns].any(axis=1)]


def _metric(totals: Float[np.ndarray, "draws 4"], metric: Metric) -> Float[np.ndarray, " draws"]:
    tp, fp, fn, tn = totals.T
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric is Metric.PRECISION:
            return tp / (tp + fp)
        if metric is Metric.RECALL:
            return tp / (tp + fn)
        if metric is Metric.F1:
            return 2 * tp / (2 * tp + fp + fn)
        if metric is Metric.BALANCED_ACCURACY:
            return (tp / (tp + fn) + tn / (tn + fp)) / 2
    raise ValueError(f"{metric!r} has no counts: use auc_interval")


def draw_totals(
    table: Float[np.ndarray, "documents columns"], rng: np.random.Generator, draws: int
) -> Float[np.ndarray, "draws columns"]:
    """The sum over documents drawn with replacement, `draws` times; no rows without documents."""
    table = _blocks(table)
    documents = len(table)
    if documents == 0:
        return np.zeros((0, table.shape[1]))
    parts: list[np.ndarray] = []
    for start in range(0, draws, step := max(1, _CHUNK // documents)):
        n = min(step, draws - start)
        drawn = rng.integers(documents, size=(n, documents)) + np.arange(n)[:, None] * documents
        weights = np.bincount(drawn.ravel(), minlength=n * documents).reshape(n, documents)
        parts.append(weights @ table)
    return np.concatenate(parts)


def _blocks(table: Float[np.ndarray, "documents columns"]) -> Float[np.ndarray, "blocks columns"]:
    """At most `_BLOCKS` sums of documents: as independent as the documents, and quick to draw from."""
    if len(table) <= _BLOCKS:
        return table
    padded = np.concatenate([table, np.zeros((-len(table) % _BLOCKS, table.shape[1]))])
    return padded.reshape(-1, _BLOCKS, table.shape[1]).sum(axis=0)


def _metric_interval(
    table: Float[np.ndarray, "documents 4"], totals: Float[np.ndarray, "draws 4"], metric: Metric
) -> Interval:
    informative = _contributing(table, [metric])
    spread = percentile_ends(_metric(totals, metric), len(informative)) if len(totals) else None
    if metric is Metric.BALANCED_ACCURACY:
        low, high = _mover(table, by_document=spread is None)
        if spread is not None:
            low, high = min(low, spread[0]), max(high, spread[1])
        return Interval(low=low, high=high, method="bootstrap over documents, at least wilson")
    if spread is not None:
        return Interval(low=spread[0], high=spread[1], method="bootstrap over documents")
    low, high = _wilson_of(informative, metric)
    return Interval(low=low, high=high, method="wilson, documents as n")


class Ends(NamedTuple):
    """The two ends of an interval."""

    low: float
    high: float


def percentile_ends(values: Float[np.ndarray, " draws"], clusters: int) -> Ends | None:
    """Percentiles widened for few clusters; None without spread."""
    defined = values[~np.isnan(values)]
    if clusters < 2 or not len(defined) or float(np.ptp(defined)) < 1e-12:
        return None
    from scipy.special import ndtr

    tail = float(ndtr(-math.sqrt(clusters / (clusters - 1)) * t_quantile(clusters - 1)))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Ends(float(low), float(high))


def wilson_ends(share: float, n: int) -> Ends:
    """Ends of Wilson's interval of a share of `n`; the whole range for n = 0."""
    if n <= 0:
        return Ends(0.0, 1.0)
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    return Ends(max(0.0, centre - half), min(1.0, centre + half))


def _wilson_of(table: Float[np.ndarray, "documents 4"], metric: Metric) -> Ends:
    """Wilson for precision, recall or F1 with n = documents that bear on it.

    F1 = 2J / (1 + J) with J = tp / (tp + fp + fn), a proportion, and grows with J.
    """
    tp, fp, fn, _ = table.T
    base = {Metric.PRECISION: tp + fp, Metric.RECALL: tp + fn, Metric.F1: tp + fp + fn}[metric]
    n = int(np.count_nonzero(base))
    ends = wilson_ends(float(tp.sum() / base.sum()) if n else 0.5, n)
    return Ends(*(2 * e / (1 + e) for e in ends)) if metric is Metric.F1 else ends


def _mover(table: Float[np.ndarray, "documents 4"], *, by_document: bool) -> Ends:
    tp, fp, fn, tn = table.T
    rates: list[float] = []
    ends: list[Ends] = []
    for right, wrong in ((tp, fn), (tn, fp)):
        total = int((right + wrong).sum())
        rates.append(float(right.sum()) / total if total else 0.5)
        ends.append(wilson_ends(rates[-1], int(np.count_nonzero(right + wrong)) if by_document else total))
    middle = sum(rates) / 2
    down = math.hypot(*(r - e.low for r, e in zip(rates, ends, strict=True))) / 2
    up = math.hypot(*(e.high - r for r, e in zip(rates, ends, strict=True))) / 2
    return Ends(max(0.0, middle - down), min(1.0, middle + up))


def t_quantile(degrees: int) -> float:
    """The 97.5 % quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.975))
