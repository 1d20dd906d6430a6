"""Whether a label detects better than labels of other features do, and which of many such findings hold.

The test is one of signs, with documents as the unit, since windows of one document are not independent.
Under the hypothesis that balanced accuracy is `reached`, the documents' contributions to the excess over
it have mean 0; their signs are drawn anew, as in the wild cluster bootstrap with the null imposed
(Cameron, Gelbach and Miller 2008, https://doi.org/10.1162/rest.90.3.414; Canay, Romano and Shaikh 2017,
https://doi.org/10.3982/ECTA13081). Where no draw reaches what was seen, Hoeffding's bound (1963,
https://doi.org/10.1080/01621459.1963.10500830), which is never below the exact p-value of the draws,
says how small it is; so thousands of labels can be tested at once with a few thousand draws.

Over all labels: Benjamini and Hochberg 1995 (https://doi.org/10.1111/j.2517-6161.1995.tb02031.x). It
holds for independent and for positively dependent tests (Benjamini and Yekutieli 2001), which labels that
are read on the same texts are taken to be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

DRAWS = 1999
"""Sign vectors drawn; the smallest p by counting is 1 / 2000."""
_ROUNDING = 1e-9


def detection_contributions(
    documents: Sequence[str],
    fires: Bool[np.ndarray, " windows"],
    said: Bool[np.ndarray, " windows"],
    reached: float,
) -> Float[np.ndarray, " documents"] | None:
    """What each document adds to balanced accuracy above `reached`; they sum to the excess.

    Args:
        documents: the document of each window.
        fires: whether the feature fires in it.
        said: what the reader said.
        reached: the balanced accuracy that there is under the hypothesis, as labels of other features
            reach it; both rates are taken to be lower by the excess.

    Returns:
        One number per document; None where windows of one kind are missing.

    """
    positives, negatives = int(fires.sum()), int((~fires).sum())
    if not positives or not negatives:
        return None
    right = said == fires
    rates = (float(right[fires].mean()), float(right[~fires].mean()))
    excess = sum(rates) / 2 - reached
    expected = np.where(fires, rates[0] - excess, rates[1] - excess)
    weight = np.where(fires, 0.5 / positives, 0.5 / negatives)
    _, number = np.unique(np.asarray(documents), return_inverse=True)
    return np.bincount(number, (right - expected) * weight).astype(np.float64)


class SignTest:
    """One-sided test that contributions of documents sum to more than 0; the same draws for every label."""

    def __init__(self, seed: int, draws: int = DRAWS) -> None:
        self._seed, self._draws = seed, draws
        self._signs: dict[int, Float[np.ndarray, "draws documents"]] = {}

    def p_value(self, contributions: Float[np.ndarray, " documents"]) -> float:
        """The chance of so large a sum if every document's sign were a coin toss; 1 without any."""
        total = float(contributions.sum())
        squares = float((contributions**2).sum())
        if total <= 0 or squares == 0:
            return 1.0
        sums = self._drawn(len(contributions)) @ contributions.astype(np.float32)
        reaching = int((sums >= total - _ROUNDING - 1e-5 * abs(total)).sum())
        counted = (1 + reaching) / (1 + self._draws)
        return counted if reaching else min(counted, math.exp(-(total**2) / (2 * squares)))

    def _drawn(self, documents: int) -> Float[np.ndarray, "draws documents"]:
        """Sign vectors, more documents' beginning with fewer's, so that few are kept."""
        size = 1 << max(5, (documents - 1).bit_length())
        if size not in self._signs:
            rng = np.random.default_rng([self._seed, size])
            coins = rng.integers(0, 2, (self._draws, size), dtype=np.int8)
            self._signs[size] = (2 * coins - 1).astype(np.float32)
        return self._signs[size][:, :documents]


def after_looks(p: float, looks: int) -> float:
    """`p` of a label whose reading might have ended at any of so many looks (Bonferroni): whichever rule
    ended it, the smallest of the p-values at the looks is at most this small by chance."""
    return min(1.0, p * max(looks, 1))


def adjusted_p(p_values: Float[np.ndarray, " chosen"], tested: int) -> Float[np.ndarray, " chosen"]:
    """Benjamini and Hochberg's adjusted p-values; those at most q are discoveries at q.

    Args:
        p_values: of the labels that may be discoveries at all.
        tested: all labels that were tested, these among them: the others count as if their p were 1, which
            keeps the share of false ones among these below q however they were chosen.

    """
    n = len(p_values)
    if tested < n:
        raise ValueError(f"{tested} tested labels cannot hold {n}")
    order = np.argsort(p_values, kind="stable")
    raised = p_values[order] * tested / np.arange(1, n + 1)
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return adjusted
