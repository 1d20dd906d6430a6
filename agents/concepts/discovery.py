"""Features that separate texts with a concept from texts without it.

Every feature that fires on enough open texts (explore and validate together) is tested by rank, whatever
it looks like, and false discoveries are held to a share of `Q` (Benjamini and Hochberg 1995). What is found
is ranked by its AUC on `validate`, then by `explore`; what is reported is its AUC on sealed texts, beside
what the best feature under shuffled labels reaches there. Tests take both open parts because a fifth of a
few dozen texts could never speak against chance in thousands of tests; nothing was chosen on either before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from glossator.agents.concepts.concept_texts import ConceptTexts
from glossator.agents.concepts.feature_groups import FeatureGroup, group_features
from glossator.agents.scorers.concept_scores import SealedAuc
from glossator.probes.concept_separation import TextRanks, activation_table, discoveries
from glossator.probes.labelled_texts import LabelledTexts
from glossator.probes.site_means import TextReader
from glossator.probes.text_activations import FeatureMaxima

Q = 0.05
"""Share of false discoveries that is allowed."""
LEAST_FIRING = 3
"""Open texts on which a feature must fire to be tested, whatever their kind."""
MOST_FOUND = 50
"""Features that are reported."""
SHUFFLES = 200


class FoundFeature(NamedTuple):
    """One feature that separates the concept."""

    feature: int
    explore_auc: float
    validate_auc: float
    p: float
    """One-sided, on explore and validate."""
    sealed_auc: SealedAuc
    fires_with: float
    """Share of open texts with the concept on which it fires."""
    fires_without: float

    @property
    def holds(self) -> bool:
        """Whether the sealed texts show it too: their interval lies above ½."""
        return self.sealed_auc.interval.low > 0.5


class ShuffledBest(NamedTuple):
    """Sealed AUC of the feature that is best on `validate`, where labels are shuffled everywhere."""

    mean: float
    high: float
    """97.5 % quantile over shufflings."""


class Discovery(NamedTuple):
    """What was found."""

    found: tuple[FoundFeature, ...]
    """Best first; at most `MOST_FOUND`."""
    groups: tuple[FeatureGroup, ...]
    """Of what was found, best first."""
    n_found: int
    """Discoveries in all."""
    n_tested: int
    shuffled: ShuffledBest

    def remembered(self, most: int = 5) -> tuple[FoundFeature, ...]:
        """The best of the first groups, those alone that hold on sealed texts."""
        numbers = {f.feature: f for f in self.found}
        best = [numbers[g.best] for g in self.groups]
        return tuple(f for f in best if f.holds)[:most]


class OpenMaxima(NamedTuple):
    """Largest activations on the open texts, ranked: together, and on each part."""

    maxima: FeatureMaxima
    together: TextRanks
    explore: TextRanks
    validate: TextRanks

    @property
    def tested(self) -> Int[np.ndarray, " features"]:
        """Features that fire on enough texts."""
        return self.together.features


def open_maxima(texts: ConceptTexts, reader: TextReader) -> OpenMaxima:
    """Run the open texts through subject and dictionary, and rank them by every feature."""
    both, n_explore = texts.open, len(texts.explore)
    maxima = reader.activations.maxima(both.texts)
    tested = TextRanks.of(maxima, len(both)).firing_on(LEAST_FIRING)
    return OpenMaxima(
        maxima,
        TextRanks.of(maxima, len(both), tested),
        TextRanks.of(_part(maxima, 0, n_explore), n_explore, tested),
        TextRanks.of(_part(maxima, n_explore, len(both)), len(texts.validate), tested),
    )


def discover(
    texts: ConceptTexts,
    reader: TextReader,
    directions: Float[torch.Tensor, "features d"],
    seed: int,
    opened: OpenMaxima | None = None,
) -> Discovery:
    """Find, rank, report and group the features of a concept.

    Raises:
        ProbeError: an activation is infinite or not a number.
    """
    at, both = opened or open_maxima(texts, reader), texts.open
    p = at.together.p_values(both.has, both.document)
    aucs = at.explore.auc(texts.explore.has), at.validate.auc(texts.validate.has)
    passed = np.flatnonzero(discoveries(p, Q))
    ranked = passed[np.lexsort((at.tested[passed], p[passed], -aucs[0][passed], -aucs[1][passed]))]
    ranked = ranked[:MOST_FOUND]
    features = at.tested[ranked]
    table = activation_table(at.maxima, len(both), features)
    found = tuple(
        FoundFeature(
            int(at.tested[i]), float(aucs[0][i]), float(aucs[1][i]), float(p[i]), reported,
            _share(table[both.has, k]), _share(table[~both.has, k]),
        )
        for k, (i, reported) in enumerate(zip(ranked, texts.judge.features(features), strict=True))
    )  # fmt: skip
    groups = group_features(features, table, both.has, directions[torch.from_numpy(features)])
    return Discovery(found, groups, len(passed), len(at.tested), _shuffled(texts, at, seed))


def best_on_validate(texts: ConceptTexts, at: OpenMaxima) -> int | None:
    """The feature with the largest AUC on `validate`, ties by `explore`; None where none fires enough."""
    if not len(at.tested):
        return None
    validate, explore = at.validate.auc(texts.validate.has), at.explore.auc(texts.explore.has)
    return int(at.tested[np.lexsort((-explore, -validate))[0]])


def _shuffled(texts: ConceptTexts, at: OpenMaxima, seed: int) -> ShuffledBest:
    if not len(at.tested):
        return ShuffledBest(0.5, 0.5)
    rng = np.random.default_rng(seed)
    rows: Bool[np.ndarray, "draws texts"] = np.stack(
        [rng.permutation(texts.validate.has) for _ in range(SHUFFLES)]
    )
    best = at.tested[at.validate.aucs(rows).argmax(axis=1)]
    reached = texts.judge.shuffled_features(best, seed)
    return ShuffledBest(float(reached.mean()), float(np.quantile(reached, 0.975)))


def _part(maxima: FeatureMaxima, start: int, stop: int) -> FeatureMaxima:
    inside = (maxima.text >= start) & (maxima.text < stop)
    return FeatureMaxima(maxima.text[inside] - start, maxima.feature[inside], maxima.activation[inside])


def _share(values: Float[np.ndarray, " texts"]) -> float:
    return float((values > 0).mean()) if len(values) else 0.0


def n_of(texts: LabelledTexts) -> str:
    """Counts of both kinds, for people."""
    return f"{texts.n_with} + {texts.n_without}"
