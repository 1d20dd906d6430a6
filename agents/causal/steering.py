"""Continuations of given prompts side by side: clean, steered, and under random directions of the same norm.

All columns of a prompt share their random numbers, so they differ by what was added alone. A demonstration,
not a measurement: prompts are the user's own, and nothing here is a score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field

from glossator.agents.causal.null_directions import null_directions
from glossator.probes.interventions.intervention import EVERYWHERE, AddVectors, Positions
from glossator.probes.interventions.runs import InterventionRuns, Prompt
from glossator.probes.interventions.strength_search import Steered, next_token_kl
from glossator.records import Record

CLEAN, STEERED, RANDOM = "clean", "steered", "random direction"


class SteeringSettings(NamedTuple):
    """How prompts are continued."""

    tokens: int = 24
    """Tokens that are generated."""
    samples: int = 1
    """Continuations of each prompt."""
    temperature: float = 1.0
    """0 takes the likeliest token."""
    random_directions: int = 1
    """Random directions of the same norm."""
    positions: Positions = EVERYWHERE
    seed: int = 0


class Continuation(Record):
    """What follows a prompt."""

    text: str
    """Token texts, side by side."""
    tokens: tuple[str, ...]
    """Token texts."""
    perplexity: float | None
    """Of the continuation under the clean subject; None where that is beyond all numbers."""
    concept_share: float | None
    """Share of its tokens that belong to the feature's stored concept; None where none is stored."""


class SteeringColumn(Record):
    """One way of continuing a prompt."""

    name: str
    """`clean`, `steered`, or `random direction`, counted from 1 where there are several."""
    kl: float | None
    """KL(clean || this) of the token after the prompt, in nats; None where the subject gave no finite
    numbers for it."""
    continuations: tuple[Continuation, ...]
    """One per sample."""

    @property
    def perplexity(self) -> float | None:
        """Of all its continuations together."""
        each = [c.perplexity for c in self.continuations]
        known = [math.log(p) for p in each if p is not None]
        return math.exp(sum(known) / len(known)) if len(known) == len(each) else None

    @property
    def concept_share(self) -> float | None:
        """Mean over its continuations."""
        shares = [c.concept_share for c in self.continuations if c.concept_share is not None]
        return sum(shares) / len(shares) if shares else None


class SteeredPrompt(Record):
    """One prompt with all its columns."""

    prompt: str
    """Its text."""
    n_tokens: int = Field(ge=1)
    """Its tokens, without the row prefix."""
    columns: tuple[SteeringColumn, ...]
    """Clean, steered, random directions."""


def steer_prompts(
    runs: InterventionRuns,
    steered: Steered,
    texts: Sequence[str],
    multiple: float,
    settings: SteeringSettings,
    concept: Sequence[str] = (),
) -> tuple[SteeredPrompt, ...]:
    """Continue each text clean, with `multiple` times the feature, and with random directions as long.

    Raises:
        UserError: a text is empty.
        ShapeMismatchError: a text and its continuation do not fit the context.
        ProbeError: the subject gave infinities or NaN.
    """
    vectors = _vectors(steered, multiple, settings)
    prompts = runs.prompts(texts)
    names = _names(settings.random_directions)
    kls = _kls(runs, prompts, steered, vectors, settings.positions)
    rows = _Rows(len(prompts), len(names), settings.samples)
    asked = [prompts[rows.prompt(i)] for i in range(rows.n)]
    continued = runs.continuations(
        asked,
        AddVectors(steered.site, vectors[[rows.column(i) for i in range(rows.n)]], settings.positions),
        tokens=settings.tokens,
        temperature=settings.temperature,
        seed=settings.seed,
        draws=[rows.draw(i) for i in range(rows.n)],
    ).ids
    losses = runs.continuation_losses(asked, continued).tolist()
    vocabulary = runs.subject.vocabulary.texts
    made = [
        _continuation([vocabulary[t] for t in ids], loss, concept)
        for ids, loss in zip(continued.tolist(), losses, strict=True)
    ]
    prefix = len(runs.subject.row_prefix)
    return tuple(
        SteeredPrompt(
            prompt=text,
            n_tokens=len(prompts[p]) - prefix,
            columns=tuple(
                SteeringColumn(
                    name=name,
                    kl=_finite(float(kls[p, c])),
                    continuations=tuple(made[i] for i in rows.of(p, c)),
                )
                for c, name in enumerate(names)
            ),
        )
        for p, text in enumerate(texts)
    )


class _Rows(NamedTuple):
    """Rows of one batch: prompts, in each its columns, in each its samples."""

    prompts: int
    columns: int
    samples: int

    @property
    def n(self) -> int:
        return self.prompts * self.columns * self.samples

    def prompt(self, row: int) -> int:
        return row // (self.columns * self.samples)

    def column(self, row: int) -> int:
        return row // self.samples % self.columns

    def draw(self, row: int) -> int:
        """The same for all columns of a prompt's sample."""
        return self.prompt(row) * self.samples + row % self.samples

    def of(self, prompt: int, column: int) -> range:
        first = (prompt * self.columns + column) * self.samples
        return range(first, first + self.samples)


def _names(random_directions: int) -> list[str]:
    several = random_directions > 1
    randoms = [f"{RANDOM} {i + 1}" if several else RANDOM for i in range(random_directions)]
    return [CLEAN, STEERED, *randoms]


def _vectors(
    steered: Steered, multiple: float, settings: SteeringSettings
) -> Float[torch.Tensor, "columns d"]:
    own = multiple * steered.max_activation * steered.direction.float()
    nothing = torch.zeros_like(own)
    return torch.stack([nothing, own, *null_directions(own, settings.random_directions, settings.seed)])


def _kls(
    runs: InterventionRuns,
    prompts: Sequence[Prompt],
    steered: Steered,
    vectors: Float[torch.Tensor, "columns d"],
    positions: Positions,
) -> Float[torch.Tensor, "prompts columns"]:
    """KL of the token after each prompt; where only generated tokens are touched, as if the prompt's last
    token were one of them, since the prompt itself is left alone."""
    counted = positions if _touches_prompt(positions) else Positions(first=-1)
    clean = runs.next_log_probs(prompts)
    return torch.stack(
        [
            next_token_kl(clean, runs.next_log_probs(prompts, AddVectors(steered.site, v[None], counted)))
            for v in vectors
        ],
        dim=1,
    )


def _touches_prompt(positions: Positions) -> bool:
    return positions.stop is None or positions.stop != 0


def _continuation(tokens: list[str], loss: float, concept: Sequence[str]) -> Continuation:
    carried = sum(token in concept for token in tokens) / len(tokens) if concept and tokens else None
    perplexity = math.exp(loss) if math.isfinite(loss) and loss < 700 else None
    return Continuation(
        text="".join(tokens), tokens=tuple(tokens), perplexity=perplexity, concept_share=carried
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
