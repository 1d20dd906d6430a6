"""Simulation: activations that a reader predicts from the explanation, correlated with the true ones.

Pearson's correlation over all eligible tokens of firing and random silent windows, which stand mixed in
each prompt (Bills et al. 2023, and Paulo et al. 2024, https://arxiv.org/abs/2410.13928, who read the
tokens of one window at a time). A prediction without any variance explains nothing and counts as 0. The
empty baseline predicts the same of every token: exactly 0. In the shuffled one each prompt's windows are
read with another feature's explanation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from glossator.agents.llm_calls.all_finished import all_finished
from glossator.agents.scorers.compared import Compared, Measured, Scored
from glossator.agents.scorers.examples import Group, ScoringExamples, seed_of
from glossator.agents.scorers.llm_bench import LlmBench
from glossator.agents.scorers.room import ScoringRoom
from glossator.agents.scorers.score_evidence import score_evidence
from glossator.agents.scorers.scored_outcome import Outcome
from glossator.agents.scorers.simulated_tokens import PROMPT, Simulated, simulate
from glossator.agents.scorers.window_scores import NO_FIRING
from glossator.probes.correlation import correlation_interval, correlation_value
from glossator.probes.windows import WindowBatch
from glossator.prompts.prompt_file import load_prompt
from glossator.records import FeatureRef, Interval, Metric, Negatives, ScoreMethod

N_FIRING, N_RANDOM = 10, 5
"""Windows that are read: most of a correlation is decided where the feature fires."""
WINDOWS_PER_PROMPT = 5
NOTHING = Measured(0.0, Interval(low=0.0, high=0.0, method="exact: the same prediction for every token"))
"""What a reader without an explanation reaches."""


@dataclass(frozen=True)
class _Asked:
    """The windows in the order in which they are shown, and what the feature does in them."""

    windows: WindowBatch
    firing: Bool[np.ndarray, " windows"]
    tokens: tuple[tuple[str, ...], ...]
    true: tuple[Float[np.ndarray, " _"], ...]
    """Activation of each token."""
    counts: tuple[Bool[np.ndarray, " _"], ...]
    """Which tokens are eligible."""

    @property
    def prompts(self) -> list[slice]:
        """Which windows are asked about together."""
        n = WINDOWS_PER_PROMPT
        return [slice(i, i + n) for i in range(0, len(self.windows), n)]


async def simulation_scores(
    bench: LlmBench, compared: Compared, examples: ScoringExamples
) -> tuple[Scored, ...]:
    """One score: correlation over the tokens of firing and random windows."""
    room, feature = bench.room, compared.explanation.feature
    asked = _draw(room, feature, examples)
    recipe = {
        "score": ScoreMethod.SIMULATION.value, "reader": bench.reader.name, "windows": len(asked.windows),
        "prompt": load_prompt(PROMPT).ref.sha256, "windows_per_prompt": WINDOWS_PER_PROMPT,
        "examples": dict(examples.recipe),
    }  # fmt: skip
    outcome, payload = _outcome(bench, {NO_FIRING: len(asked.windows)}), dict[str, object]()
    if asked.firing.any():
        claims = (
            [compared.explanation.text],
            [d.text for d in compared.donors] if bench.settings.n_baseline else [],
            [compared.analyst.text] if compared.analyst else [],
        )
        own, others, analyst = await all_finished(_read(bench, said, asked) for said in claims)
        measured = [_measure(room, feature, asked, s) for s in (own, others, analyst)]
        outcome = _outcome(bench, _unscored(own), asked, own, measured)
        payload = _payload(room, asked, own)
    return (outcome.scored(score_evidence(room, compared, recipe, payload)),)


def _draw(room: ScoringRoom, feature: FeatureRef, examples: ScoringExamples) -> _Asked:
    """Firing windows of all strengths and random ones, in an order that tells nothing."""
    firing = np.flatnonzero(examples.group == Group.FIRING)
    chosen = firing[np.linspace(0, len(firing) - 1, min(N_FIRING, len(firing))).round().astype(np.int64)]
    random = np.flatnonzero(examples.group == Group.RANDOM)[:N_RANDOM]
    order = np.random.default_rng(seed_of(feature, "simulation")).permutation(
        np.concatenate([chosen, random])
    )
    windows, text = examples.windows.take(order), room.sealed.text
    spans = [slice(a, b) for a, b in zip(windows.start.tolist(), windows.stop.tolist(), strict=True)]
    dense = room.sealed.dense(feature.index)
    return _Asked(
        windows,
        examples.firing[order],
        tokens=tuple(text.strings(s.start, s.stop) for s in spans),
        true=tuple(dense[s] for s in spans),
        counts=tuple(text.eligible[s] for s in spans),
    )


async def _read(bench: LlmBench, claims: Sequence[str], asked: _Asked) -> Simulated | None:
    """All windows, the claims taking turns from prompt to prompt; None without a claim."""
    if not claims:
        return None
    questions = [
        simulate(bench.calls, claims[i % len(claims)], asked.tokens[part])
        for i, part in enumerate(asked.prompts)
    ]
    parts = await all_finished(questions)
    return Simulated(tuple(w for p in parts for w in p.windows), sum(p.dropped for p in parts))


def _measure(
    room: ScoringRoom, feature: FeatureRef, asked: _Asked, simulated: Simulated | None
) -> Measured | None:
    """The correlation over the windows that were answered; None where none of them fires."""
    predicted: list[np.ndarray] = []
    true: list[np.ndarray] = []
    document: list[np.ndarray] = []
    firing: list[bool] = []
    for i, (strengths, _) in enumerate(simulated.windows if simulated else ()):
        if strengths is not None:
            eligible = asked.counts[i]
            predicted.append(strengths[eligible])
            true.append(asked.true[i][eligible])
            document.append(np.full(int(eligible.sum()), asked.windows.document[i], np.int64))
            firing.append(bool(asked.firing[i]))
    if not predicted:
        return None
    x, y, clusters = (np.concatenate(parts) for parts in (predicted, true, document))
    value = correlation_value(x, y)
    if value is None:
        return None
    seed, draws = seed_of(feature, "bootstrap"), room.settings.draws
    interval = correlation_interval(x, y, clusters, seed=seed, draws=draws)
    return Measured(value, interval, sum(firing), len(firing) - sum(firing))


def _unscored(simulated: Simulated | None) -> dict[str, int]:
    reasons = [] if simulated is None else [w.reason.value for w in simulated.windows if w.reason is not None]
    return dict(Counter(reasons))


def _outcome(
    bench: LlmBench,
    unscored: dict[str, int],
    asked: _Asked | None = None,
    own: Simulated | None = None,
    measured: Sequence[Measured | None] = (None, None, None),
) -> Outcome:
    read = np.array([w.strengths is not None for w in own.windows] if own else [], dtype=bool)
    firing = asked.firing if asked else read
    return Outcome(
        ScoreMethod.SIMULATION, Metric.CORRELATION, bench.reader.name, Negatives.RANDOM,
        own=measured[0], shuffled=measured[1], empty=NOTHING, analyst=measured[2],
        n_positive=int((read & firing).sum()), n_negative=int((read & ~firing).sum()),
        unscored=unscored, prompt=load_prompt(PROMPT).ref, windows_per_prompt=WINDOWS_PER_PROMPT,
    )  # fmt: skip


def _payload(room: ScoringRoom, asked: _Asked, own: Simulated | None) -> dict[str, object]:
    """Where the windows are and what was predicted, by place in the window; no text."""
    assert own is not None, "the explanation itself is always read"
    predictions = [None if s is None else _named(s) for s, _ in own.windows]
    return {
        "documents": [room.sealed.text.documents[int(d)].id for d in asked.windows.document],
        "positions": asked.windows.centre.tolist(),
        "fires": asked.firing.tolist(),
        "predictions": predictions,
        "entries_dropped": own.dropped,
        "nothing_predicted": not any(predictions),
    }


def _named(strengths: Float[np.ndarray, " tokens"]) -> list[list[int | float]]:
    """Place and strength of each token that is said to fire."""
    return [[int(i), round(float(strengths[i]), 2)] for i in np.flatnonzero(strengths)]
