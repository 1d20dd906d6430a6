"""What an activation index was built from, and how two indexes differ."""

from __future__ import annotations

import hashlib
from pathlib import Path

from glossator.errors import IndexMismatchError
from glossator.probes.activation_index.progress import NEXT_STEP
from glossator.records.base import Record

FORMAT = 1
"""Version of the files; a change of meaning raises it."""


class IndexIdentity(Record):
    """Everything that decides what an index holds. Two indexes of one identity are equal."""

    format: int = FORMAT
    """Version of the files."""
    subject: str
    """SHA-256 of the subject's weights and configuration."""
    vocabulary: str
    """SHA-256 of the token texts."""
    dictionary: str
    """SHA-256 of the dictionary's kind, settings and weights."""
    corpus: str
    """SHA-256 of the documents that were read."""
    site: str
    """Where the dictionary reads, such as `12.resid`."""
    dtype: str
    """The precision of the activations, such as `bfloat16`."""
    context: int
    """The most tokens in a row, without the row prefix."""
    tokens: int | None
    """The limit on tokens; None for all."""

    @property
    def digest(self) -> str:
        """SHA-256 over all of it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def differences(self, other: IndexIdentity) -> dict[str, str]:
        """Fields in which `other` differs, each as `this, not that`."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in type(self).model_fields}
        return {name: f"{_short(a)}, not {_short(b)}" for name, (a, b) in pairs.items() if a != b}

    def require(self, wanted: IndexIdentity, path: Path) -> None:
        """Raise `IndexMismatchError`, naming what differs, unless this is `wanted`."""
        differing = self.differences(wanted)
        if differing:
            said = "; ".join(f"{name} is {text}" for name, text in differing.items())
            raise IndexMismatchError(
                f"the index in {str(path)!r} answers another question: its {said}. Choose another folder, "
                f"remove this one, or {NEXT_STEP} with the settings that it was built with"
            )


def _short(value: object) -> str:
    text = str(value)
    return repr(text[:12] + "…") if len(text) > 40 else repr(value)
