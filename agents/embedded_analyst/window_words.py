"""Rules about the words around a token: "the window contains one of these", and weighted topics."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.embedded_analyst.rule_parts import Condition, Draft, inside, joined
from glossator.probes.predicate_evaluation import held_within, summed_within
from glossator.records import WeightedWord, WeightedWords, WindowContains

MOST_WANTED, MOST_UNWANTED, MOST_WORDS = 800, 2400, 24
TOPIC_REACH = (12, 23, 31)
TOPIC_WORDS = 24
MOST_CONSIDERED = 40
_FITTED = 500
_STEP = 0.5
_NEWTON_STEPS = 5


class _Windows(NamedTuple):
    """Distinct words before some tokens: one row per token, `none` where there is no further word."""

    words: Int[np.ndarray, "windows reach"]
    scale: float
    """How many tokens each row stands for."""
    at: Int[np.ndarray, " windows"]
    """The tokens."""


def _windows(
    stats: CorpusStatistics, at: Int[np.ndarray, " n"], reach: int, most: int, seed: int
) -> _Windows:
    """The words that stand within `reach` tokens before each of at most `most` of the tokens, or there."""
    scale = max(1.0, len(at) / most)
    if len(at) > most:
        at = np.sort(np.random.default_rng(seed).choice(at, most, replace=False))
    where = at[:, None] - np.arange(reach + 1)[None]
    begins = stats.text.row_start[stats.text.row_of[at]][:, None]
    none = len(stats.words.words)
    safe = np.maximum(where, begins)
    standing = (where >= begins) & stats.words.first[safe] & (stats.words.word_of[safe] >= 0)
    words = np.sort(np.where(standing, stats.words.word_of[safe], none), axis=1)
    words[:, 1:][words[:, 1:] == words[:, :-1]] = none
    return _Windows(words, scale, at)


def _presence(windows: _Windows, none: int) -> Float[np.ndarray, " words"]:
    """In how many windows each word stands."""
    return np.bincount(windows.words.ravel(), minlength=none + 1)[:none].astype(np.float64)


def window_part(
    stats: CorpusStatistics, target: FiringTarget, within: Draft, reach: int, seed: int = 0
) -> Draft | None:
    """`within`, where one of the best words stands shortly before; None if no word helps."""
    wanted, unwanted = inside(target, within)
    if len(wanted) < 4 or len(unwanted) < 4:
        return None
    none = len(stats.words.words)
    for_it = _windows(stats, wanted, reach, MOST_WANTED, seed)
    against = _windows(stats, unwanted, reach, MOST_UNWANTED, seed)
    hits, misses = _presence(for_it, none) * for_it.scale, _presence(against, none) * against.scale
    base = len(wanted) / (len(wanted) + len(unwanted))
    precision = (hits + 3 * base) / (hits + misses + 3)
    candidates = np.flatnonzero(hits >= 2)
    order = candidates[np.argsort(-precision[candidates], kind="stable")][:MOST_WORDS]
    if not len(order):
        return None
    rank = np.full(none + 1, MOST_WORDS + 1)
    rank[order] = np.arange(len(order))
    found = (
        np.bincount(rank[for_it.words].min(axis=1), minlength=len(order))[: len(order)].cumsum()
        * for_it.scale
    )
    false = (
        np.bincount(rank[against.words].min(axis=1), minlength=len(order))[: len(order)].cumsum()
        * against.scale
    )
    best = int(np.argmax(2 * found / (found + false + len(target.strong)))) + 1
    chosen = order[:best][np.argsort(-hits[order[:best]], kind="stable")]
    part = WindowContains(words=tuple(stats.words.words[i] for i in chosen), before=reach)
    standing = np.zeros(none + 1, dtype=bool)
    standing[chosen] = True
    held = held_within(standing[stats.words.word_of] & stats.words.first, stats.text, reach, 0)
    return joined(within, Condition(part, held, None), target)


def topic_drafts(
    stats: CorpusStatistics, target: FiringTarget, background: Float[np.ndarray, "reaches words"]
) -> list[Draft]:
    """Weighted words over a threshold for each reach.

    Args:
        stats: the explore split.
        target: where to hold.
        background: from `background_presence`.
    """
    drafts: list[Draft] = []
    for reach, usual in zip(TOPIC_REACH, background, strict=True):
        wanted = _windows(stats, _spread(stats, target.strong), reach, _FITTED, seed=1)
        chosen = _telling_words(stats, wanted, usual)
        if len(chosen) < 2:
            continue
        unwanted = _windows(stats, target.silent, reach, 2 * _FITTED, seed=2)
        if not len(unwanted.words):
            continue
        weight = _fitted_weights(wanted.words, unwanted.words, chosen, len(stats.words.words))
        seen = _presence(wanted, len(stats.words.words))[chosen]
        best = np.argsort(-weight * seen, kind="stable")
        best = best[weight[best] > 0][:TOPIC_WORDS]
        if len(best) >= 2:
            drafts.append(_thresholded(stats, target, chosen[best], weight[best], reach))
    return drafts


def _spread(stats: CorpusStatistics, at: Int[np.ndarray, " n"]) -> Int[np.ndarray, " kept"]:
    """The positions, thinned so that no document gives more than a tenth of what is looked at."""
    document = stats.text.document_of(at)
    order = np.random.default_rng(3).permutation(len(at))
    most = max(8, MOST_WANTED // 10)
    ranked = order[np.argsort(document[order], kind="stable")]
    begins = np.flatnonzero(np.r_[True, np.diff(document[ranked]) != 0])
    nth = np.arange(len(ranked)) - np.repeat(begins, np.diff(np.r_[begins, len(ranked)]))
    return np.sort(at[ranked[nth < most]])


def _telling_words(
    stats: CorpusStatistics, windows: _Windows, usual: Float[np.ndarray, " words"]
) -> Int[np.ndarray, " chosen"]:
    """Words that stand near strong firings far more often than elsewhere, in several documents."""
    none = len(stats.words.words)
    n, seen = len(windows.words), _presence(windows, none)
    document = np.repeat(stats.text.document_of(windows.at), windows.words.shape[1])
    pairs = np.unique(windows.words.ravel().astype(np.int64) << 32 | document.astype(np.int64))
    documents = np.bincount(pairs >> 32, minlength=none + 1)[:none]
    odds = np.log((seen + 0.5) / (n + 1)) - np.log(usual)
    least = min(3, len(np.unique(document)))
    worth = np.where(
        (seen >= 3) & (documents >= least) & (odds > 1) & (usual < 0.08),
        odds * np.sqrt(seen * documents),
        0.0,
    )
    order = np.argsort(-worth, kind="stable")[:MOST_CONSIDERED]
    return order[worth[order] > 0]


def _fitted_weights(
    wanted: Int[np.ndarray, "wanted reach"],
    unwanted: Int[np.ndarray, "unwanted reach"],
    chosen: Int[np.ndarray, " chosen"],
    none: int,
) -> Float[np.ndarray, " chosen"]:
    """Weights of the chosen words in a logistic regression of firing on which of them stand near."""
    column = np.full(none + 1, len(chosen))
    column[chosen] = np.arange(len(chosen))
    rows = np.concatenate([wanted, unwanted])
    present = np.zeros((len(rows), len(chosen) + 1), dtype=np.float32)
    present[np.arange(len(rows))[:, None], column[rows]] = 1
    fires = np.arange(len(rows)) < len(wanted)
    return logistic_weights(present[:, :-1], fires)


def logistic_weights(
    present: Float[np.ndarray, "rows words"], fires: Bool[np.ndarray, " rows"], ridge: float = 2.0
) -> Float[np.ndarray, " words"]:
    """Coefficients of a ridge logistic regression, by Newton's method; the intercept is not shrunk."""
    x = np.concatenate([present.astype(np.float64), np.ones((len(present), 1))], axis=1)
    shrink = np.full(x.shape[1], ridge)
    shrink[-1] = 1e-6
    beta = np.zeros(x.shape[1])
    for _ in range(_NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        slope = x.T @ (fires - chance) - shrink * beta
        spread = np.maximum(chance * (1 - chance), 1e-4)
        # einsum, not BLAS: so small a product is slowed many times by threads that wait for each other
        curve = np.einsum("ni,nj->ij", x, x * spread[:, None])
        beta += np.linalg.solve(curve + np.diag(shrink), slope)
    return beta[:-1]


def _thresholded(
    stats: CorpusStatistics,
    target: FiringTarget,
    chosen: Int[np.ndarray, " words"],
    odds: Float[np.ndarray, " words"],
    reach: int,
) -> Draft:
    """The topic with the threshold that has the best F1 on explore."""
    steps = np.clip(np.round(odds / _STEP), 1, 8)
    weight = np.zeros(len(stats.words.words) + 1)
    weight[chosen] = steps
    standing = np.where(stats.words.first, weight[stats.words.word_of], 0.0)
    total = np.rint(summed_within(standing, stats.text, reach, 0)).astype(np.int64)
    top = int(total.max()) + 1
    hits = np.bincount(total[target.strong], minlength=top)[::-1].cumsum()[::-1]
    false = np.bincount(total[target.silent], minlength=top)[::-1].cumsum()[::-1]
    f1 = 2 * hits / (hits + false + max(1, len(target.strong)))
    least = 1 + int(np.argmax(f1[1:])) if top > 1 else 1
    words = tuple(
        WeightedWord(word=stats.words.words[int(w)], weight=float(s * _STEP))
        for w, s in zip(chosen, steps, strict=True)
    )
    topic = WeightedWords(weights=words, threshold=least * _STEP, before=reach)
    return joined(None, Condition(topic, total >= least, None), target)


def background_presence(
    stats: CorpusStatistics, seed: int = 0, n: int = 12_000
) -> Float[np.ndarray, "reaches words"]:
    """The share of windows in which each word stands, by reach, measured on `n` random tokens."""
    none = len(stats.words.words)
    eligible = np.flatnonzero(stats.text.eligible)
    out = np.empty((len(TOPIC_REACH), none))
    for k, reach in enumerate(TOPIC_REACH):
        windows = _windows(stats, eligible, reach, n, seed)
        out[k] = (_presence(windows, none) + 0.5) / (len(windows.words) + 1)
    return out
