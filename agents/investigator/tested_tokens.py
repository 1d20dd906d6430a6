"""Texts that experiments run: read once, and put before predicates as the subject read them.

A predicate sees a text as it sees a row of the index: where the index's rows begin with a token that the
subject puts first (a beginning-of-text mark), one is put first here, too. What counts is what the index
counts: not the first position, no special tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from glossator.agents.investigator.reads_texts import ReadsTexts
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.text_activations import TextProfile
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.records import Predicate

_NOWHERE = DocumentInfo("", "", "")


class TestedTexts:
    """Profiles of one feature along texts, each text run once in this process."""

    __test__ = False  # pytest

    def __init__(self, activations: ReadsTexts, feature: int, like: TokenText) -> None:
        """`like` is the index's own text: how its rows begin, and which tokens are special."""
        self._activations, self._feature = activations, feature
        self._special = frozenset(like.vocabulary.texts[i] for i in like.vocabulary.special_ids)
        self._prefix = _row_prefix(like)
        self._profiles: dict[str, TextProfile] = {}

    def profiles(self, texts: Sequence[str]) -> list[TextProfile]:
        """One for each text, in order; those that were not run yet are run as one batch.

        Raises:
            UnknownNameError: there is no such feature.
            ProbeError: an activation is infinite or not a number.
        """
        new = [t for t in dict.fromkeys(texts) if t not in self._profiles]
        if new:
            found = self._activations.profiles(self._feature, new)
            self._profiles.update(zip(new, found, strict=True))
        return [self._profiles[t] for t in texts]

    def holds(self, predicate: Predicate, texts: Sequence[str]) -> Bool[np.ndarray, " texts"]:
        """Whether `predicate` holds at any token of each text that counts.

        Raises:
            UserError: if the predicate cannot be evaluated.
        """
        if not texts:
            return np.zeros(0, dtype=bool)
        stream = self._stream([p.tokens for p in self.profiles(texts)])
        held = evaluate(predicate, stream) & stream.eligible
        total = np.concatenate([[0], np.cumsum(held)])
        return total[stream.row_start[1:]] > total[stream.row_start[:-1]]

    def _stream(self, rows: Sequence[Sequence[str]]) -> TokenText:
        rows = [[*self._prefix, *row] for row in rows]
        number = {t: i for i, t in enumerate(dict.fromkeys(t for row in rows for t in row))}
        special = frozenset(i for t, i in number.items() if t in self._special)
        bounds = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        ids = np.array([number[t] for row in rows for t in row], dtype=np.int32)
        documents = np.zeros(len(rows), dtype=np.int32)
        return TokenText(ids, bounds, documents, [_NOWHERE], Vocabulary(tuple(number), special))


def _row_prefix(like: TokenText) -> tuple[str, ...]:
    """The special token that every row of the index begins with; none where they begin with text."""
    begins = like.row_start[:-1][np.diff(like.row_start) > 0]
    first = np.unique(like.ids[begins]) if len(begins) else np.zeros(0, np.int64)
    if len(first) != 1 or not like.vocabulary.special[first[0]]:
        return ()
    return (like.vocabulary.texts[int(first[0])],)
