"""The tokens of a subject as text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool


@dataclass(frozen=True)
class Vocabulary:
    """Token texts by id, and which ids are special.

    `texts[i]` is what token `i` adds to a text, leading space included; a token that is only part
    of a UTF-8 character is given as `<0xE2>`-like escapes, a special token by its raw name.
    """

    texts: tuple[str, ...]
    special_ids: frozenset[int] = field(default_factory=frozenset)

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def special(self) -> Bool[np.ndarray, " vocab"]:
        """True for special tokens (beginning, end, padding, chat marks)."""
        mask = np.zeros(len(self.texts), dtype=bool)
        mask[list(self.special_ids)] = True
        return mask

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all texts and special ids."""
        digest = hashlib.sha256()
        for text in self.texts:
            raw = text.encode("utf-8", "surrogatepass")
            digest.update(len(raw).to_bytes(4, "little") + raw)
        digest.update(repr(sorted(self.special_ids)).encode())
        return digest.hexdigest()
