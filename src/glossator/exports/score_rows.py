"""What is said of a score, and of each answer behind it, in the forms of those who read it.

Nothing in them is text of the corpus: scores are of sealed windows.
"""

from __future__ import annotations

from typing import Literal

from glossator.records import Baseline, Interval, Metric, Negatives, Record, Score, ScoreMethod, Split


class ScoreDetails(Record):
    """What a number rests on."""

    method: ScoreMethod
    """The question."""
    metric: Metric
    """What the number is."""
    reader: str
    """Who read the label."""
    negatives: Negatives
    """What firing examples were told apart from."""
    n_positive: int
    """Firing examples that were scored."""
    n_negative: int
    """Silent examples that were scored."""
    unscored: dict[str, int]
    """Reason to count."""
    interval: Interval | None
    """The 95 % interval."""
    baselines: tuple[Baseline, ...]
    """The same measurement with other explanations."""
    split: Split
    """Where the examples came from."""
    held_out: bool
    """No explainer saw them, and nothing was chosen by them."""
    threshold: float
    """The activation above which an example counts as firing, as a share of the maximum."""
    evidence: str | None
    """Id of the evidence behind the number."""

    @classmethod
    def of(cls, score: Score) -> ScoreDetails:
        """The details of `score`."""
        return cls(
            method=score.method,
            metric=score.metric,
            reader=score.reader,
            negatives=score.negatives,
            n_positive=score.n_positive,
            n_negative=score.n_negative,
            unscored=dict(score.unscored),
            interval=score.interval,
            baselines=score.baselines,
            split=score.split,
            held_out=score.split is Split.SEALED,
            threshold=score.threshold,
            evidence=score.evidence,
        )


class EleutherExample(Record):
    """An element of `jsonDetails` for `eleuther_*` (`W/lib/external/autointerp-scorer-eleuther.ts`)."""

    text: Literal[""]
    """Sealed."""
    distance: int
    ground_truth: bool
    prediction: bool
    highlighted: bool
    correct: bool
    probability: float | None
    conditional_probability: None
    activations: tuple[()]
    str_tokens: tuple[()]


class ClassifierOutput(Record):
    """An element of a Delphi score file (`scorers/classifier/sample.py:18-39`), its fields in their order."""

    str_tokens: tuple[()]
    """Sealed."""
    activations: tuple[()]
    distance: float
    activating: bool
    prediction: bool | None
    probability: float | None
    correct: bool | None


class LabelSummary(Record):
    """A line of the summary beside Delphi's files."""

    latent: str
    """Delphi's name of the feature."""
    feature: str
    """Ours."""
    label: str
    author: str
    method: str
    verdict: str
    reason: str
    scores: tuple[SummaryScore, ...]


class SummaryScore(Record):
    """A score in the summary."""

    value: float | None
    """None where nothing could be scored."""
    details: ScoreDetails
