"""A real causal language model whose features' effects are known, with a corpus and a dictionary for it.

Kinds of features, each of which a measure of causal evidence must tell apart:

    clean    fires on drinks and raises drinks
    lexical  is taken for the drink coffee, but fires on words that share its letters, and raises those
    random   fires on animals; its direction is random
    input    fires on weather; its direction is one that nothing reads
    output   fires on a pseudo-random function of the context; raises music
    neither  fires on another such function; its direction is one that nothing reads

Beside them stand two siblings, whose directions lie near that of `clean` (cosine 0.6) but which fire on
and raise other words, and features of other concepts that read and write alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from glossator.probes.activation_index import ActivationIndex, build_index
from glossator.probes.coder_weights import Activation, CoderOptions, CoderWeights
from glossator.probes.corpus_document import Document
from glossator.probes.planted_causal_model import D, Layout, TokenPlan, planted_model
from glossator.probes.planted_causal_words import (
    CONCEPTS,
    FUNCTION,
    SHARED_LETTERS,
    planted_texts,
    vocabulary_words,
)
from glossator.probes.sparse_coder import SparseCoder
from glossator.probes.subject import Subject
from glossator.records import Explanation, FeatureNames, FeatureRef, SiteRef, WordIn

SITE = SiteRef.parse("1.resid")
KINDS = ("clean", "lexical", "random", "input", "output", "neither")
SIBLINGS = {"sibling food": "food", "sibling kitchenware": "kitchenware"}
OTHERS = ("sports", "furniture", "body", "trades", "plants", "travel")
FEATURES = (*KINDS, *SIBLINGS, *OTHERS)
"""Names of all features, by number."""
_FIRES_ON = {
    "clean": CONCEPTS["drinks"],
    "lexical": SHARED_LETTERS,
    "random": CONCEPTS["animals"],
    "input": CONCEPTS["weather"],
    **{name: CONCEPTS[concept] for name, concept in SIBLINGS.items()},
    **{name: CONCEPTS[name] for name in OTHERS},
}
_RAISES = {
    "clean": CONCEPTS["drinks"],
    "lexical": SHARED_LETTERS,
    "output": CONCEPTS["music"],
    **{name: CONCEPTS[concept] for name, concept in SIBLINGS.items()},
    **{name: CONCEPTS[name] for name in OTHERS},
}
_LABELS = {
    "clean": ("drinks, such as coffee, tea and milk", CONCEPTS["drinks"]),
    "lexical": ("coffee, the drink", ("coffee",)),
    "random": ("animals, such as bears and deer", CONCEPTS["animals"]),
    "input": ("weather, such as wind and rain", CONCEPTS["weather"]),
    "output": ("music, such as drums and songs", CONCEPTS["music"]),
    "neither": ("words for travelling, such as roads and trains", CONCEPTS["travel"]),
    "sibling food": ("food, such as bread and cheese", CONCEPTS["food"]),
    "sibling kitchenware": ("kitchenware, such as cups and plates", CONCEPTS["kitchenware"]),
    **{name: (f"words of {name}: {', '.join(CONCEPTS[name][:3])}", CONCEPTS[name]) for name in OTHERS},
}
_RAISED_BY = 2.0
"""Component of a word's unembedding row along its concept's direction."""
_BIAS = 1.5
"""What the encoder takes off: context noise stays silent."""
_HASH_SHARE = 0.025
"""Share of tokens on which the unpredictable features fire."""


@dataclass(frozen=True)
class PlantedCausal:
    """A subject with a dictionary and texts, and what is true of the features."""

    seed: int
    subject: Subject
    dictionary: SparseCoder
    texts: tuple[str, ...]
    features: Mapping[str, int]
    """Name (the kinds, siblings, others) to number."""
    concepts: Mapping[str, tuple[str, ...]]
    """Token texts, leading space included, that each feature raises; none for those that raise nothing."""
    fires_on: Mapping[str, tuple[str, ...]]
    """Token texts on which each feature fires; none where no set of tokens says it."""

    @property
    def names(self) -> FeatureNames:
        """What its features are called."""
        return FeatureNames(self.subject.name, self.dictionary.name)

    def documents(self) -> list[Document]:
        """The texts as a corpus."""
        return [Document(f"p{i}", "", "made", text, "planted") for i, text in enumerate(self.texts)]

    def index(self, folder: Path) -> ActivationIndex:
        """Build the activation index in `folder`."""
        return build_index(folder, self.subject, self.dictionary, self.documents(), context=64)

    def explanations(self) -> dict[str, Explanation]:
        """The label that a user would have of each feature from looking at where it fires: of `output`,
        the words that it raises, taken for those it reads; of `neither`, a guess."""
        subject, dictionary = self.names
        return {
            name: Explanation.of(
                FeatureRef(subject=subject, dictionary=dictionary, index=self.features[name]),
                "planted/1",
                text,
                WordIn(words=words),
            )
            for name, (text, words) in _LABELS.items()
        }


def planted_causal(seed: int, *, documents: int = 420, sentences: int = 12) -> PlantedCausal:
    """Everything from `seed`: weights, texts, directions."""
    generator = torch.Generator().manual_seed(seed)
    layout = Layout(
        detect=tuple(_FIRES_ON),
        write=tuple(_RAISES),
        unread=("input", "neither"),
        hashed=("output", "neither"),
    )
    rotation = torch.linalg.qr(torch.randn(D, D, generator=generator)).Q
    words = vocabulary_words()
    subject = planted_model(words, _plans(seed), layout, rotation, seed)
    texts = planted_texts(seed, documents, sentences)
    weights = CoderWeights(
        W_enc=_encoder(layout, rotation),
        W_dec=_decoder(layout, rotation, generator),
        b_dec=torch.zeros(D),
        b_enc=torch.full((len(FEATURES),), -_BIAS),
    )
    weights = _with_hash_thresholds(weights, subject, texts)
    coder = SparseCoder(weights, CoderOptions(activation=Activation.RELU), name="planted", site=SITE)
    return PlantedCausal(
        seed,
        subject,
        coder,
        texts,
        {name: i for i, name in enumerate(FEATURES)},
        {name: _spaced(_RAISES.get(name, ())) for name in FEATURES},
        {name: _spaced(_FIRES_ON.get(name, ())) for name in FEATURES},
    )


def planted_causal_index(seed: int, folder: Path) -> ActivationIndex:
    """The index of `planted_causal(seed)` in `folder`."""
    return planted_causal(seed).index(folder)


def _spaced(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f" {word}" for word in words)


def _plans(seed: int) -> dict[str, TokenPlan]:
    """Nouns are read with different strengths, so that activations have weak and strong quantiles."""
    rng = np.random.default_rng(seed)
    nouns = {word for words in CONCEPTS.values() for word in words}
    plans: dict[str, TokenPlan] = {}
    for word in vocabulary_words():
        detect = {name: float(rng.uniform(2.4, 6.0)) for name, fires in _FIRES_ON.items() if word in fires}
        write = {name: _RAISED_BY for name, raised in _RAISES.items() if word in raised}
        common = 0.8 if word in nouns else 1.2 if word in FUNCTION else -0.5
        plans[word] = TokenPlan(detect, write, common)
    return plans


def _encoder(layout: Layout, rotation: Float[torch.Tensor, "d d"]) -> Float[torch.Tensor, "d features"]:
    part = {name: "detect" if name in _FIRES_ON else "hashed" for name in FEATURES}
    return torch.stack([rotation[:, layout.at(part[name], name)] for name in FEATURES], dim=1)


def _decoder(
    layout: Layout, rotation: Float[torch.Tensor, "d d"], generator: torch.Generator
) -> Float[torch.Tensor, "features d"]:
    """Unit directions."""
    rows: list[torch.Tensor] = []
    clean = rotation[:, layout.at("write", "clean")]
    for name in FEATURES:
        if name == "random":
            row = torch.randn(D, generator=generator)
        elif name in _RAISES:
            row = rotation[:, layout.at("write", name)]
        else:
            row = rotation[:, layout.at("unread", name)]
        if name in SIBLINGS:
            row = 0.6 * clean + 0.8 * row
        rows.append(row / row.norm())
    return torch.stack(rows)


def _with_hash_thresholds(weights: CoderWeights, subject: Subject, texts: tuple[str, ...]) -> CoderWeights:
    """Scale the unpredictable features so that they fire on their share of tokens, up to about 5."""
    assert weights.b_enc is not None
    rows = [ids[:64] for ids in subject.tokenize(texts[:100])]
    width = min(len(row) for row in rows)
    ids = torch.tensor([[*subject.row_prefix, *row[:width]] for row in rows])
    seen = subject.activations(SITE, ids)[:, 2:].reshape(-1, D)
    for name in ("output", "neither"):
        k = FEATURES.index(name)
        values = seen @ weights.W_enc[:, k]
        low = float(values.quantile(1 - _HASH_SHARE))
        scale = 5.0 / (float(values.max()) - low)
        weights.W_enc[:, k] *= scale
        weights.b_enc[k] = -low * scale
    return weights
