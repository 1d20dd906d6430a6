"""What a latent adds to the logits by itself on a given text, and where attention brought it from."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from glossator.errors import UnknownNameError
from glossator.probes.attribution.direct_effects import direct_effects, next_token_effects
from glossator.probes.attribution.head_sources import HeadSources, head_sources
from glossator.probes.dictionary import Dictionary
from glossator.probes.interventions.runs import InterventionRuns, Prompt
from glossator.probes.subject import Subject
from glossator.records import Record, SiteKind

MOST_HEADS = 8
MOST_SOURCES = 3


class AttributedToken(Record):
    """One token of the text, and the latent's direct effect on what comes after it."""

    token: str
    """Its text."""
    activation: float
    """The latent's activation; 0 where silent."""
    target: str | None
    """The output token that is asked about: the one given, else the next one of the text; None at the end."""
    effect: float | None
    """Change of its logit that is the latent's direct doing, less the mean over all tokens; None exactly
    where `target` is."""


class SourceShare(Record):
    """What one head brings from one source token."""

    position: int
    """Which token of the text; negative for those of the row prefix."""
    token: str
    """Its text."""
    contribution: float
    """Its part of the latent's pre-activation."""
    attention: float = Field(ge=0)
    """How much the head attends to it."""


class HeadShare(Record):
    """What one attention head contributes to the latent's pre-activation."""

    head: int = Field(ge=0)
    """Counted from 0."""
    contribution: float
    """Over all source tokens."""
    sources: tuple[SourceShare, ...]
    """Those that it brings most from."""


class FiringSources(Record):
    """Why a latent of attention outputs fires at one token: heads and sources add up to it."""

    position: int = Field(ge=0)
    """Which token of the text."""
    token: str
    """Its text."""
    preactivation: float
    """What the encoder computes there: all heads' contributions and the bias."""
    activation: float
    """What the latent has there."""
    bias: float
    """What no head brings."""
    heads: tuple[HeadShare, ...]
    """Heads that contribute most, by size."""
    other_heads: float
    """What the heads that are not listed contribute together."""


class AttributionFindings(Record):
    """A text with one latent's direct effects."""

    target: str | None
    """The output token that was asked about; None for each next token of the text."""
    tokens: tuple[AttributedToken, ...]
    """All tokens of the text."""
    sources: FiringSources | None
    """Where the latent fires most; None for dictionaries that read no heads."""


def attribute_text(
    runs: InterventionRuns, dictionary: Dictionary, feature: int, text: str, word: str | None = None
) -> AttributionFindings:
    """Direct effects of `feature` on `text`, on the logit of `word` or of each next token.

    Raises:
        UserError: the text is empty.
        UnknownNameError: `word` is no single token.
        ShapeMismatchError: the text is longer than the context.
    """
    subject = runs.subject
    (prompt,) = runs.prompts([text])
    targets = None if word is None else [output_token(subject, word)]
    texts = subject.vocabulary.texts
    activations = direct_effects(subject, dictionary, feature, prompt, targets or [prompt[-1]])
    effects = (
        next_token_effects(subject, dictionary, feature, prompt)
        if targets is None
        else activations.effects[:, 0]
    )
    following = [*prompt[1:], None] if targets is None else [targets[0]] * len(prompt)
    prefix = len(subject.row_prefix)
    tokens = tuple(
        AttributedToken(
            token=texts[prompt[i]],
            activation=float(activations.activations[i]),
            target=None if (asked := following[i]) is None else texts[asked],
            effect=float(effects[i]) if math.isfinite(effects[i]) else None,
        )
        for i in range(prefix, len(prompt))
    )
    named = None if targets is None else texts[targets[0]]
    return AttributionFindings(
        target=named, tokens=tokens, sources=_firing_sources(subject, dictionary, feature, prompt)
    )


def output_token(subject: Subject, word: str) -> int:
    """The token that `word` names, after a space or as it stands.

    Raises:
        UnknownNameError: it is several tokens, or none.
    """
    if not word.strip():
        raise UnknownNameError(f"the token {word!r} is empty: give a word")
    # Inside a text a word nearly always follows a space, so that form is meant where it is a token.
    for text in (f" {word}", word):
        ids = subject.tokenize([text])[0]
        if len(ids) == 1 and subject.vocabulary.texts[ids[0]].strip() == word.strip():
            return ids[0]
    pieces = [subject.vocabulary.texts[i] for i in subject.tokenize([f" {word}"])[0]]
    raise UnknownNameError(
        f"{word!r} is not one token of {subject.name} but {len(pieces)}: {pieces}; give one token, such as "
        f"{pieces[0]!r}"
    )


def _firing_sources(
    subject: Subject, dictionary: Dictionary, feature: int, prompt: Prompt
) -> FiringSources | None:
    if dictionary.site.kind is not SiteKind.ATTN_Z:
        return None
    found = head_sources(subject, dictionary, feature, prompt)
    ranked = np.argsort(-np.abs(found.by_head))[:MOST_HEADS]
    prefix = len(subject.row_prefix)
    return FiringSources(
        position=max(0, found.position - prefix),
        token=found.tokens[found.position],
        preactivation=found.preactivation,
        activation=found.activation,
        bias=found.bias,
        heads=tuple(_head(found, int(head), prefix) for head in ranked),
        other_heads=float(found.by_head.sum() - found.by_head[ranked].sum()),
    )


def _head(found: HeadSources, head: int, prefix: int) -> HeadShare:
    each = found.contributions[head]
    return HeadShare(
        head=head,
        contribution=float(found.by_head[head]),
        sources=tuple(
            SourceShare(
                position=int(i) - prefix,
                token=found.tokens[int(i)],
                contribution=float(each[i]),
                attention=float(found.pattern[head, i]),
            )
            for i in np.argsort(-np.abs(each))[:MOST_SOURCES]
        ),
    )
