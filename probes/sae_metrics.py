"""How faithful a dictionary is, measured on text that it was not trained on.

Written here rather than taken from a library: a widely used "explained variance" squares before it
averages and collapses dimensions (SAELens issue 665). Sums are float64. First positions and special
tokens count nowhere: they are not encoded, and keep their own activations where the reconstruction is
spliced into the subject.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from pydantic import Field

from glossator.errors import ProbeError, ShapeMismatchError
from glossator.probes.dictionary import Dictionary
from glossator.probes.subject_protocol import ReadableSubject
from glossator.probes.token_rows import Row, RowBatch, eligible_activations, row_batches
from glossator.records import Record, SiteRef

Edit = Callable[[Float[torch.Tensor, "batch pos d"]], Float[torch.Tensor, "batch pos d"]]


@runtime_checkable
class EditableSubject(ReadableSubject, Protocol):
    """A subject whose activations can be replaced in a full forward pass."""

    def logits(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor | None = None,
        *,
        site: SiteRef | None = None,
        edit: Edit | None = None,
    ) -> torch.Tensor:
        """Next-token logits, with what stands at `site` replaced by `edit` of it."""
        ...


class SaeMetrics(Record):
    """What a dictionary keeps of a site, and at what price."""

    tokens: int = Field(ge=1)
    """Eligible tokens that the first group of numbers is measured on."""
    features: int = Field(ge=1)
    """Features of the dictionary."""
    l0: float
    """Features that fire on a token, on average."""
    explained_variance: float
    """1 - sum |x - x_hat|^2 / sum |x - mean|^2 over all tokens and dimensions of the output site."""
    explained_variance_ordinary: float
    """The same without outliers, tokens whose norm is over 5 times their batch's median. A handful of
    massive activations can hold most of the variance, and then the number above speaks of them alone."""
    outliers: int
    """How many tokens that leaves out."""
    alive: int
    """Features that fire on at least one of the tokens."""
    dead_share: float
    """Share of the features that fire on none of them."""
    ce_tokens: int
    """Predictions that the cross-entropies are measured on."""
    ce_clean: float
    """Cross-entropy of the next token in the untouched subject, in nats."""
    ce_reconstructed: float
    """The same with the reconstruction in place of the activations."""
    ce_ablated: float
    """The same with zeros in place of the activations."""
    ce_recovered: float
    """(ablated - reconstructed) / (ablated - clean): 1 is lossless, 0 no better than zeros."""


_OUTLIER = 5.0
"""Massive activations (Sun et al. 2024, https://arxiv.org/abs/2402.17762) lie far above this."""


@dataclass
class _Sums:
    """Running sums over tokens."""

    tokens: int = 0
    pairs: int = 0
    error: float = 0.0
    square: float = 0.0
    total: Float[torch.Tensor, " d_out"] | None = None
    fired: Float[torch.Tensor, " features"] | None = None

    def add(
        self, target: Float[torch.Tensor, "tokens d_out"], found: Float[torch.Tensor, "tokens d_out"]
    ) -> None:
        exact = target.double().cpu()
        self.tokens += exact.shape[0]
        self.error += float((exact - found.double().cpu()).pow(2).sum())
        self.square += float(exact.pow(2).sum())
        self.total = exact.sum(0) if self.total is None else self.total + exact.sum(0)

    @property
    def explained_variance(self) -> float:
        assert self.total is not None, "at least one token was added"
        return 1.0 - self.error / (self.square - float(self.total.pow(2).sum()) / self.tokens)


@dataclass
class _CrossEntropies:
    """Summed cross-entropies of the same predictions three times."""

    tokens: int = 0
    clean: float = 0.0
    reconstructed: float = 0.0
    ablated: float = 0.0


def measure(
    subject: EditableSubject,
    dictionary: Dictionary,
    rows: list[Row],
    *,
    ce_tokens: int = 20_000,
    batch_tokens: int = 1024,
    progress: Callable[[int, int], None] | None = None,
) -> SaeMetrics:
    """Measure `dictionary` on `rows`; cross-entropies on about the first `ce_tokens` of them.

    Args:
        subject: the subject that it was trained on.
        dictionary: any dictionary with a reconstruction.
        rows: held-out rows, as `draw_rows` gives them.
        ce_tokens: predictions for the cross-entropies, which take three full forward passes each.
        batch_tokens: tokens per forward pass.
        progress: told tokens done and tokens in all.

    Raises:
        ShapeMismatchError: the dictionary does not fit the subject's site.
        ProbeError: no token is eligible.
    """
    sums, ordinary, losses = _Sums(), _Sums(), _CrossEntropies()
    fired = torch.zeros(dictionary.n_features, dtype=torch.bool)
    total = sum(len(row) for row in rows)
    for batch in row_batches(subject, rows, batch_tokens):
        x = eligible_activations(subject, dictionary.site, batch)
        if x.shape[0] == 0:
            continue
        pairs = dictionary.encode(x)
        fired[pairs.feature.cpu()] = True
        sums.pairs += pairs.feature.shape[0]
        found = dictionary.reconstruct(x)
        target = _target(subject, dictionary, batch, x, found)
        sums.add(target, found)
        norm = target.float().norm(dim=1)
        usual = norm <= _OUTLIER * norm.median()
        ordinary.add(target[usual], found[usual])
        if losses.tokens < ce_tokens:
            _add_cross_entropies(losses, subject, dictionary.output_site, batch, found)
        if progress is not None:
            progress(sums.tokens, total)
    if sums.tokens == 0:
        raise ProbeError("no token of the rows is eligible: all are first positions or special tokens")
    return _metrics(sums, ordinary, losses, fired)


def _target(
    subject: EditableSubject,
    dictionary: Dictionary,
    batch: RowBatch,
    x: Float[torch.Tensor, "tokens d_in"],
    found: Float[torch.Tensor, "tokens d_out"],
) -> Float[torch.Tensor, "tokens d_out"]:
    """What the reconstruction should be: the activations at the output site."""
    same = dictionary.output_site == dictionary.site
    target = x if same else eligible_activations(subject, dictionary.output_site, batch)
    if target.shape != found.shape:
        raise ShapeMismatchError(
            f"{dictionary.name!r} writes {found.shape[1]} values, but {dictionary.output_site} of "
            f"{subject.name} has {target.shape[1]}"
        )
    return target


def _add_cross_entropies(
    losses: _CrossEntropies,
    subject: EditableSubject,
    site: SiteRef,
    batch: RowBatch,
    found: Float[torch.Tensor, "tokens d_out"],
) -> None:
    """Splice reconstruction and zeros in at the eligible tokens, and add up the three losses."""

    def spliced(values: Float[torch.Tensor, "tokens d_out"]) -> Edit:
        def edit(at_site: Float[torch.Tensor, "batch pos d"]) -> Float[torch.Tensor, "batch pos d"]:
            out = at_site.clone()
            out[batch.eligible.to(out.device)] = values.to(out.device, out.dtype)
            return out

        return edit

    losses.tokens += int(_predictions(batch).sum())
    losses.clean += _loss(subject.logits(batch.ids, batch.mask), batch)
    with_sae = subject.logits(batch.ids, batch.mask, site=site, edit=spliced(found))
    losses.reconstructed += _loss(with_sae, batch)
    with_zeros = subject.logits(batch.ids, batch.mask, site=site, edit=spliced(torch.zeros_like(found)))
    losses.ablated += _loss(with_zeros, batch)


def _predictions(batch: RowBatch) -> torch.Tensor:
    """Where an eligible token has a next token to predict."""
    return batch.eligible[:, :-1] & (batch.mask[:, 1:] == 1)


def _loss(logits: torch.Tensor, batch: RowBatch) -> float:
    """Summed cross-entropy, row by row so that float32 logits of one row exist at a time."""
    where, total = _predictions(batch), 0.0
    for row in range(batch.ids.shape[0]):
        index = where[row].nonzero().squeeze(1)
        target = batch.ids[row, index + 1].to(logits.device)
        chosen = logits[row, index.to(logits.device)].float()
        total += float(torch.nn.functional.cross_entropy(chosen, target, reduction="sum"))
    return total


def _metrics(sums: _Sums, ordinary: _Sums, losses: _CrossEntropies, fired: torch.Tensor) -> SaeMetrics:
    alive, n = int(fired.sum()), max(1, losses.tokens)
    clean, found, ablated = losses.clean / n, losses.reconstructed / n, losses.ablated / n
    return SaeMetrics(
        tokens=sums.tokens,
        features=fired.shape[0],
        l0=sums.pairs / sums.tokens,
        explained_variance=sums.explained_variance,
        explained_variance_ordinary=ordinary.explained_variance,
        outliers=sums.tokens - ordinary.tokens,
        alive=alive,
        dead_share=1 - alive / fired.shape[0],
        ce_tokens=losses.tokens,
        ce_clean=clean,
        ce_reconstructed=found,
        ce_ablated=ablated,
        ce_recovered=(ablated - found) / (ablated - clean) if ablated != clean else float("nan"),
    )
