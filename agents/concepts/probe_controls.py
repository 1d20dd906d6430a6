"""A linear probe of a concept beside what it must beat to mean anything, all on the same sealed texts.

Shuffled labels tell what fitting itself brings; an untrained subject, what tokens and architecture bring;
a bag of words, what the words bring; text length, what careless texts give away. The difference of means and
the best single feature are simpler readers of the same activations. After Hewitt and Liang 2019,
https://arxiv.org/abs/1909.03368, and Kantamneni et al. 2025, https://arxiv.org/abs/2502.16681.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from glossator.agents.concepts.concept_texts import ConceptTexts
from glossator.agents.concepts.discovery import best_on_validate, open_maxima
from glossator.agents.concepts.linear_probe import (
    FittedProbe,
    OpenLabels,
    OpenVectors,
    fit_probe,
    mean_difference,
    validate_auc,
)
from glossator.agents.scorers.concept_scores import SealedAuc
from glossator.probes.site_means import Direction, Reading, TextReader
from glossator.records import Interval

SHUFFLES = 10
PROBE, SHUFFLED, UNTRAINED = "linear probe", "shuffled labels", "untrained subject"
MEANS, WORDS, FEATURE, LENGTH = "difference of means", "bag of words", "best single feature", "text length"
NO_TWIN = "there is no untrained twin of this subject: only transformers models have one"
_LEAST_TEXTS = 2
"""Explore texts that hold a token for it to be counted."""


class ProbeRow(NamedTuple):
    """One reader of the texts."""

    name: str
    how: str
    """What was chosen on `validate`."""
    validate_auc: float | None
    sealed_auc: SealedAuc


class ProbeTable(NamedTuple):
    """The probe and its controls."""

    rows: tuple[ProbeRow, ...]
    """The probe first."""
    skipped: Mapping[str, str]
    """Controls that were not measured, and why."""
    over_words: Interval
    """By how much the probe's sealed AUC exceeds the bag of words'."""
    over_feature: Interval | None
    """By how much it exceeds the best single feature's; None where no feature fires on enough texts."""
    feature: int | None
    """The best single feature."""


def probe_table(texts: ConceptTexts, reader: TextReader, seed: int) -> ProbeTable:
    """Fit the probe and its controls, and measure all on the sealed texts.

    Raises:
        ProbeError: an activation is infinite or not a number.
    """
    labels = OpenLabels(texts.explore.has, texts.validate.has)
    site = _site(texts, reader, untrained=False)
    probe, words = fit_probe(site, labels), fit_probe(_tokens(texts, reader), labels)
    rows = [_row(texts, PROBE, probe), _shuffled_row(texts, site, seed)]
    if reader.has_untrained:
        rows.append(_row(texts, UNTRAINED, fit_probe(_site(texts, reader, untrained=True), labels)))
    rows += [_row(texts, MEANS, mean_difference(site, labels)), _row(texts, WORDS, words)]
    at = open_maxima(texts, reader)
    feature = best_on_validate(texts, at)
    skipped = {} if reader.has_untrained else {UNTRAINED: NO_TWIN}
    if feature is None:
        skipped[FEATURE] = "no feature fires on enough of the texts"
    else:
        reached = float(at.validate.auc(texts.validate.has)[np.searchsorted(at.tested, feature)])
        (own,) = texts.judge.features(np.array([feature]))
        rows.append(ProbeRow(FEATURE, f"feature {feature}", reached, own))
    rows.append(_length_row(texts, reader, labels))
    over_feature = None if feature is None else texts.judge.difference(probe.direction, feature)
    over_words = texts.judge.difference(probe.direction, words.direction)
    return ProbeTable(tuple(rows), skipped, over_words, over_feature, feature)


def _row(texts: ConceptTexts, name: str, fitted: FittedProbe) -> ProbeRow:
    return ProbeRow(name, fitted.how, fitted.validate_auc, texts.judge.direction(fitted.direction))


def _site(texts: ConceptTexts, reader: TextReader, *, untrained: bool) -> dict[Reading, OpenVectors]:
    explore = reader.site(texts.explore.texts, untrained=untrained)
    validate = reader.site(texts.validate.texts, untrained=untrained)
    mean, largest = (
        (Reading.UNTRAINED_MEAN, Reading.UNTRAINED_MAX) if untrained else (Reading.MEAN, Reading.MAX)
    )
    return {
        mean: OpenVectors(explore.mean, validate.mean),
        largest: OpenVectors(explore.largest, validate.largest),
    }


def _tokens(texts: ConceptTexts, reader: TextReader) -> dict[Reading, OpenVectors]:
    held = [np.unique(ids) for ids in reader.token_ids(texts.explore.texts)]
    tokens, count = np.unique(np.concatenate(held), return_counts=True)
    kept = tokens[count >= _LEAST_TEXTS]
    explore, validate = (reader.token_counts(p.texts, kept) for p in (texts.explore, texts.validate))
    return {Reading.TOKENS: OpenVectors(explore, validate, kept)}


def _shuffled_row(texts: ConceptTexts, site: Mapping[Reading, OpenVectors], seed: int) -> ProbeRow:
    """Probes of shuffled open labels, on the true sealed labels: the mean, and the range over shufflings."""
    rng = np.random.default_rng(seed)
    reached: list[float] = []
    for _ in range(SHUFFLES):
        labels = OpenLabels(rng.permutation(texts.explore.has), rng.permutation(texts.validate.has))
        reached.append(texts.judge.direction(fit_probe(site, labels).direction).value)
    ends = Interval(low=min(reached), high=max(reached), method=f"range of {SHUFFLES} shufflings")
    return ProbeRow(SHUFFLED, f"{SHUFFLES} shufflings", None, SealedAuc(float(np.mean(reached)), ends))


def _length_row(texts: ConceptTexts, reader: TextReader, labels: OpenLabels) -> ProbeRow:
    explore, validate = (
        reader.vectors(Reading.LENGTH, p.texts)[:, 0] for p in (texts.explore, texts.validate)
    )
    longer = explore[labels.explore].mean() >= explore[~labels.explore].mean()
    sign = 1.0 if longer else -1.0
    direction = Direction(Reading.LENGTH, np.array([sign]))
    reached = validate_auc(sign * validate, labels)
    how = "longer" if longer else "shorter"
    return ProbeRow(LENGTH, how, reached, texts.judge.direction(direction))
