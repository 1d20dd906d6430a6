"""What a card says of a feature, as Neuronpedia's feature and activation rows.

Windows are those of `explore` that the card shows; the groups are Neuronpedia's: the strongest, and then
intervals of activation with the share of firings that lies in each.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from glossator.exports.context import ExportContext
from glossator.exports.cuid import content_cuid
from glossator.exports.neuronpedia_rows import ActivationRow, FeatureRow
from glossator.records import FeatureCard, TokenEffect, Window

TOP = 8
"""Windows of the group of the strongest; as many as a card is given by strength alone."""
INTERVALS = 5
"""Intervals below them, each with about as many firings."""


class Group(NamedTuple):
    """Where a window is shown: between two activations, with a share of all firings."""

    low: float
    high: float
    contains: float


def feature_row(card: FeatureCard, context: ExportContext) -> FeatureRow:
    """The feature of `card`; what a card does not hold is empty."""
    edges = card.histogram_edges
    return FeatureRow(
        modelId=context.neuronpedia_model,
        layer=context.neuronpedia_source,
        index=str(card.feature.index),
        maxActApprox=card.max_activation,
        creatorId=context.creator,
        frac_nonzero=card.density,
        freq_hist_data_bar_heights=tuple(map(float, card.histogram_counts)),
        freq_hist_data_bar_values=tuple((a + b) / 2 for a, b in pairwise(edges)),
        logits_hist_data_bar_heights=(),
        logits_hist_data_bar_values=(),
        neuron_alignment_indices=(),
        neuron_alignment_l1=(),
        neuron_alignment_values=(),
        correlated_neurons_indices=(),
        correlated_neurons_l1=(),
        correlated_neurons_pearson=(),
        decoder_weights_dist=(),
        neg_str=_tokens(card.suppressed),
        neg_values=tuple(e.effect for e in card.suppressed),
        pos_str=_tokens(card.promoted),
        pos_values=tuple(e.effect for e in card.promoted),
        sourceSetName=context.neuronpedia_set,
        topkCosSimIndices=(),
        topkCosSimValues=(),
        vector=(),
        vectorLabel=None,
        hookName=context.hook_name,
        vectorDefaultSteerStrength=None,
        hasVector=False,
    )


def activation_rows(card: FeatureCard, context: ExportContext) -> Iterator[ActivationRow]:
    """The firing windows of `card`, strongest first; windows of any split but `explore` are not there."""
    groups = _intervals(card)
    for place, window in enumerate(w for w in card.windows if w.tokens):
        top = Group(-1.0, card.max_activation, -1.0)
        group = top if place < TOP or not groups else _group_of(window, groups)
        yield _activation_row(card, window, group, context)


def _activation_row(card: FeatureCard, window: Window, group: Group, context: ExportContext) -> ActivationRow:
    strongest = max(range(len(window.tokens)), key=lambda i: window.activations[i])
    place = [context.neuronpedia_model, context.neuronpedia_source, card.feature.index]
    where = [window.document, window.start, window.tokens, window.activations, *group]
    return ActivationRow(
        id=content_cuid("activation", *place, *where, context.creator, context.corpus),
        modelId=context.neuronpedia_model,
        layer=context.neuronpedia_source,
        index=str(card.feature.index),
        creatorId=context.creator,
        dataSource=context.corpus,
        tokens=window.tokens,
        maxValue=window.activations[strongest],
        minValue=min(window.activations),
        values=window.activations,
        maxValueTokenIndex=strongest,
        dfaValues=(),
        dfaMaxValue=None,
        dfaTargetIndex=None,
        binContains=group.contains,
        binMin=group.low,
        binMax=group.high,
    )


def _intervals(card: FeatureCard) -> list[Group]:
    """Ranges of the histogram's bins with about as many firings each, strongest first."""
    counts, edges = card.histogram_counts, card.histogram_edges
    total = sum(counts)
    if not total:
        return []
    groups: list[Group] = []
    start, inside = 0, 0
    for i, count in enumerate(counts):
        inside += count
        if inside >= total / INTERVALS or i == len(counts) - 1:
            groups.append(Group(edges[start], edges[i + 1], inside / total))
            start, inside = i + 1, 0
    return [g for g in reversed(groups) if g.contains]


def _group_of(window: Window, groups: list[Group]) -> Group:
    """The interval that the window's centre lies in; the last where it is below all."""
    peak = window.activations[window.peak]
    return next((g for g in groups if peak >= g.low), groups[-1])


def _tokens(effects: tuple[TokenEffect, ...]) -> tuple[str, ...]:
    return tuple(e.token for e in effects)
