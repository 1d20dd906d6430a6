"""What every scorer that asks a language model has at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.scorers.examples import seed_of
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.agents.scorers.question_sets import QuestionSets
from glossator.agents.scorers.room import ScoringRoom
from glossator.agents.scorers.sequential import Bootstrap
from glossator.agents.window_reading.reader import LlmReader
from glossator.records import FeatureRef

Activate = Callable[[int, Sequence[str]], Float[np.ndarray, " texts"]]
"""The feature's largest activation on each text."""
Losses = Callable[[str, Sequence[str]], Float[np.ndarray, " texts"]]
"""Mean loss of each text after a prefix, in nats per token."""


@dataclass(frozen=True)
class LlmBench:
    """One per run: splits, calls, reader and sizes; subject and local model where there are any."""

    room: ScoringRoom
    calls: CallRoom
    reader: LlmReader
    settings: LlmScoringSettings = field(default_factory=LlmScoringSettings)
    activate: Activate | None = None
    """Needed by generation alone."""
    losses: Losses | None = None
    """Needed by surprisal alone."""
    questions: QuestionSets = field(default_factory=QuestionSets, repr=False)
    """Made once for all explanations of a feature."""

    def bootstrap(self, feature: FeatureRef) -> Bootstrap:
        """How intervals of a feature's scores are drawn: as for every other reader."""
        return Bootstrap(seed_of(feature, "bootstrap"), self.room.settings.draws)
