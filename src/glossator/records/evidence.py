"""Anything measured that a claim may cite, with enough to measure it again."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field, JsonValue

from glossator.records.base import Record, content_id
from glossator.records.feature import FeatureNames, FeatureRef, Split


class Window(Record):
    """A run of tokens around a peak, with the feature's activation at each token.

    Only what is shown or stored becomes a `Window`; searches over many windows stay in arrays.
    """

    document: str
    """The document's id."""
    split: Split
    """The document's split."""
    start: int = Field(ge=0)
    """Global position of the first token in the split's token stream."""
    tokens: tuple[str, ...]
    """Token texts, special tokens raw."""
    activations: tuple[float, ...]
    """The feature's activation at each token; 0 where silent."""
    peak: int = Field(ge=0)
    """Index of the window's centre token within `tokens`: where it fires most, or was sampled."""


class EvidenceKind(StrEnum):
    """What was measured."""

    WINDOWS = "windows"
    """Windows where the feature fires, by quantile, from `explore`."""
    SILENT_WINDOWS = "silent_windows"
    """Windows where it is silent: random or hard negatives, from `explore`."""
    STATISTICS = "statistics"
    """Density, maximum and histogram over the index."""
    TOKEN_EFFECTS = "token_effects"
    """Output tokens promoted and suppressed through the unembedding."""
    NEIGHBOURS = "neighbours"
    """Nearest features by direction and by co-activation."""
    SCORE = "score"
    """The per-example outcome behind a score (document ids and outcomes, never sealed text)."""
    STRENGTHS = "strengths"
    """Strengths matched to next-token KL."""
    EFFECTS = "effects"
    """What turning the feature up does to the next token."""
    CAUSES = "causes"
    """Everything causal about the feature: strengths, effects, explanation, scores, role."""
    STEERING = "steering"
    """Continuations of given prompts: clean, steered, and under random directions."""
    ABLATION = "ablation"
    """What a text's tokens lose without the feature."""
    ATTRIBUTION = "attribution"
    """What made the feature fire, or what it adds to a token's logit."""
    STRESS = "stress"
    """The grid and the checks behind a robustness grade."""
    EXPERIMENT = "experiment"
    """Texts with what a hypothesis predicted for them and what they did: an `Experiment`."""
    MINIMAL_CONTEXT = "minimal_context"
    """The fewest tokens of firing windows on which the feature still fires."""
    TEXT_ACTIVATIONS = "text_activations"
    """Activations on given texts."""
    SEARCH = "search"
    """Features found by meaning, by token or by running a text."""
    COMPARISON = "comparison"
    """Two or more features side by side."""
    COACTIVATION = "coactivation"
    """Features that fire together with one, and where."""
    CONCEPT = "concept"
    """Features that separate two sets of texts."""
    LINEAR_PROBE = "linear_probe"
    """A linear probe for a concept with its controls, beside the best single feature."""
    LABELS = "labels"
    """Features that were labelled on request, with the evidence of their cards."""
    RECALL = "recall"
    """What memory held of something, with the ids of the findings."""
    IMPORTED = "imported"
    """A label as it was read from a file of others, with the scores that they claim for it."""


class Evidence(Record):
    """One measurement. Its id is derived from the feature, the kind, the recipe and the payload."""

    id: str
    """`e-` and 12 hex digits."""
    feature: FeatureRef
    """The feature that was measured."""
    kind: EvidenceKind
    """What was measured."""
    recipe: dict[str, JsonValue]
    """What to do to measure it again: index identity, seed, counts, code version."""
    payload: JsonValue
    """What came out."""

    @classmethod
    def of(
        cls, feature: FeatureRef, kind: EvidenceKind, recipe: Mapping[str, object], payload: object
    ) -> Evidence:
        """Evidence with the id that its content gives it; `recipe` and `payload` are plain JSON."""
        content = {"feature": str(feature), "kind": kind, "recipe": dict(recipe), "payload": payload}
        identity = content_id("e", content)
        return cls.model_validate(content | {"id": identity, "feature": feature})


class DictionaryEvidence(Record):
    """One measurement that is of no single feature: a search, a concept, a comparison.

    Its id is derived from names, kind, recipe and payload, and has the form of other evidence's.
    """

    id: str
    """`e-` and 12 hex digits."""
    subject: str
    """The subject's name."""
    dictionary: str
    """The dictionary's name."""
    features: tuple[int, ...]
    """The features that it speaks of; may be none."""
    kind: EvidenceKind
    """What was measured."""
    recipe: dict[str, JsonValue]
    """What to do to measure it again: `tool` and `arguments`, index identity, seed, code version."""
    payload: JsonValue
    """What came out."""

    @classmethod
    def of(
        cls,
        names: FeatureNames,
        features: tuple[int, ...],
        kind: EvidenceKind,
        recipe: Mapping[str, object],
        payload: object,
    ) -> DictionaryEvidence:
        """Evidence with the id that its content gives it; `recipe` and `payload` are plain JSON."""
        content = {
            "subject": names.subject,
            "dictionary": names.dictionary,
            "features": list(features),
            "kind": kind,
            "recipe": dict(recipe),
            "payload": payload,
        }
        return cls.model_validate(content | {"id": content_id("e", content)})


AnyEvidence = Evidence | DictionaryEvidence
