"""Texts that were run, as a token stream with the feature's activation: predicates run on it as on a corpus.

Each text is one row. The first token of a row is no evidence, as in an index; so with a subject that has a
row prefix the first token of a text is left out, though it may fire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.investigator.reads_texts import ReadsTexts
from glossator.probes.text_activations import TextProfile
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.records import Experiment


@dataclass(frozen=True)
class RunTexts:
    """What a feature did on some texts, token by token."""

    stats: CorpusStatistics
    """Keys and counts over the texts' tokens."""
    activation: Float[np.ndarray, " tokens"]
    """At each token."""

    @classmethod
    def of(cls, profiles: Sequence[TextProfile]) -> RunTexts:
        """The texts behind `profiles`, in order."""
        number: dict[str, int] = {}
        ids = [number.setdefault(token, len(number)) for p in profiles for token in p.tokens]
        bounds = np.cumsum([0, *(len(p.tokens) for p in profiles)]).astype(np.int64)
        text = TokenText(
            np.array(ids, dtype=np.int32),
            bounds,
            np.arange(len(profiles), dtype=np.int32),
            [DocumentInfo(f"run-{i}", "", "") for i in range(len(profiles))],
            Vocabulary(tuple(number)),
        )
        dense = np.concatenate([np.zeros(0, np.float32), *(p.activations for p in profiles)])
        return cls(CorpusStatistics.over(text), dense.astype(np.float32))

    @property
    def text(self) -> TokenText:
        """The token stream."""
        return self.stats.text

    def target(self, threshold: float) -> FiringTarget:
        """What a rule should hold on: firing above `threshold` wanted, silence not, the rest left open."""
        wanted = np.where(self.text.eligible, 0, -1).astype(np.int8)
        wanted[self.activation > 0] = -1
        wanted[(self.activation > threshold) & self.text.eligible] = 1
        strong = np.flatnonzero(wanted == 1)
        weak = np.flatnonzero((self.activation > 0) & (wanted != 1))
        return FiringTarget(wanted, strong, weak, np.flatnonzero(wanted == 0))


def run_again(activations: ReadsTexts, feature: int, experiments: Sequence[Experiment]) -> RunTexts:
    """Every text of `experiments`, each once, with what it does token by token."""
    texts = list(dict.fromkeys(tried.text for e in experiments for tried in e.tested))
    return RunTexts.of(activations.profiles(feature, texts) if texts else [])
