"""What tools measure with. Heavy parts are made at first use; the shell makes the bench from settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glossator.memory.finding_store import FindingStore
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.probes.activation_index import ActivationIndex
from glossator.probes.dictionary import Dictionary
from glossator.probes.text_activations import TextActivations
from glossator.probes.text_embedder import TextEmbedder
from glossator.probes.token_effects import TokenEffects
from glossator.records import FeatureNames, FeatureRef

if TYPE_CHECKING:
    from glossator.agents.causal.bench import CausalBench
    from glossator.agents.causal.causal_findings import Causes
    from glossator.agents.feature_preparation import LabelledFeature
    from glossator.memory.findings_index import FindingsIndex
    from glossator.probes.subject import Subject
else:
    CausalBench = Causes = FindingsIndex = LabelledFeature = Subject = Any


@dataclass(frozen=True)
class Workbench:
    """One index with everything around it."""

    names: FeatureNames
    index: ActivationIndex
    """`explore` and `validate` are open; nothing here opens `sealed`."""
    ledger: Ledger
    embedder: TextEmbedder | None
    dictionary: Callable[[], Dictionary]
    activations: Callable[[], TextActivations]
    """Runs texts through subject and dictionary."""
    effects: Callable[[int], TokenEffects]
    """Promoted and suppressed output tokens of a feature."""
    findings: Callable[[], FindingsIndex] | None = None
    """Search by meaning, brought up to the ledger; None does without."""
    subject: Callable[[], Subject] | None = None
    """The subject itself; None for planted subjects that cannot be steered."""
    causal: Callable[[], CausalBench] | None = None
    """What interventions are measured with; None where there are none."""
    causes: Callable[[], Causes] | None = None
    """What turns features up and down and scores it; None where there are no interventions."""
    label: Callable[[list[int]], list[LabelledFeature]] | None = None
    """Labels features and stores their cards; None where that is not offered."""
    seed: int = 0
    """Of everything drawn at random."""

    @property
    def investigations(self) -> InvestigationStore:
        """Investigations and evidence of this ledger."""
        return InvestigationStore(self.ledger)

    @property
    def memory(self) -> FindingStore:
        """What investigations learnt."""
        return FindingStore(self.ledger)

    def ref(self, feature: int) -> FeatureRef:
        """The full name of feature number `feature`."""
        return FeatureRef(subject=self.names.subject, dictionary=self.names.dictionary, index=feature)
