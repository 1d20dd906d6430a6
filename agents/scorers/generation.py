"""Generation: whether texts written from the explanation fire the feature, and near misses do not.

A model that sees nothing but the explanation writes both; the subject and the dictionary read them. Texts
are each other's independent examples. The shuffled baseline is what the texts written from a few other
explanations, the same for nearly all features of a run, do to this feature: an answer that the ledger
holds is not asked for again, so a run pays for them once. Nothing of the corpus is read; the scores stand
with the sealed ones, as nobody could choose an explanation by these texts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from glossator.agents.llm_calls.all_finished import all_finished
from glossator.agents.llm_calls.chat import Role, Unscored
from glossator.agents.scorers.compared import COIN, Compared, Measured, Scored
from glossator.agents.scorers.examples import ScoringExamples, seed_of
from glossator.agents.scorers.llm_bench import LlmBench
from glossator.agents.scorers.score_evidence import score_evidence
from glossator.agents.scorers.scored_outcome import Outcome
from glossator.agents.scorers.written_texts import PROMPT, UsableTexts, write_texts
from glossator.probes.auc import auc_interval, auc_value
from glossator.probes.intervals import Counts, metric_intervals, metric_value, wilson
from glossator.prompts.prompt_file import load_prompt
from glossator.records import Metric, Negatives, ScoreMethod

N_TEXTS = 10
"""Texts of each kind that are asked for."""
FEWEST = 3
"""Usable texts of each kind below which nothing is scored."""
N_DONORS = 2
LEAD = "\n"
"""Stands before each text: a subject's first position never counts, and a text may begin with what fires."""
NO_SUBJECT = "no subject to run written texts through"
TOO_FEW = "too few usable texts were written"
METRICS = (Metric.BALANCED_ACCURACY, Metric.RECALL, Metric.AUC)


@dataclass(frozen=True)
class _Read:
    """Written texts and what the feature does on them."""

    texts: UsableTexts
    activation: Float[np.ndarray, " texts"]
    """Of the texts that should fire, then of the near misses."""
    threshold: float

    @property
    def meant(self) -> Bool[np.ndarray, " texts"]:
        """Which texts should fire."""
        return np.arange(len(self.activation)) < len(self.texts.firing)

    @property
    def fires(self) -> Bool[np.ndarray, " texts"]:
        """Which texts do, strongly."""
        return self.activation > self.threshold


async def generation_scores(
    bench: LlmBench, compared: Compared, examples: ScoringExamples
) -> tuple[Scored, ...]:
    """Three scores on the same texts: balanced accuracy, recall (share that fires), AUC of the activation."""
    del examples  # nothing of the corpus is read
    few = Compared(compared.explanation, compared.donors[:N_DONORS], compared.analyst)
    recipe = {
        "score": ScoreMethod.GENERATION.value, "reader": bench.calls.model(Role.EXPLAINER), "texts": N_TEXTS,
        "prompt": load_prompt(PROMPT).ref.sha256, "lead": LEAD,
        "threshold": bench.room.strong_threshold(compared.explanation.feature),
    }  # fmt: skip
    read = await _read_all(bench, few)
    own = read[0]
    payload = {} if isinstance(own, str) else _payload(own)
    evidence = score_evidence(bench.room, few, recipe, payload)
    return tuple(_outcome(bench, few, metric, read).scored(evidence) for metric in METRICS)


async def _read_all(bench: LlmBench, compared: Compared) -> list[_Read | str]:
    """What each explanation's texts do to the feature, or why there are not enough of them."""
    if bench.activate is None:
        return [NO_SUBJECT] * len(compared.readings)
    written = await all_finished(write_texts(bench.calls, e.text, N_TEXTS) for e in compared.readings)
    feature, read = compared.explanation.feature, list[_Read | str]()
    for texts in written:
        if isinstance(texts, Unscored):
            read.append(texts.reason.value)
        elif min(len(texts.firing), len(texts.near_misses)) < FEWEST:
            read.append(TOO_FEW)
        else:
            led = [LEAD + t for t in (*texts.firing, *texts.near_misses)]
            # In a thread: forward passes, while other scorers' answers are on their way.
            activation = await asyncio.to_thread(bench.activate, feature.index, led)
            read.append(_Read(texts, activation, bench.room.strong_threshold(feature)))
    return read


def _outcome(bench: LlmBench, compared: Compared, metric: Metric, read: Sequence[_Read | str]) -> Outcome:
    own, after = read[0], 1 + len(compared.donors)
    seed, draws = seed_of(compared.explanation.feature, "bootstrap"), bench.room.settings.draws
    mine, donors, analyst = (
        _measure([r for r in part if not isinstance(r, str)], metric, seed, draws)
        for part in (read[:1], read[1:after], read[after:])
    )
    outcome = Outcome(
        ScoreMethod.GENERATION, metric, bench.calls.model(Role.EXPLAINER), Negatives.NEAR_MISSES,
        own=mine, shuffled=donors, analyst=analyst, prompt=load_prompt(PROMPT).ref,
        # A coin fires neither kind more; how often a text fires for no reason is not known.
        empty=None if metric is Metric.RECALL else COIN,
    )  # fmt: skip
    if isinstance(own, str):
        return replace(outcome, unscored={own: 2 * N_TEXTS})
    sizes = (len(own.texts.firing), len(own.texts.near_misses))
    return replace(outcome, n_positive=sizes[0], n_negative=sizes[1], unscored=own.texts.dropped)


def _measure(readings: Sequence[_Read], metric: Metric, seed: int, draws: int) -> Measured | None:
    """Over the texts of all readings together, each an observation of its own; None without any."""
    if not readings:
        return None
    meant = np.concatenate([r.meant for r in readings])
    fires = np.concatenate([r.fires for r in readings])
    n = (int(meant.sum()), int((~meant).sum()))
    if metric is Metric.RECALL:
        return Measured(float(fires[meant].mean()), wilson(int(fires[meant].sum()), n[0]), *n)
    if metric is Metric.AUC:
        activation = np.concatenate([r.activation for r in readings]).astype(np.float64)[None, :]
        value = auc_value(activation, meant)
        interval = auc_interval(activation, meant, np.arange(len(meant)))
    else:
        outcomes = (meant & fires, ~meant & fires, meant & ~fires, ~meant & ~fires)
        counts = Counts(*(o.astype(np.int64) for o in outcomes))
        value = metric_value(counts, metric)
        (interval,) = metric_intervals(counts, [metric], seed=seed, draws=draws)
    return None if value is None else Measured(value, interval, *n)


def _payload(own: _Read) -> dict[str, object]:
    """The texts themselves: a model wrote them without having seen sealed text."""
    return {
        "firing": list(own.texts.firing),
        "near_misses": list(own.texts.near_misses),
        "activations": np.round(own.activation.astype(float), 5).tolist(),
        "dropped": own.texts.dropped,
    }
