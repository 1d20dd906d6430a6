"""What the activation index needs of a subject, so that planted subjects can stand in for models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int

from glossator.probes.vocabulary import Vocabulary
from glossator.records import SiteRef


@runtime_checkable
class ReadableSubject(Protocol):
    """Anything that turns texts into token ids, and token ids into activations at a site."""

    @property
    def name(self) -> str:
        """Short name, such as `smollm2-135m`."""
        ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def context_length(self) -> int:
        """The most tokens that it takes at once."""
        ...

    @property
    def row_prefix(self) -> tuple[int, ...]:
        """Token ids that every row starts with: the beginning-of-sequence token of subjects that were
        trained with one, else nothing."""
        ...

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens; text that looks like one stays text."""
        ...

    def activations(
        self,
        site: SiteRef,
        ids: Int[torch.Tensor, "batch pos"],
        mask: Int[torch.Tensor, "batch pos"] | None = None,
    ) -> Float[torch.Tensor, "batch pos d"]:
        """Activations at `site`, stopping the forward pass there; in the subject's own dtype.

        `mask` is 0 at padding on the right, whose activations are arbitrary.
        """
        ...

    def fingerprint(self) -> str:
        """SHA-256 over weights and configuration."""
        ...
