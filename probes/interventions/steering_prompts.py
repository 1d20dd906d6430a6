"""Prompts on which a feature is steered: neutral openers, text where it is silent, text just before it fires.

The last family follows delphi, which cuts an example at its first activating token
(https://arxiv.org/abs/2410.13928, section 5), so that what is generated stands where the feature speaks
of itself. Every prompt of the corpus comes from another document.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from glossator.errors import ProbeError
from glossator.probes.interventions.openers import openers_of
from glossator.probes.interventions.runs import InterventionRuns, Prompt
from glossator.probes.split_view import AnyView
from glossator.probes.token_text import TokenText
from glossator.records import ContextFamily, Split

SHORTEST = 4
"""Tokens of the corpus that a prompt has at least."""
FEWEST = 4
"""Prompts without which nothing is measured."""
STRONG = 0.3
"""Firing strongly: above this share of the largest activation, as everywhere in Glossator."""
FAMILIES = tuple(ContextFamily)


class SteeringPrompt(NamedTuple):
    """One prompt, and where it came from."""

    ids: Prompt
    """Token ids, row prefix included."""
    family: ContextFamily
    document: str
    """Id of its document, or the opener's name."""


class _Spans(NamedTuple):
    """Stretches of a token stream, those to be preferred first."""

    start: Int[np.ndarray, " spans"]
    stop: Int[np.ndarray, " spans"]


def draw_prompts(
    view: AnyView,
    runs: InterventionRuns,
    feature: int,
    *,
    per_family: int = 8,
    tokens: int = 16,
    seed: int = 0,
    families: Sequence[ContextFamily] = FAMILIES,
    max_activation: float | None = None,
) -> tuple[SteeringPrompt, ...]:
    """Up to `per_family` prompts of each family, in the order of `families`; fewer where the split has fewer.

    Args:
        view: The split; its openers are its own, too.
        runs: The subject, for its tokenizer and row prefix.
        feature: The feature; prompts of the corpus depend on where it fires.
        per_family: Prompts of each family.
        tokens: Tokens of a prompt of the corpus, row prefix not counted; shorter ones have at least 4.
        seed: Of the choice; the same for the same arguments.
        families: Which ones.
        max_activation: What strong firing is a share of; by default the largest activation in `view`.

    Raises:
        ProbeError: there are fewer than 4 in all.
        UnknownNameError: there is no such feature.
    """
    drawn: list[SteeringPrompt] = []
    for family in families:
        rng = np.random.default_rng((seed, FAMILIES.index(family)))
        if family is ContextFamily.OPENERS:
            drawn += _openers(runs, view.split, per_family, rng)
        elif family is ContextFamily.SILENT:
            drawn += _silent(view, runs, feature, per_family, tokens, rng)
        else:
            drawn += _firing(view, runs, feature, per_family, tokens, rng, max_activation)
    if len(drawn) < FEWEST:
        names = ", ".join(families)
        raise ProbeError(
            f"only {len(drawn)} prompts of {names} for feature {feature} in the {view.split} split, "
            f"and fewer than {FEWEST} say nothing: take more families, or an index over more text"
        )
    return tuple(drawn)


def _openers(runs: InterventionRuns, split: Split, n: int, rng: np.random.Generator) -> list[SteeringPrompt]:
    """Openers of each kind in turn."""
    kinds = [[kind[i] for i in rng.permutation(len(kind))] for kind in openers_of(split)]
    chosen = [opener for turn in zip(*kinds, strict=True) for opener in turn][:n]
    prompts = runs.prompts([opener.text for opener in chosen])
    return [
        SteeringPrompt(ids, ContextFamily.OPENERS, opener.name)
        for ids, opener in zip(prompts, chosen, strict=True)
    ]


