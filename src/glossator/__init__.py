"""Glossator finds out what the features inside a neural network mean, with evidence.

Nothing heavy is imported here: `glossator --help` must answer at once. `Glossator` is loaded when asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glossator.api import Glossator

__all__ = ["Glossator", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "Glossator":
        from glossator.api import Glossator

        return Glossator
    raise AttributeError(f"module 'glossator' has no attribute {name!r}")
