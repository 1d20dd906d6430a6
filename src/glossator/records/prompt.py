"""Which words a model was given: a prompt file's name, version and hash."""

from __future__ import annotations

from pydantic import Field

from glossator.records.base import Record


class PromptRef(Record):
    """One prompt file as it stood when it was used."""

    name: str
    """The file's name without its ending: `detection`, `explain_one_shot`."""
    version: int = Field(ge=1)
    """Raised by hand whenever its meaning changes."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the whole file, so that no change goes unnoticed."""
