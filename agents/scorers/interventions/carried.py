"""Whether continuations carry an explanation: at least one of their tokens satisfies its predicate.

The predicate sees the prompt before the continuation, so that one about what stands before a token can be
decided; only tokens of the continuation count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Int

from glossator.probes.interventions.prompt_batches import Prompt
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.records import Predicate


class ContinuedText:
    """Continuations after their prompts, as one token stream; each is a row and a document of its own."""

    def __init__(
        self, prompts: Sequence[Prompt], ids: Int[torch.Tensor, "rows tokens"], vocabulary: Vocabulary
    ) -> None:
        """Put together prompts and what follows each."""
        rows = [(*prompt, *own) for prompt, own in zip(prompts, ids.tolist(), strict=True)]
        bounds = np.cumsum([0, *map(len, rows)])
        self._tokens = ids.shape[1]
        self._ends = bounds[1:]
        self._text = TokenText(
            ids=np.array([token for row in rows for token in row], dtype=np.int64),
            row_start=bounds,
            row_document=np.arange(len(rows), dtype=np.int64),
            documents=[DocumentInfo(str(i), "", "") for i in range(len(rows))],
            vocabulary=vocabulary,
        )

    def carrying(self, predicate: Predicate | None) -> Bool[np.ndarray, " rows"]:
        """Which continuations carry it; none where there is no predicate.

        Raises:
            UserError: a pattern is not one that RE2 reads.
        """
        if predicate is None:
            return np.zeros(len(self._ends), dtype=bool)
        held = evaluate(predicate, self._text)
        own: np.ndarray = held[self._ends[:, None] - 1 - np.arange(self._tokens)]
        return own.max(axis=1)

    def shown(self) -> tuple[str, ...]:
        """The text of each continuation, without its prompt."""
        return tuple("".join(self._text.strings(int(end) - self._tokens, int(end))) for end in self._ends)
