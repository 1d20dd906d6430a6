"""The concept of a direction: the tokens that it makes the subject say next.

Tokens are ranked by what they add to KL(steered || clean), p_steered * log(p_steered / p_clean), mean over
prompts: a token counts that becomes likely, not one that becomes a thousand times less unlikely. A token
must rise in most prompts, so that one prompt's odd continuation makes no concept.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from glossator.agents.causal.next_token_changes import NextTokenChanges

MOST_TOKENS = 12


class Concept(NamedTuple):
    """Tokens that rise, most first; none where nothing rises in most prompts."""

    ids: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()
    contributions: tuple[float, ...] = ()
    """What each adds to KL(steered || clean), in nats, mean over prompts."""

    def __bool__(self) -> bool:
        return bool(self.ids)


NO_CONCEPT = Concept()


def concept_of(changes: NextTokenChanges, direction: int, most: int = MOST_TOKENS) -> Concept:
    """The concept of one of the directions that were measured; special tokens are left out."""
    n_prompts = int(changes.finite[direction].sum())
    contribution = changes.contribution[direction]
    special = torch.from_numpy(changes.vocabulary.special[: len(contribution)])
    fits = (changes.rising[direction] * 2 > n_prompts) & (contribution > 0) & ~special
    ranked = contribution.masked_fill(~fits, -torch.inf)
    top = ranked.topk(min(most, len(ranked)))
    ids = tuple(int(i) for i, value in zip(top.indices, top.values, strict=True) if value > 0)
    texts = changes.vocabulary.texts
    return Concept(ids, tuple(texts[i] for i in ids), tuple(float(contribution[i]) for i in ids))
