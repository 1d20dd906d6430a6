"""The only door to sealed text. Scorers alone may import this module; a test holds that."""

from __future__ import annotations

from glossator.probes.activation_index.reader import ActivationIndex
from glossator.probes.split_view import SealedView
from glossator.records import Split


def open_sealed(index: ActivationIndex) -> SealedView:
    """The sealed split of `index`, for measuring scores that are reported."""
    return SealedView(index._source(Split.SEALED))
