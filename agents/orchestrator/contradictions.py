"""The seam through which an answer is held against what was found before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from glossator.records import Contradiction


@runtime_checkable
class ContradictionCheck(Protocol):
    """Finds what in the ledger contradicts itself or an answer."""

    async def of(self, features: Sequence[int], texts: Sequence[str]) -> tuple[Contradiction, ...]:
        """What contradicts what.

        Args:
            features: the features that the answer speaks of.
            texts: its supported claims in words, in order.

        """
        ...
