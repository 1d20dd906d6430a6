"""The card that shows everything known of one feature."""

from __future__ import annotations

from pydantic import Field

from glossator.records.base import Record
from glossator.records.causal import CausalFindings
from glossator.records.evidence import Window
from glossator.records.explanation import Candidate, Explanation, LlmSpending, TokenEffect, Verdict
from glossator.records.feature import FeatureRef
from glossator.records.score import Score


class FeatureCard(Record):
    """Everything known of one feature: what the table, the page and the JSON line are made from."""

    feature: FeatureRef
    """The feature."""
    explanation: Explanation | None
    """What was scored; None where nothing was worth scoring. Under a verdict of abstention it is a
    hypothesis that was tested and rejected, not a label."""
    verdict: Verdict
    """The decision."""
    scores: tuple[Score, ...]
    """Every score, sealed unless it says otherwise."""
    density: float
    """Share of eligible `explore` tokens on which it fires."""
    n_firings: int
    """Firings on `explore`."""
    max_activation: float
    """The largest activation on `explore`."""
    histogram_edges: tuple[float, ...]
    """Edges of the log-spaced activation bins; one more than `histogram_counts`."""
    histogram_counts: tuple[int, ...]
    """Firings on `explore` per bin."""
    promoted: tuple[TokenEffect, ...]
    """Output tokens that the direction raises most."""
    suppressed: tuple[TokenEffect, ...]
    """Output tokens that it lowers most."""
    windows: tuple[Window, ...]
    """Firing windows from `explore`, strongest first."""
    silent_windows: tuple[Window, ...]
    """Hard negatives from `explore`."""
    neighbours: tuple[int, ...]
    """Nearest features by direction."""
    evidence: tuple[str, ...]
    """Ids of all evidence behind this card."""
    index_identity: str
    """Identity of the activation index that it was measured on."""
    candidates: tuple[Candidate, ...] = ()
    """Every explanation that was scored, the chosen one and the embedded analyst's among them; empty
    where no LLM was asked."""
    rejected: dict[str, int] = Field(default_factory=dict)
    """Reason to count, for explanations that a model gave and that were not fit to be scored."""
    spending: LlmSpending | None = None
    """What this feature's LLM calls cost; None where no LLM was asked."""
    causal: CausalFindings | None = None
    """What turning the feature up and down does; None where that was not measured."""
    causal_missing: str = ""
    """Why not, where it was asked for."""
