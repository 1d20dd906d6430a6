"""A small subject and dictionary whose features are known exactly.

The subject reads text with a tokenizer of its own (words with their leading space, punctuation marks,
single digits, runs of white space; what its vocabulary lacks falls into pieces, at worst bytes), and
its activations are computed from the token texts by rules: dimension i of site `0.resid` is rule i. The
dictionary hands each dimension through as one feature. So everything that works on a real model can be
built on it, and asked whether it found the rules.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from glossator.errors import UnknownNameError
from glossator.probes.dictionary import SparsePairs
from glossator.probes.planted_rules import NoisyRule, PlantedRule, RandomRule, places
from glossator.probes.split_view import ArrayFirings, Firings
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.records import SiteRef

SITE = SiteRef.parse("0.resid")
_CUT = re.compile(r"'(?:s|t|re|ve|m|ll|d)\b| ?[^\W\d_]+| ?\d|_| ?[^\s\w]+|\s+(?!\S)|\s+")
_LONGEST_PIECE = 12


@dataclass(frozen=True)
class PlantedSubject:
    """A `ReadableSubject` whose activations follow rules."""

    rules: tuple[PlantedRule, ...]
    vocabulary: Vocabulary
    name: str = "planted"
    context_length: int = 512
    row_prefix: tuple[int, ...] = ()

    @classmethod
    def over(
        cls, texts: Sequence[str], rules: tuple[PlantedRule, ...], vocabulary_size: int = 12_000
    ) -> PlantedSubject:
        """A subject whose vocabulary holds the most frequent pieces of `texts`."""
        counts = Counter(piece for text in texts for piece in _CUT.findall(text))
        common = [piece for piece, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
        octets = [f"<0x{i:02X}>" for i in range(256)]
        pieces = dict.fromkeys([*octets, *map(chr, range(32, 127)), "\n", *common[:vocabulary_size]])
        return cls(rules, Vocabulary(("<|end|>", *pieces), frozenset({0})))

    @cached_property
    def _number(self) -> dict[str, int]:
        return {text: i for i, text in enumerate(self.vocabulary.texts) if i}

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text; text that looks like a special token stays text."""
        return [[i for piece in _CUT.findall(text) for i in self._piece_ids(piece)] for text in texts]

    def _piece_ids(self, piece: str) -> list[int]:
        """The piece if it is known, else its longest known beginning and so on."""
        known = self._number.get(piece)
        if known is not None:
            return [known]
        for length in range(min(len(piece) - 1, _LONGEST_PIECE), 0, -1):
            known = self._number.get(piece[:length])
            if known is not None:
                return [known, *self._piece_ids(piece[length:])]
        octets = [self._number[f"<0x{b:02X}>"] for b in piece[:1].encode("utf-8", "replace")]
        return octets + (self._piece_ids(piece[1:]) if piece[1:] else [])

    def activations(
        self,
        site: SiteRef,
        ids: Int[torch.Tensor, "batch pos"],
        mask: Int[torch.Tensor, "batch pos"] | None = None,
    ) -> Float[torch.Tensor, "batch pos d"]:
        """Dimension i is rule i: from 0.5 to 1 where it fires, 0 elsewhere; float32.

        Raises:
            UnknownNameError: for any other site than `0.resid`.
        """
        if site != SITE:
            raise UnknownNameError(f"a planted subject has no site {str(site)!r}: its one site is {SITE}")
        rows = [torch.from_numpy(self._row(row)) for row in ids.cpu().numpy()]
        return torch.stack(rows) if rows else torch.zeros(0, ids.shape[1], len(self.rules))

    def _row(self, ids: Int[np.ndarray, " pos"]) -> Float[np.ndarray, "pos d"]:
        tokens = [self.vocabulary.texts[int(i)] for i in ids]
        out = np.zeros((len(ids), len(self.rules)), dtype=np.float32)
        for k, rule in enumerate(self.rules):
            held = np.array(places(rule, tokens), dtype=bool)
            chance = _chances(rule.name, ids)
            out[:, k] = np.where(_fires(rule, held, chance[0]), 0.5 + 0.5 * chance[1], 0.0)
        return out

    def fingerprint(self) -> str:
        """SHA-256 over rules and vocabulary."""
        digest = hashlib.sha256(self.vocabulary.fingerprint.encode())
        for rule in self.rules:
            digest.update(rule.model_dump_json().encode())
        return digest.hexdigest()


