"""Labelling features one by one, each stored when it is done, and none done twice.

What was finished under the same index, embedder and scoring settings is taken from the ledger, so a
run that was stopped goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import glossator
from glossator.errors import SettingsError
from glossator.records import FeatureCard, FeatureRef, ImportedLabel, content_id
from glossator.run_settings import stored_settings
from glossator.session import Session

if TYPE_CHECKING:
    from glossator.agents.causal.causal_findings import Causes
    from glossator.agents.feature_preparation import FeaturePreparation, LabelledFeature
    from glossator.llm_plan import LlmPlan
    from glossator.llm_work import Estimate, LlmWork
    from glossator.probes.activation_index import ActivationIndex
else:
    ActivationIndex = Causes = Estimate = FeaturePreparation = LabelledFeature = LlmPlan = LlmWork = Any


class FinishedFeature(NamedTuple):
    """A feature that has its card."""

    card: FeatureCard
    from_ledger: bool
    """It was stored by an earlier run."""


class LabellingRun:
    """One run of `label` over some features of one index."""

    def __init__(
        self,
        session: Session,
        index: ActivationIndex,
        features: Sequence[int],
        *,
        force: bool,
        plan: LlmPlan | None = None,
        causal: bool = False,
        labels: Mapping[int, ImportedLabel] | None = None,
    ) -> None:
        """A run over `features`; without a plan, no LLM is asked. `force` labels again, and answers that
        the ledger holds still cost nothing. `causal` measures what features cause, too. `labels` of others,
        where given, are scored instead of new ones being written."""
        self._session, self._index, self._features, self._plan = session, index, features, plan
        self._causal, self._labels = causal, labels
        self._names = session.names()
        self._key = work_key(session, index, plan, causal=causal, labels=labels)
        done = {} if force else session.ledger().items_done(self._key)
        wanted = {str(self._ref(i)) for i in features}
        kept = [card for name, card in done.items() if name in wanted]
        stored = (c.card for c in session.ledger().cards_by_id(kept))
        self._stored = {card.feature.index: card for card in stored if not _worth_repeating(card)}

    @property
    def n_stored(self) -> int:
        """Features that the ledger already holds."""
        return len(self._stored)

    def __iter__(self) -> Iterator[FinishedFeature]:
        """Every feature in order, labelled or taken from the ledger; stored before it is given out."""
        ledger = self._session.ledger()
        run = ledger.start_run("label", stored_settings(self._session.settings), self._key)
        stored = self._stored
        missing = [i for i in self._features if i not in stored]
        labelled = self._labelled(run, missing) if missing else iter(())
        imported = self._labels is not None
        for feature in self._features:
            if feature in stored:
                # Makes it the current card again.
                ledger.save_card(run, stored[feature], imported=imported)
                yield FinishedFeature(stored[feature], from_ledger=True)
            else:
                made = next(labelled)
                ledger.save_card(run, made.card, made.evidence, imported=imported)
                yield FinishedFeature(made.card, from_ledger=False)

    def estimate(self) -> Estimate:
        """What the features that are still to be labelled would take; nothing is asked or stored."""
        missing = [i for i in self._features if i not in self._stored]
        return self._work().estimate(missing)

    def _labelled(self, run: str, features: list[int]) -> Iterator[LabelledFeature]:
        if self._plan is not None:
            return self._work().labeller(run, features).label(features)
        from glossator.agents.labelling import label_features

        return label_features(
            self._index,
            self._session.dictionary,
            self._session.token_effects(),
            features,
            embedder=self._session.embedder,
            names=self._names,
            causes=self._causes if self._causal else None,
            labels=self._labels,
        )

    def _causes(self, preparation: FeaturePreparation) -> Causes:
        from glossator.causal_bench import open_causes

        return open_causes(self._session, self._index, preparation.room)

    def _work(self) -> LlmWork:
        from glossator.agents.feature_preparation import FeaturePreparation
        from glossator.llm_work import LlmWork as Work

        if self._plan is None:
            raise SettingsError("no model is set, so nothing would be asked: set --explainer")
        preparation = FeaturePreparation(
            self._index,
            self._session.dictionary,
            self._session.token_effects(),
            embedder=self._session.embedder,
            names=self._names,
        )
        causes = self._causes(preparation) if self._causal else None
        return Work(
            self._session, self._plan, preparation, self._features, causes=causes, labels=self._labels
        )

    def _ref(self, feature: int) -> FeatureRef:
        return FeatureRef(subject=self._names.subject, dictionary=self._names.dictionary, index=feature)


def _worth_repeating(card: FeatureCard) -> bool:
    """Whether calls failed that may succeed another time. What was answered is in the ledger and costs
    nothing again."""
    from glossator.agents.llm_calls.retry import ENDPOINT_FAILURES

    return card.spending is not None and not ENDPOINT_FAILURES.isdisjoint(card.spending.unscored)


def work_key(
    session: Session,
    index: ActivationIndex,
    plan: LlmPlan | None,
    *,
    causal: bool,
    half_width: float | None = None,
    labels: Mapping[int, ImportedLabel] | None = None,
) -> str:
    """What decides a label, apart from the feature: what is done under one key is not done again.

    All imported labels are in it, so one that is added has all of them scored again; answers that the
    ledger holds cost nothing then.

    Args:
        session: the settings.
        index: what it is measured on.
        plan: what models are asked; None without any.
        causal: whether features are turned up and down as well.
        half_width: where reading stops, if not at the usual width.
        labels: labels of others that are scored; None where new ones are written.

    """
    from glossator.agents.embedded_analyst.analyst import AUTHOR
    from glossator.prompts.prompt_file import all_prompts

    work: dict[str, object] = {
        "index": index.identity,
        "names": list(session.names()),
        "embedder": session.embedder.fingerprint(),
        "author": [AUTHOR, glossator.__version__],
    }
    if plan is not None:
        prompts = [[ref.name, ref.sha256] for ref in all_prompts()]
        asked = plan.work(session.settings, causal=causal, imported=labels is not None)
        work |= {"llm": asked, "prompts": prompts}
    if causal:
        work |= {"causal": True, "seed": session.settings.seed}
    if half_width is not None:
        work["half_width"] = half_width
    if labels is not None:
        work["labels"] = [[i, one.text, one.author] for i, one in sorted(labels.items())]
    return content_id("w", work)
