"""Means over prompts and their intervals; prompts of one document are drawn together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from glossator.probes.intervals import Ends, draw_totals, percentile_ends
from glossator.records import Interval

METHOD = "bootstrap over documents"


def by_document(
    values: Float[np.ndarray, "prompts columns"], documents: Sequence[str]
) -> Float[np.ndarray, "documents sums"]:
    """Sums over each document's prompts, column by column, then their number."""
    numbered = {document: i for i, document in enumerate(dict.fromkeys(documents))}
    own = np.array([numbered[document] for document in documents], dtype=np.int64)
    table = np.zeros((len(numbered), values.shape[1] + 1))
    np.add.at(table, own, np.column_stack([values, np.ones(len(values))]))
    return table


def drawn_means(
    values: Float[np.ndarray, "prompts columns"], documents: Sequence[str], *, seed: int, draws: int = 1000
) -> Float[np.ndarray, "draws columns"]:
    """Means of each column over prompts of documents drawn with replacement: the same ones for all."""
    totals = draw_totals(by_document(values, documents), np.random.default_rng(seed), draws)
    return totals[:, :-1] / totals[:, -1:]


def mean_interval(
    values: Float[np.ndarray, " prompts"], documents: Sequence[str], *, seed: int, draws: int = 1000
) -> Interval:
    """Interval of the mean of `values`; of no width where all documents agree."""
    means = drawn_means(values[:, None], documents, seed=seed, draws=draws)[:, 0]
    mean = float(values.mean())
    ends = percentile_ends(means, len(set(documents))) or Ends(mean, mean)
    return Interval(low=ends.low, high=ends.high, method=METHOD)
