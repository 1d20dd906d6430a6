"""How well every feature separates texts with a concept from texts without it, all features at once.

A feature's value on a text is its largest activation there. Texts are ranked by it once per feature (ties
share their mean rank; the silent texts are one tie), and ranks are kept sparse, as their excess over the
silent texts' rank. One product with a row of labels then gives the rank sums, hence the AUCs, of all
features (Mann and Whitney 1947); shuffled labels are more rows of the same product.

p-values are one-sided (more on texts with the concept). The variance is that of the rank sum under
permutation of labels, with ties, or the sum over documents of squared contributions where that is larger:
texts of one document are not independent. No p-value is below the smallest that a permutation of the labels
could reach for a feature that fires on so many texts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.special import gammaln, stdtr
from scipy.stats import false_discovery_control

from glossator.probes.text_activations import FeatureMaxima


@dataclass(frozen=True)
class TextRanks:
    """Texts ranked by each of some features."""

    features: Int[np.ndarray, " features"]
    """The features, ascending."""
    raised: sp.csr_matrix
    """[texts, features]: by how much a text's rank exceeds that of the silent texts; float64."""
    silent_rank: Float[np.ndarray, " features"]
    """The rank that the silent texts share."""
    fires_on: Int[np.ndarray, " features"]
    """On how many texts each fires."""

    @classmethod
    def of(
        cls, maxima: FeatureMaxima, n_texts: int, features: Int[np.ndarray, " features"] | None = None
    ) -> TextRanks:
        """Ranks of `n_texts` texts by `features`, or by every feature that fires on any of them."""
        kept = np.unique(maxima.feature) if features is None else np.unique(features)
        column = np.searchsorted(kept, maxima.feature)
        column = np.minimum(column, max(0, len(kept) - 1))
        known = kept[column] == maxima.feature if len(kept) else np.zeros(len(column), bool)
        text, column, value = maxima.text[known], column[known], maxima.activation[known]
        fires_on = np.bincount(column, minlength=len(kept))
        silent_rank = (n_texts - fires_on + 1) / 2
        rank = _ranks(column, value, fires_on, n_texts)
        raised = sp.csr_matrix((rank - silent_rank[column], (text, column)), shape=(n_texts, len(kept)))
        return cls(kept, raised, silent_rank, fires_on)

    @property
    def n_texts(self) -> int:
        """Texts that were ranked."""
        return len(self.raised.indptr) - 1

    def firing_on(self, least: int) -> Int[np.ndarray, " features"]:
        """Features that fire on at least `least` texts, whatever their labels."""
        return self.features[self.fires_on >= least]

    def auc(self, has: Bool[np.ndarray, " texts"]) -> Float[np.ndarray, " features"]:
        """Probability that a text with the concept ranks above one without; ½ for a silent feature.

        Both classes must be there.
        """
        return self.aucs(has[None])[0]

    def aucs(self, has: Bool[np.ndarray, "draws texts"]) -> Float[np.ndarray, "draws features"]:
        """As `auc`, for each row of labels."""
        n_with = has.sum(axis=1, keepdims=True).astype(np.float64)
        sums = (self.raised.T @ has.T.astype(np.float64)).T
        ranks = sums + n_with * self.silent_rank
        return (ranks - n_with * (n_with + 1) / 2) / (n_with * (self.n_texts - n_with))

    def p_values(
        self, has: Bool[np.ndarray, " texts"], document: Int[np.ndarray, " texts"]
    ) -> Float[np.ndarray, " features"]:
        """How likely the rank sum, or a larger one, is without the concept; one-sided."""
        n, n_with = self.n_texts, int(has.sum())
        signed = has - n_with / n
        moved = self.raised.T @ signed
        by_permutation = n_with * (n - n_with) / (n * (n - 1)) * self._squares()
        alone = len(np.unique(document)) == n
        by_document = 0.0 if alone else self._document_squares(signed, document)
        spread = np.sqrt(np.maximum(np.maximum(by_permutation, by_document), 1e-12))
        clusters = min(len(np.unique(document[has])), len(np.unique(document[~has])))
        chance = stdtr(1e9 if alone else max(1, clusters - 1), -moved / spread)
        return np.maximum(chance, self._least_p(n_with))

    def _squares(self) -> Float[np.ndarray, " features"]:
        """Sum of squares of the centred ranks."""
        offset = self.silent_rank - (self.n_texts + 1) / 2
        total = np.asarray(self.raised.sum(axis=0)).ravel()
        squared = np.asarray(self.raised.multiply(self.raised).sum(axis=0)).ravel()
        return squared + 2 * offset * total + self.n_texts * offset**2

    def _document_squares(
        self, signed: Float[np.ndarray, " texts"], document: Int[np.ndarray, " texts"]
    ) -> Float[np.ndarray, " features"]:
        _, number = np.unique(document, return_inverse=True)
        member = sp.csr_matrix((signed, (number, np.arange(len(signed)))))
        weight = np.asarray(member.sum(axis=1))
        offset = self.silent_rank - (self.n_texts + 1) / 2
        return ((sp.csr_matrix(member @ self.raised).toarray() + weight * offset[None]) ** 2).sum(axis=0)

    def _least_p(self, n_with: int) -> Float[np.ndarray, " features"]:
        """The chance that all texts that fire (or all with the concept, if fewer) have the concept."""
        k = np.minimum(self.fires_on, n_with)
        return np.exp(_log_choose(n_with, k) - _log_choose(self.n_texts, k))


def discoveries(p_values: Float[np.ndarray, " features"], q: float) -> Bool[np.ndarray, " features"]:
    """Which are discoveries if a share of at most `q` may be false (Benjamini and Hochberg 1995)."""
    if not len(p_values):
        return np.zeros(0, dtype=bool)
    return np.asarray(false_discovery_control(np.clip(p_values, 0, 1)) <= q)


def activation_table(
    maxima: FeatureMaxima, n_texts: int, features: Int[np.ndarray, " features"]
) -> Float[np.ndarray, "texts features"]:
    """The largest activation of each of a few features (in any order) on each text; 0 where silent."""
    out = np.zeros((n_texts, len(features)), np.float32)
    order = np.argsort(features, kind="stable")
    ordered = features[order]
    place = np.minimum(np.searchsorted(ordered, maxima.feature), max(0, len(ordered) - 1))
    if len(ordered):
        known = ordered[place] == maxima.feature
        out[maxima.text[known], order[place[known]]] = maxima.activation[known]
    return out


def _ranks(
    column: Int[np.ndarray, " pairs"],
    value: Float[np.ndarray, " pairs"],
    fires_on: Int[np.ndarray, " features"],
    n_texts: int,
) -> Float[np.ndarray, " pairs"]:
    """Rank of each pair among all texts of its feature, from 1; ties share the mean."""
    order = np.lexsort((value, column))
    first = np.concatenate([[0], np.cumsum(fires_on)])[:-1]
    place = np.arange(len(order)) - first[column[order]]
    plain = (n_texts - fires_on)[column[order]] + place + 1.0
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(column[order]) != 0) | (np.diff(value[order]) != 0)
    tie = np.cumsum(new) - 1
    mean = np.bincount(tie, plain) / np.maximum(np.bincount(tie), 1)
    out = np.empty(len(order))
    out[order] = mean[tie] if len(order) else plain
    return out


def _log_choose(n: int, k: Int[np.ndarray, " features"]) -> Float[np.ndarray, " features"]:
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
