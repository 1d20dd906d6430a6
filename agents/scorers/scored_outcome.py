"""One measurement with its baselines, on its way to a score with evidence."""

from __future__ import annotations

from dataclasses import dataclass, field

from glossator.agents.firing_facts import STRONG
from glossator.agents.scorers.compared import Measured, Scored, baselines
from glossator.records import Evidence, Metric, Negatives, PromptRef, Score, ScoreMethod, Split


@dataclass(frozen=True)
class Outcome:
    """What came out. Without `own` nothing was scored, and `unscored` must say why."""

    method: ScoreMethod
    metric: Metric
    reader: str
    negatives: Negatives
    own: Measured | None = None
    shuffled: Measured | None = None
    empty: Measured | None = None
    analyst: Measured | None = None
    n_positive: int = 0
    n_negative: int = 0
    unscored: dict[str, int] = field(default_factory=dict)
    prompt: PromptRef | None = None
    windows_per_prompt: int | None = None

    def scored(self, evidence: Evidence) -> Scored:
        """The score, citing `evidence`."""
        own = self.own
        score = Score(
            method=self.method,
            metric=self.metric,
            reader=self.reader,
            negatives=self.negatives,
            split=Split.SEALED,
            threshold=STRONG,
            value=own and own.value,
            interval=own and own.interval,
            n_positive=self.n_positive if own else 0,
            n_negative=self.n_negative if own else 0,
            unscored=self.unscored,
            baselines=baselines(self.shuffled, self.empty if own else None, self.analyst),
            evidence=evidence.id,
            prompt=self.prompt,
            windows_per_prompt=self.windows_per_prompt,
        )
        return Scored(score, evidence)
