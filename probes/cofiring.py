"""On how many tokens two features fire together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glossator.probes.split_view import OpenView


class Cofiring(NamedTuple):
    """Where a narrow feature fires, and how often a wide one fires there, too."""

    narrow: int
    """Tokens on which the narrow one fires."""
    wide: int
    """Tokens on which the wide one fires."""
    both: int
    """Tokens on which both fire."""
    documents: int
    """Documents in which the narrow one fires."""


def cofiring(view: OpenView, narrow: int, wide: int) -> Cofiring:
    """Count over all tokens of `view`; raises `UnknownNameError` if there is no such feature."""
    first, second = view.firings(narrow).position, view.firings(wide).position
    both = len(np.intersect1d(first, second, assume_unique=True))
    documents = len(np.unique(view.text.document_of(first)))
    return Cofiring(len(first), len(second), both, documents)
