"""What an explainer is given about a feature: measured on `explore`, never on anything else."""

from __future__ import annotations

from dataclasses import dataclass, field

from glossator.agents.scorers.room import FeatureNeighbours
from glossator.errors import GlossatorError
from glossator.probes.negatives import WindowPool
from glossator.probes.split_view import ExploreView, ValidateView
from glossator.probes.text_embedder import TextEmbedder
from glossator.probes.token_effects import TokenEffects
from glossator.records import Explanation, ExplanationFlag, FeatureRef, Split, Window


@dataclass(frozen=True)
class OpenViews:
    """The splits that an explainer works with, and what hard negatives are made from."""

    explore: ExploreView
    """Shown to explainers."""
    validate: ValidateView
    """Read by the scorer's model to choose among candidates; never shown to explainers."""
    neighbours: FeatureNeighbours = field(default_factory=FeatureNeighbours)
    """Features whose windows make hard negatives."""
    explore_pool: WindowPool | None = None
    """Random windows of `explore`, embedded; None leaves out near windows."""
    validate_pool: WindowPool | None = None
    """The same of `validate`."""
    embedder: TextEmbedder | None = None
    """What the pools were embedded with."""


@dataclass(frozen=True)
class Material:
    """One feature, as explainers see it.

    Raises:
        GlossatorError: a window is not of `explore`.
    """

    feature: FeatureRef
    max_activation: float
    """The largest activation on `explore`."""
    windows: tuple[Window, ...]
    """Firing windows, strongest first."""
    silent: tuple[Window, ...]
    """Hard negatives."""
    effects: TokenEffects
    """Output tokens that the feature raises and lowers."""
    embedded: Explanation | None = None
    """The embedded analyst's explanation; None where it abstained."""
    evidence: tuple[str, ...] = ()
    """Ids that explanations cite."""
    flags: tuple[ExplanationFlag, ...] = ()
    """What the embedded analyst found of the feature itself (dense, token-trivial); every explanation
    carries them."""
    steering: tuple[str, ...] = ()
    """Texts that the subject writes with the feature turned up, for the output-centric method; none until
    something measures them."""

    def __post_init__(self) -> None:
        for window in (*self.windows, *self.silent):
            if window.split is not Split.EXPLORE:
                raise GlossatorError(
                    f"an explainer may only see windows of explore; a window of {window.document!r} "
                    f"is of {window.split}: draw it from an ExploreView"
                )
