"""The seam through which an answer is held against what was found before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from glossator.records import Claim, Contradiction, Finding


@runtime_checkable
class ContradictionCheck(Protocol):
    """Finds stored findings that cannot be right if the new ones are, and the other way round."""

    def __call__(
        self, features: Sequence[int], findings: Sequence[Finding], claims: Sequence[Claim]
    ) -> Sequence[Contradiction]:
        """What contradicts what.

        Args:
            features: features that the answer speaks of.
            findings: what was newly found; stored by now.
            claims: supported claims of the answer.

        """
        ...