def _chances(name: str, ids: Int[np.ndarray, " pos"]) -> Float[np.ndarray, "2 pos"]:
    """Uniform numbers for each token that depend on nothing but the rule and the tokens up to it."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    spread = np.random.default_rng(seed).integers(1, 2**63, 2).astype(np.uint64) | np.uint64(1)
    mixed = np.cumsum(ids.astype(np.uint64) * spread[0] + spread[1])
    out = np.empty((2, len(ids)))
    for k in range(2):
        x = (mixed + np.uint64(k)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        out[k] = (x ^ (x >> np.uint64(32))).astype(np.float64) / 2**64
    return out


def _fires(
    rule: PlantedRule, held: Bool[np.ndarray, " pos"], chance: Float[np.ndarray, " pos"]
) -> Bool[np.ndarray, " pos"]:
    """Where the feature fires: where the rule holds, but for noise."""
    if isinstance(rule, RandomRule):
        return chance < rule.share
    if not isinstance(rule, NoisyRule):
        return held
    stray = rule.stray * held.sum() / max(1, (~held).sum())
    return np.where(held, chance >= rule.missed, chance < stray)


@dataclass(frozen=True)
class PlantedDictionary:
    """A `Dictionary` that hands each dimension of a planted subject through as one feature."""

    n_features: int
    name: str = "planted"
    site: SiteRef = SITE

    @property
    def output_site(self) -> SiteRef:
        """The same site."""
        return self.site

    @property
    def d_in(self) -> int:
        """As many as features."""
        return self.n_features

    def encode(self, activations: Float[torch.Tensor, "tokens d_in"]) -> SparsePairs:
        """What is above 0."""
        token, feature = torch.nonzero(activations > 0, as_tuple=True)
        return SparsePairs(token, feature, activations[token, feature].float())

    def encode_fast(self, activations: Float[torch.Tensor, "tokens d_in"]) -> SparsePairs:
        """As `encode`."""
        return self.encode(activations)

    def reconstruct(
        self, activations: Float[torch.Tensor, "tokens d_in"]
    ) -> Float[torch.Tensor, "tokens d_in"]:
        """The activations themselves."""
        return activations.float()

    def directions(self) -> Float[torch.Tensor, "features d_out"]:
        """The axes."""
        return torch.eye(self.n_features)

    def fingerprint(self) -> str:
        """SHA-256 over the width."""
        return hashlib.sha256(f"planted identity {self.n_features}".encode()).hexdigest()


def planted_text(subject: PlantedSubject, texts: Sequence[str], context: int = 256) -> TokenText:
    """The token stream of `texts`, cut into rows of at most `context` tokens."""
    rows: list[list[int]] = []
    documents: list[int] = []
    for number, ids in enumerate(subject.tokenize(texts)):
        for start in range(0, len(ids), context):
            rows.append(ids[start : start + context])
            documents.append(number)
    bounds = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    infos = [DocumentInfo(f"planted-{i}", "", "") for i in range(len(texts))]
    ids = np.array([i for row in rows for i in row], dtype=np.int32)
    return TokenText(ids, bounds, np.array(documents, dtype=np.int32), infos, subject.vocabulary)


def planted_firings(subject: PlantedSubject, text: TokenText) -> ArrayFirings:
    """Every rule's firings in `text`, at eligible positions, as an index would hold them."""
    bounds = text.row_start.tolist()
    rows = [subject._row(text.ids[a:b]) for a, b in pairwise(bounds)]
    dense = np.concatenate(rows) if rows else np.zeros((0, len(subject.rules)), dtype=np.float32)
    dense[~text.eligible] = 0
    by_rule = [np.flatnonzero(dense[:, k]) for k in range(len(subject.rules))]
    return ArrayFirings(text, [Firings(at, dense[at, k]) for k, at in enumerate(by_rule)])


def planted_places(rule: PlantedRule, text: TokenText) -> Bool[np.ndarray, " tokens"]:
    """Where the rule holds in `text`, free of noise: the truth that a label is held against."""
    bounds = text.row_start.tolist()
    held = [places(rule, list(text.strings(a, b))) for a, b in pairwise(bounds)]
    return np.array([h for row in held for h in row], dtype=bool)
