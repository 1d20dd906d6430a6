"""How much is believed of each hypothesis: computed from what texts did, never said by a model.

Every hypothesis predicts every text that was run: by its predicate where it has one, else by what it said
of its own texts beforehand. How often a true claim errs is unknown, so the likelihood of its hits and misses
is the mean over `NOISE`; "none of these" gives every text 0.5. The corpus speaks, too: a predicate's F1 on
`explore` counts as `CORPUS_TEXTS` texts of which that share did as predicted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from glossator.agents.investigator.corpus_fit import CorpusFit
from glossator.agents.investigator.tested_tokens import TestedTexts
from glossator.records import Belief, Experiment, Hypothesis, Outcome

NOISE = (0.05, 0.1, 0.2, 0.3)
"""Shares of texts on which a true claim may err; each as likely as the others beforehand."""
CORPUS_TEXTS = 6
"""Texts that the corpus counts as."""
REFUTED_BELOW = -4.0
"""Log-odds against "none of these" under which a hypothesis is refuted: 55 to 1 against."""


class Beliefs(NamedTuple):
    """Everything that is believed."""

    ranked: tuple[Belief, ...]
    """Of every hypothesis, most believed first; refuted ones last, with probability 0."""
    refuted: tuple[str, ...]
    """Ids."""
    none_of_them: float
    """Probability that none in play is right."""


class Tally(NamedTuple):
    """What the texts and the corpus say of one hypothesis."""

    right: float
    wrong: float
    n: int
    """Decided texts of which it predicted something."""

    @property
    def log_odds(self) -> float:
        """Against "none of these"."""
        each = [self.right * math.log(1 - e) + self.wrong * math.log(e) for e in NOISE]
        top = max(each)
        mean = top + math.log(sum(math.exp(x - top) for x in each) / len(NOISE))
        return mean - (self.right + self.wrong) * math.log(0.5)


def believe(
    hypotheses: Sequence[Hypothesis], experiments: Sequence[Experiment], texts: TestedTexts, corpus: CorpusFit
) -> Beliefs:
    """Beliefs after `experiments`, from the beginning: the order of texts does not matter."""
    tallies = {h.id: tally(h, experiments, texts, corpus) for h in hypotheses}
    odds = {h.id: tallies[h.id].log_odds for h in hypotheses}
    refuted = tuple(i for i, value in odds.items() if value < REFUTED_BELOW)
    playing = [i for i in odds if i not in refuted]
    top = max([0.0, *(odds[i] for i in playing)])
    weights = {i: math.exp(odds[i] - top) for i in playing}
    total = math.exp(-top) + sum(weights.values())
    made = [
        Belief(hypothesis=i, probability=weights.get(i, 0.0) / total, log_odds=odds[i], n=tallies[i].n)
        for i in odds
    ]
    made.sort(key=lambda b: (b.hypothesis in refuted, -b.log_odds))
    return Beliefs(tuple(made), refuted, math.exp(-top) / total)


def tally(
    hypothesis: Hypothesis, experiments: Sequence[Experiment], texts: TestedTexts, corpus: CorpusFit
) -> Tally:
    """Hits and misses of one hypothesis: each distinct text counts once."""
    outcomes = decided_texts(experiments)
    predicted = predictions(hypothesis, experiments, texts)
    judged = [predicted[t] == fires for t, fires in outcomes.items() if t in predicted]
    right, wrong = float(sum(judged)), float(len(judged) - sum(judged))
    if hypothesis.predicate is not None:
        fit = corpus.f1(hypothesis.predicate)
        right, wrong = right + CORPUS_TEXTS * fit, wrong + CORPUS_TEXTS * (1 - fit)
    return Tally(right, wrong, len(judged))


def decided_texts(experiments: Sequence[Experiment]) -> dict[str, bool]:
    """Texts that spoke for one side, and whether the feature fired on them."""
    return {
        t.text: t.outcome is Outcome.FIRES
        for e in experiments
        for t in e.tested
        if t.outcome is not Outcome.WEAK
    }


def predictions(
    hypothesis: Hypothesis, experiments: Sequence[Experiment], texts: TestedTexts
) -> Mapping[str, bool]:
    """What `hypothesis` predicts of the texts of `experiments`; some may be missing."""
    if hypothesis.predicate is not None:
        tried = list(dict.fromkeys(t.text for e in experiments for t in e.tested))
        return dict(zip(tried, np.asarray(texts.holds(hypothesis.predicate, tried)).tolist(), strict=True))
    return {
        t.text: t.expected.value == Outcome.FIRES.value
        for e in experiments
        if e.hypothesis == hypothesis.id
        for t in e.tested
    }
