"""Prompts of unequal length as batches for one forward pass, padded on the left.

On the left, so that the last position of every row is its last token: one column of logits is all
that is computed, and generated tokens line up. Padding is masked and positions are given, so that a
row's results are those of the prompt alone, up to float error.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Int

from glossator.errors import ShapeMismatchError, UserError
from glossator.probes.subject import Subject

Prompt = tuple[int, ...]
"""Token ids, row prefix included."""

PADDING = 256
"""Cells of padding that a batch may always hold; larger ones as many as are a quarter of it. Every batch
reads all weights once per generated token, so few batches matter more than little padding."""


class PromptBatch(NamedTuple):
    """Some prompts, on the CPU."""

    rows: tuple[int, ...]
    """Their numbers among all prompts."""
    ids: Int[torch.Tensor, "rows width"]
    """0 at padding."""
    lengths: Int[torch.Tensor, " rows"]
    """Tokens of each, row prefix included."""
    spared: Int[torch.Tensor, " rows"]
    """Tokens at the beginning that are never touched: the row prefix, and always the first one."""
    prefixes: Int[torch.Tensor, " rows"]
    """Of these, the row prefix."""

    @property
    def width(self) -> int:
        """Columns of the batch."""
        return self.ids.shape[1]

    def place(self, columns: int | None = None) -> Int[torch.Tensor, "rows columns"]:
        """Position of each column in its own row, generated columns included; negative at padding."""
        at = torch.arange(self.width if columns is None else columns)
        return at[None] - (self.width - self.lengths)[:, None]


def prompt_batches(
    subject: Subject, prompts: Sequence[Prompt], batch_rows: int, most_cells: int | None = None
) -> Iterator[PromptBatch]:
    """Batches of like length, of at most `batch_rows` rows and `most_cells` tokens (but at least a row)."""
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    while order:
        width = len(prompts[order[0]])
        most = batch_rows if most_cells is None else max(1, min(batch_rows, most_cells // width))
        n = _alike([width - len(prompts[i]) for i in order[:most]], width)
        yield _batch(subject.row_prefix, prompts, tuple(order[:n]), width)
        order = order[n:]


def _alike(padding: list[int], width: int) -> int:
    """How many of the first rows go together."""
    total = 0
    for n, own in enumerate(padding):
        total += own
        if total > max(PADDING, width * (n + 1) // 4):
            return n
    return len(padding)


def model_inputs(subject: Subject, batch: PromptBatch, step: int = 0) -> dict[str, Any]:
    """Mask and positions for the prompt (`step` 0) or for the `step`-th generated token; both are left
    out where nothing is padded, which is faster."""
    if bool((batch.lengths == batch.width).all()):
        return {}
    place = batch.place(batch.width + step)
    inputs: dict[str, Any] = {"attention_mask": (place >= 0).long().to(subject.device)}
    if "position_ids" in inspect.signature(subject.model.forward).parameters:  # others count the mask
        own = place[:, -1:] if step else place
        inputs["position_ids"] = own.clamp(min=0).to(subject.device)
    return inputs


def check_prompts(subject: Subject, prompts: Sequence[Prompt], extra: int = 0) -> None:
    """Raise `UserError` for an empty prompt, `ShapeMismatchError` for one that with `extra` tokens is longer
    than the context, or for a token id that the subject does not have."""
    n_ids = min(int(subject.model.config.get_text_config().vocab_size), subject.n_named_tokens)
    for number, prompt in enumerate(prompts):
        if not prompt:
            raise UserError(f"prompt {number} is empty: give at least one token")
        if len(prompt) + extra > subject.context_length:
            more = f" and {extra} tokens to generate" if extra else ""
            raise ShapeMismatchError(
                f"prompt {number} of {len(prompt)} tokens{more} does not fit {subject.name}, which takes "
                f"{subject.context_length}: use a shorter prompt"
            )
        if not 0 <= min(prompt) <= max(prompt) < n_ids:
            raise ShapeMismatchError(
                f"prompt {number} holds token ids {min(prompt)} to {max(prompt)}, but those of "
                f"{subject.name} are 0 to {n_ids - 1}: was it tokenised for another subject?"
            )


def _batch(
    prefix: tuple[int, ...], prompts: Sequence[Prompt], chosen: tuple[int, ...], width: int
) -> PromptBatch:
    ids = torch.zeros(len(chosen), width, dtype=torch.int64)
    for slot, number in enumerate(chosen):
        ids[slot, width - len(prompts[number]) :] = torch.tensor(prompts[number])
    lengths = torch.tensor([len(prompts[i]) for i in chosen])
    prefixes = torch.tensor([len(prefix) if prompts[i][: len(prefix)] == prefix else 0 for i in chosen])
    return PromptBatch(chosen, ids, lengths, prefixes.clamp(min=1), prefixes)