def _silent(
    view: AnyView, runs: InterventionRuns, feature: int, n: int, tokens: int, rng: np.random.Generator
) -> list[SteeringPrompt]:
    """Beginnings of rows; where these are too few, any other stretch, for a feature that is rarely silent."""
    text, position = view.text, view.firings(feature).position
    begin, end = _row_bodies(text, runs.subject.row_prefix)

    def usable(start: Int[np.ndarray, " n"], stop: Int[np.ndarray, " n"]) -> _Spans:
        first, last = np.searchsorted(position, [start, stop])
        keep = (stop - start >= SHORTEST) & (first == last) & ~_holds_special(text, start, stop)
        chosen = rng.permutation(np.flatnonzero(keep))
        return _Spans(start[chosen], stop[chosen])

    def beginnings() -> _Spans:
        return usable(begin, np.minimum(begin + tokens, end))

    def anywhere() -> _Spans:
        starts = np.arange(len(text), dtype=np.int64)
        stops = starts + tokens
        row = np.searchsorted(text.row_start, starts, side="right") - 1
        inside = (starts >= begin[row]) & (stops <= end[row])
        return usable(starts[inside], stops[inside])

    return _from_documents(view, runs, (beginnings, anywhere), n, ContextFamily.SILENT)


def _firing(
    view: AnyView,
    runs: InterventionRuns,
    feature: int,
    n: int,
    tokens: int,
    rng: np.random.Generator,
    max_activation: float | None,
) -> list[SteeringPrompt]:
    """What stands before the first strong firing of a row; the firing token itself is left out."""
    text, firings = view.text, view.firings(feature)
    largest = float(firings.activation.max(initial=0.0)) if max_activation is None else max_activation
    strong = firings.position[firings.activation > STRONG * largest].astype(np.int64)
    begin, _ = _row_bodies(text, runs.subject.row_prefix)
    row, first = np.unique(
        np.searchsorted(text.row_start, strong, side="right") - 1, return_index=True
    )  # positions ascend, so the first of each row is its earliest
    stop = strong[first]
    start = np.maximum(stop - tokens, begin[row])
    keep = (stop - start >= SHORTEST) & ~_holds_special(text, start, stop)
    chosen = rng.permutation(np.flatnonzero(keep))
    spans = _Spans(start[chosen], stop[chosen])
    return _from_documents(view, runs, (lambda: spans,), n, ContextFamily.FIRING)


def _from_documents(
    view: AnyView,
    runs: InterventionRuns,
    sources: Sequence[Callable[[], _Spans]],
    n: int,
    family: ContextFamily,
) -> list[SteeringPrompt]:
    """The first `n` spans of distinct documents and tokens; a later source is only asked where need be."""
    text, prefix = view.text, runs.subject.row_prefix
    found: dict[Prompt, SteeringPrompt] = {}
    used: set[int] = set()
    for source in sources:
        spans = source() if len(found) < n else _Spans(np.zeros(0, np.int64), np.zeros(0, np.int64))
        documents = text.document_of(spans.start)
        _, first = np.unique(documents, return_index=True)
        for i in np.sort(first).tolist():
            ids = prefix + tuple(text.ids[int(spans.start[i]) : int(spans.stop[i])].tolist())
            document = int(documents[i])
            if len(found) < n and document not in used and ids not in found:
                found[ids] = SteeringPrompt(ids, family, text.documents[document].id)
                used.add(document)
    return list(found.values())


def _row_bodies(
    text: TokenText, prefix: tuple[int, ...]
) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rows"]]:
    """Where each row's own tokens begin, after the row prefix where it has one, and where they end."""
    begin, end = text.row_start[:-1].astype(np.int64), text.row_start[1:].astype(np.int64)
    if not prefix or not len(text):
        return begin, end
    head = np.minimum(begin[:, None] + np.arange(len(prefix)), len(text) - 1)
    prefixed = (text.ids[head] == np.asarray(prefix)).all(axis=1) & (end - begin >= len(prefix))
    return begin + np.where(prefixed, len(prefix), 0), end


def _holds_special(
    text: TokenText, start: Int[np.ndarray, " n"], stop: Int[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    special = np.flatnonzero(text.vocabulary.special[text.ids])
    first, last = np.searchsorted(special, [start, stop])
    return first != last
