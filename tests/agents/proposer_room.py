"""A planted feature that the embedded proposer is shown, and experiments on it judged by its rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glossator.agents.embedded_analyst.analyst import AUTHOR, EmbeddedAnalyst
from glossator.agents.feature_evidence import FeatureEvidence, Histogram
from glossator.agents.investigator.embedded_proposer import EmbeddedProposer
from glossator.agents.investigator.proposer import Observed, Proposal, Standing, TestBatch
from glossator.probes.planted_rules import PlantedRule
from glossator.probes.planted_truth import PlantedDictionary, PlantedSubject, planted_firings, planted_text
from glossator.probes.split_view import ArrayFirings, ExploreView, Firings, ValidateView
from glossator.probes.text_activations import TextActivations
from glossator.probes.token_effects import TokenEffects
from glossator.probes.token_text import TokenText
from glossator.probes.windows import firing_windows, silent_windows, to_windows
from glossator.records import (
    Belief,
    Experiment,
    FeatureRef,
    Hypothesis,
    HypothesisOrigin,
    Outcome,
    TriedText,
)

REF = FeatureRef(subject="planted", dictionary="planted", index=0)


class Closing(ArrayFirings):
    """Text that nobody may look at once it is closed."""

    closed = False

    @property
    def text(self) -> TokenText:
        assert not self.closed, "a proposer looked at validate"
        return super().text

    def firings(self, feature: int) -> Firings:
        assert not self.closed, "a proposer looked at validate"
        return super().firings(feature)


@dataclass
class ProposerRoom:
    """One rule over some texts, all of them explore."""

    subject: PlantedSubject
    analyst: EmbeddedAnalyst
    observed: Observed
    proposer: EmbeddedProposer

    @classmethod
    def of(cls, rule: PlantedRule, texts: Sequence[str], further: Sequence[str] = ()) -> ProposerRoom:
        """Windows of `rule` in `texts`; `further` texts only lend their words to the vocabulary."""
        subject = PlantedSubject.over([*texts, *further], (rule,))
        view = ExploreView(planted_firings(subject, planted_text(subject, texts, 64)))
        validate = Closing(view.text, [view.firings(0)])
        analyst = EmbeddedAnalyst(view, ValidateView(validate))
        validate.closed = True
        firing = firing_windows(view, 0, threshold=0.0, n=24, seed=0)
        silent = silent_windows(view, 0, 12, 0)
        activation = view.firings(0).activation
        shown = FeatureEvidence(
            density=0.01, n_firings=len(activation), max_activation=float(activation.max()),
            histogram=Histogram((), ()), windows=to_windows(view, 0, firing),
            silent_windows=to_windows(view, 0, silent), effects=TokenEffects((), ()), evidence=(),
        )  # fmt: skip
        observed = Observed(REF, shown, 0.3 * shown.max_activation)
        return cls(subject, analyst, observed, EmbeddedProposer(analyst))

    def activations(self) -> TextActivations:
        """Runs texts."""
        return TextActivations(self.subject, PlantedDictionary(1))

    def judged(self, batches: Sequence[TestBatch]) -> tuple[Experiment, ...]:
        """What the feature did on every text."""
        return tuple(self._judged(batch) for batch in batches)

    def _judged(self, batch: TestBatch) -> Experiment:
        profiles = self.activations().profiles(0, [t.text for t in batch.tests])
        tried = tuple(
            TriedText(
                text=t.text, expected=t.expected, why=t.why, activation=p.activation, quantile=0.5,
                outcome=Outcome.FIRES if p.activation > self.observed.threshold else Outcome.SILENT,
                token="" if p.peak is None else p.tokens[p.peak],
            )
            for t, p in zip(batch.tests, profiles, strict=True)
        )  # fmt: skip
        return Experiment(
            hypothesis=batch.hypothesis, kind=batch.kind, tested=tried, threshold=self.observed.threshold
        )


def standing_of(
    proposals: Sequence[Proposal], experiments: Sequence[Experiment] = (), round_: int = 0
) -> Standing:
    """The proposals as hypotheses in play, the first one leading."""
    made = tuple(
        Hypothesis.of(REF, p.text, p.predicate, author=AUTHOR, origin=HypothesisOrigin.PROPOSED)
        for p in proposals
    )
    beliefs = tuple(Belief(hypothesis=h.id, probability=0.5, log_odds=0.0, n=0) for h in made)
    return Standing(made, beliefs, tuple(experiments), round_)


def sentences(words: Sequence[str], n: int, seed: int, length: int = 60) -> list[str]:
    """Texts of words drawn at random."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(words, length)) for _ in range(n)]
