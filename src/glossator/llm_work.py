"""From settings and a plan to what an LLM labelling needs: endpoints, call room, budget, sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from glossator.agent_calls import RoomRules
from glossator.agents.llm_calls.budget import Budget
from glossator.agents.llm_calls.chat import ChatEndpoint, Role
from glossator.commands.result_output import note
from glossator.llm_plan import LlmPlan
from glossator.records import ImportedLabel, LlmSpending, ScoreMethod
from glossator.session import Session

if TYPE_CHECKING:
    from glossator.agents.causal.causal_findings import Causes
    from glossator.agents.feature_preparation import FeaturePreparation
    from glossator.agents.llm_calls.call_room import CallRoom
    from glossator.agents.llm_labelling import LlmLabeller, LlmLabelling, Way
    from glossator.agents.scorers.llm_bench import Activate, Losses
    from glossator.agents.window_reading.calibration import PromptSizeChoice
else:
    Activate = Causes = Losses = PromptSizeChoice = CallRoom = FeaturePreparation = Any
    LlmLabeller = LlmLabelling = Way = Any

ASSUMED_ACCURACY = 0.85
"""Of readers, in an estimate: decides how many windows sequential reading is expected to take."""
USUAL_WINDOWS_PER_PROMPT = 5
"""In short runs, in which measuring agreement would cost more than it saves, and in estimates."""
FEATURES_WORTH_MEASURING = 10
"""Features from which on windows per prompt are chosen by measured agreement."""
ESTIMATE_SAMPLE = 8
"""Features on which an estimate is computed."""


class Estimate(NamedTuple):
    """What a run is expected to take."""

    features: int
    """Features still to be labelled."""
    sampled: int
    """Features that the estimate was computed on."""
    each: LlmSpending
    """The mean of those, rounded."""
    total: LlmSpending
    """All features together."""


class LlmWork:
    """What the features of one run share. The endpoints are opened by the first use."""

    def __init__(
        self,
        session: Session,
        plan: LlmPlan,
        preparation: FeaturePreparation,
        panel: Sequence[int],
        *,
        endpoints: Callable[[], Mapping[Role, ChatEndpoint]] | None = None,
        causes: Causes | None = None,
        labels: Mapping[int, ImportedLabel] | None = None,
    ) -> None:
        """The work of one plan.

        Args:
            session: the settings, made into things.
            plan: what is asked.
            preparation: what is measured.
            panel: all features of the run, those that are done too: the first make the shuffled baseline.
            endpoints: how to open the models; by their specs where None.
            causes: what measures what features cause; None leaves that out.
            labels: labels of others by feature, scored instead of asking an explainer; None asks.
        """
        self._labels = labels
        self._session, self._plan, self._preparation = session, plan, preparation
        self._panel, self._open, self._causes = tuple(panel), endpoints or self._by_spec, causes

    def estimate(self, features: Sequence[int]) -> Estimate:
        """Go through a sample of `features` with likely answers instead of calls; nothing is stored."""
        n = min(len(features), ESTIMATE_SAMPLE)
        sample = [features[i * len(features) // n] for i in range(n)]
        asked = self._asked("", Budget(), RoomRules(), dry=True)
        rehearsed = replace(asked, scoring=replace(asked.scoring, assumed_accuracy=ASSUMED_ACCURACY))
        cards = [made.card for made in self._labeller(rehearsed).label(sample)]
        spent = [card.spending or LlmSpending(usd=0.0) for card in cards]
        return Estimate(len(features), n, _scaled(spent, 1), _scaled(spent, len(features)))

    def labeller(self, run: str, features: Sequence[int]) -> LlmLabeller:
        """A labeller whose calls are paid by `run`.

        Raises:
            BudgetError: money is limited and a price is unknown, or the budget is too small for a feature.
        """
        asked = self.asked(run, Budget(self._plan.limits))
        if self._plan.limits != type(self._plan.limits)():
            asked = replace(asked, expected=self.estimate(features[:2]).each)
            asked.budget.start()
        return self._labeller(asked)

    def asked(self, run: str, budget: Budget, rules: RoomRules | None = None) -> LlmLabelling:
        """What is asked, in a room of its own whose calls `run` pays.

        Raises:
            BudgetError: money is limited and a price is unknown.
        """
        return self._asked(run, budget, rules or RoomRules(), dry=False)

    def way(self, half_width: float | None = None) -> Way:
        """How one feature is explained and scored by this plan; `half_width` in place of the usual."""
        from glossator.agents.explainers.explainer_settings import ExplainerSettings
        from glossator.agents.llm_labelling import Way
        from glossator.agents.scorers.llm_settings import LlmScoringSettings

        plan, scoring = self._plan, LlmScoringSettings(methods=self._plan.score_by)
        if half_width is not None:
            scoring = replace(scoring, half_width=half_width)
        return Way(ExplainerSettings(plan.explain_by, plan.samples) if plan.explain_by else None, scoring)

    def _labeller(self, asked: LlmLabelling) -> LlmLabeller:
        from glossator.agents.llm_labelling import LlmLabeller

        return LlmLabeller(self._preparation, asked, self._panel)

    def _asked(self, run: str, budget: Budget, rules: RoomRules, *, dry: bool) -> LlmLabelling:
        from glossator.agents.llm_labelling import LlmLabelling

        settings, way = self._session.settings, self.way()
        measured = len(self._panel) >= FEATURES_WORTH_MEASURING and not dry
        return LlmLabelling(
            calls=self._room(run, budget, rules, dry=dry),
            budget=budget,
            explainers=way.explainers,
            scoring=way.scoring,
            windows_per_prompt=settings.windows_per_prompt
            or (None if measured else USUAL_WINDOWS_PER_PROMPT),
            activate=self._activate(dry=dry),
            losses=self._losses(dry=dry),
            on_choice=_say,
            causes=None if dry else self._causes,
            labels=self._labels,
            side_by_side=max(2, min(16, settings.llm_slots)),
        )

    def _activate(self, *, dry: bool) -> Activate | None:
        """A rehearsal runs nothing through the subject."""
        if ScoreMethod.GENERATION not in self._plan.score_by:
            return None
        return (lambda _, texts: _zeros(len(texts))) if dry else self._session.text_activations()

    def _losses(self, *, dry: bool) -> Losses | None:
        if ScoreMethod.SURPRISAL not in self._plan.score_by:
            return None
        return (lambda _, texts: _zeros(len(texts))) if dry else self._session.prefix_losses()

    def _room(self, run: str, budget: Budget, rules: RoomRules, *, dry: bool) -> CallRoom:
        from glossator.agents.llm_calls.call_room import CallRoom
        from glossator.agents.llm_calls.prices import Prices
        from glossator.agents.llm_calls.token_counts import TokenCounter
        from glossator.memory.call_store import CallStore

        settings = self._session.settings
        return CallRoom(
            self._open(),
            budget=budget,
            store=CallStore(self._session.ledger()),
            slots=settings.llm_slots,
            counter=TokenCounter(),
            prices=Prices(settings.price),
            run=run,
            retry=rules.retry,
            on_outage=rules.on_outage,
            dry=dry,
        )

    def _by_spec(self) -> Mapping[Role, ChatEndpoint]:
        from glossator.agents.llm_calls.open_endpoint import open_endpoints

        return open_endpoints(self._plan.models, timeout=self._session.settings.llm_timeout)


def _zeros(n: int) -> Any:
    import numpy as np

    return np.zeros(n, np.float32)


def _say(choice: PromptSizeChoice) -> None:
    tried = "; ".join(
        f"{t.windows_per_prompt}: accuracy {t.accuracy:.2f}, agreement {t.agreement:.2f}"
        for t in choice.trials
    )
    note(
        f"windows per prompt: {choice.windows_per_prompt}, by measured agreement on {choice.windows} windows "
        f"of validate ({tried or 'none could be tried'})"
    )


def _scaled(spent: Sequence[LlmSpending], features: int) -> LlmSpending:
    """The mean of `spent` times `features`."""
    share = features / max(1, len(spent))
    known = [s.usd for s in spent if s.usd is not None]
    return LlmSpending(
        calls=round(share * sum(s.calls for s in spent)),
        input_tokens=round(share * sum(s.input_tokens for s in spent)),
        output_tokens=round(share * sum(s.output_tokens for s in spent)),
        usd=share * sum(known) if len(known) == len(spent) else None,
    )
