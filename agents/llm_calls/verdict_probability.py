"""How sure a model was of a verdict, from the probabilities of the token that says it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from glossator.agents.llm_calls.chat import AnswerToken, ChatReply
from glossator.agents.llm_calls.verdict_forms import WORDS

_DRESS = " \t\r\n\"'`*_[]{}():,.▁ĠĊ"


class VerdictTokens:
    """The tokens of one reply, found by where their text stands."""

    def __init__(self, reply: ChatReply) -> None:
        self._tokens = reply.tokens
        said = "".join(t.token for t in reply.tokens)
        self._shift = said.find(reply.text)
        """Endpoints strip the text's ends, not the tokens'. -1 where the tokens are not the text."""
        self._starts = list(accumulate((len(t.token) for t in reply.tokens), initial=0))[:-1]

    def probability(self, start: int) -> float | None:
        """P(1) / (P(0) + P(1)) at the token that says the verdict at `start`; None if it says neither."""
        if self._shift < 0 or not self._tokens:
            return None
        token = self._tokens[max(0, bisect_right(self._starts, start + self._shift) - 1)]
        return None if _verdict_of(token.token) is None else share_of_ones(token)


def share_of_ones(token: AnswerToken) -> float | None:
    """Of the probability that a token gives to any verdict, the share given to 1.

    Alternatives that are not listed count for nothing: a verdict missing among them is unlikelier than all.
    """
    said: Sequence[tuple[str, float]] = token.alternatives
    if token.token not in (t for t, _ in said):
        said = [*said, (token.token, token.logprob)]
    mass = {True: 0.0, False: 0.0}
    for text, logprob in said:
        fires = _verdict_of(text)
        if fires is not None and not math.isnan(logprob):
            mass[fires] += math.exp(min(logprob, 0.0))
    total = mass[True] + mass[False]
    return mass[True] / total if total > 0 else None


def _verdict_of(token: str) -> bool | None:
    return WORDS.get(token.strip(_DRESS).casefold())
