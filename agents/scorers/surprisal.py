"""Surprisal: whether the explanation lowers a model's loss on firing windows more than on silent ones.

For each window the loss after a neutral announcement minus the loss after the explanation; the score is
the AUC of that difference (Paulo et al. 2024, https://arxiv.org/abs/2410.13928, section 3.2.4). No model
is asked in words: any local one will do. Random and hard negatives are separate scores on the same firing
windows. Without an explanation the difference is 0 for every window: exactly 0.5.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.agents.scorers.compared import COIN, Compared, Measured, Scored
from glossator.agents.scorers.examples import Group, ScoringExamples
from glossator.agents.scorers.llm_bench import LlmBench, Losses
from glossator.agents.scorers.score_evidence import example_outcomes, score_evidence
from glossator.agents.scorers.scored_outcome import Outcome
from glossator.agents.scorers.window_scores import NO_FIRING, NO_SILENT
from glossator.probes.auc import auc_interval, auc_value
from glossator.probes.windows import window_texts
from glossator.records import Metric, Negatives, ScoreMethod

PER_GROUP = 24
"""Windows of each group: each is read once per explanation, by a model that runs here."""
N_DONORS = 3
"""Explanations of other features that are read: fewer leave the baseline no interval to speak of."""
NO_MODEL = "no local model to measure losses with"
NO_TOKENS = "a window without text has no loss"
ANNOUNCED = "The following text has this in it: {}\n\n"
_LENGTHS = (2, 5, 12, 25)
"""Phrases of a neutral announcement."""
_NEUTRAL = ("many things", "various words", "some sentences", "other matters", "bits of everything")


class _Lowered(NamedTuple):
    """By how much each explanation lowers the loss on each window."""

    chosen: Bool[np.ndarray, " windows"]
    """Which of the examples were read."""
    by: Float[np.ndarray, "readings chosen"]
    """Nats per token."""


async def surprisal_scores(
    bench: LlmBench, compared: Compared, examples: ScoringExamples
) -> tuple[Scored, ...]:
    """Two scores: AUC against random and against hard negatives."""
    few = Compared(compared.explanation, compared.donors[:N_DONORS], compared.analyst)
    lowered = None
    if bench.losses is not None and examples.firing.any():
        # In a thread: the forward passes take seconds, and other scorers' answers are on their way.
        lowered = await asyncio.to_thread(_lowered, bench, bench.losses, few, examples)
    return tuple(_scored(bench, few, examples, n, lowered) for n in (Negatives.RANDOM, Negatives.HARD))


def neutral_announcement(explanation: str) -> str:
    """A prefix that says nothing, about as long as the explanation's own; few of them serve all."""
    words = len(explanation.split())
    phrases = next(n for n in _LENGTHS if words <= 3 * n or n == _LENGTHS[-1])
    return ANNOUNCED.format(", ".join(_NEUTRAL[i % len(_NEUTRAL)] for i in range(phrases)))


def _lowered(bench: LlmBench, losses: Losses, compared: Compared, examples: ScoringExamples) -> _Lowered:
    chosen = np.zeros(len(examples.windows), dtype=bool)
    for group in Group:
        members = np.flatnonzero(examples.group == group)
        spread = np.linspace(0, len(members) - 1, min(PER_GROUP, len(members))).round().astype(np.int64)
        chosen[members[spread]] = True
    texts = window_texts(bench.room.sealed, examples.windows.take(chosen))
    neutral: dict[str, np.ndarray] = {}
    rows: list[np.ndarray] = []
    for explanation in compared.readings:
        bare = neutral_announcement(explanation.text)
        if bare not in neutral:
            neutral[bare] = losses(bare, texts)
        rows.append(neutral[bare] - losses(ANNOUNCED.format(explanation.text), texts))
    return _Lowered(chosen, np.stack(rows))


def _scored(
    bench: LlmBench,
    compared: Compared,
    examples: ScoringExamples,
    negatives: Negatives,
    lowered: _Lowered | None,
) -> Scored:
    reader = "subject" if bench.losses is None else str(getattr(bench.losses, "name", "subject"))
    recipe = {
        "score": ScoreMethod.SURPRISAL.value, "reader": reader, "negatives": negatives.value,
        "per_group": PER_GROUP, "announced": ANNOUNCED, "examples": dict(examples.recipe),
    }  # fmt: skip
    asked = examples.against(negatives)
    read, by = asked & False, np.zeros((0, 0), np.float32)
    if lowered is not None:
        asked = asked & lowered.chosen
        read[lowered.chosen] = np.isfinite(lowered.by).all(axis=0)
        read &= asked
        by = lowered.by[:, read[lowered.chosen]]
    firing, document = examples.firing[read], examples.windows.document[read]
    own, shuffled, analyst = (
        _area(by[rows], firing, document) for rows in (slice(0, 1), _donors(compared), _analyst(compared))
    )
    outcome = Outcome(
        ScoreMethod.SURPRISAL, Metric.AUC, reader, negatives,
        own=own, shuffled=shuffled, empty=COIN, analyst=analyst,
        n_positive=int(firing.sum()), n_negative=int((~firing).sum()),
        unscored=_unscored(bench, examples, asked, read),
    )  # fmt: skip
    payload = {} if own is None else example_outcomes(bench.room.sealed, examples, read, by[0])
    return outcome.scored(score_evidence(bench.room, compared, recipe, payload))


def _unscored(
    bench: LlmBench,
    examples: ScoringExamples,
    asked: Bool[np.ndarray, " windows"],
    read: Bool[np.ndarray, " windows"],
) -> dict[str, int]:
    """Why windows, or all of them, were not read."""
    if bench.losses is None:
        return {NO_MODEL: int(asked.sum())}
    if not examples.firing.any():
        return {NO_FIRING: int(asked.sum())}
    if not (asked & ~examples.firing).any():
        return {NO_SILENT: int(asked.sum())}
    without = int((asked & ~read).sum())
    return {NO_TOKENS: without} if without else {}


def _donors(compared: Compared) -> slice:
    return slice(1, 1 + len(compared.donors))


def _analyst(compared: Compared) -> slice:
    return slice(1 + len(compared.donors), None)


def _area(
    by: Float[np.ndarray, "readings windows"],
    firing: Bool[np.ndarray, " windows"],
    document: Int[np.ndarray, " windows"],
) -> Measured | None:
    """AUC, averaged over the readings; None without any, or without windows of both kinds."""
    scores = by.astype(np.float64)
    value = auc_value(scores, firing)
    if value is None:
        return None
    interval = auc_interval(scores, firing, document)
    return Measured(value, interval, int(firing.sum()), int((~firing).sum()))
