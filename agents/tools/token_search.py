"""Finding features by the token or word that their activation lies on, over the whole of `explore`."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from glossator.agents.tools.known_labels import called, known_labels, label_row
from glossator.agents.tools.measuring import number, of_dictionary, paged, percent, require_text, tool_of
from glossator.agents.tools.tool import AnyTool, Fact, ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.errors import ToolError
from glossator.probes.activation_index.position_mass import PositionMass
from glossator.probes.token_text import TokenText
from glossator.probes.word_table import fold, words_of
from glossator.prompts.fence import neutral
from glossator.records import EvidenceKind, Record

NAME = "search_by_token"
_FEWEST = 3
"""Firings on the token below which a feature is not listed: one or two say nothing."""
_LONGEST = 100
_DOUBT = 2.0
"""Firings elsewhere that every feature is thought to have, so that few firings do not come first."""


class SearchByToken(Record):
    """What `search_by_token` is given."""

    token: str
    """A token or a single word, such as `court` or `(`; case and a leading space do not matter."""
    page: int = 1
    """Which ten results, from 1."""


def token_search_tools(bench: Workbench) -> list[AnyTool]:
    """The tool of this module over one bench."""
    return [
        tool_of(
            NAME,
            "Finds the features whose activation in the corpus lies most on one token or word, labelled or "
            "not. For several words, call it for each, or use search_by_text.",
            SearchByToken,
            lambda given: by_token(bench, given),
        )
    ]


def by_token(bench: Workbench, given: SearchByToken) -> ToolResult:
    """Features by the share of their activation that lies on a token.

    Raises:
        ToolError: the token is empty or too long, or `explore` does not hold it, or hardly any feature fires.

    """
    token = require_text(given.token, "token")
    if len(token) > _LONGEST:
        raise ToolError(f"the token has {len(token)} characters: give one word, of at most {_LONGEST}")
    text = bench.index.explore.text
    chosen = _positions(text, token) & text.eligible
    occurrences, eligible = int(np.count_nonzero(chosen)), int(np.count_nonzero(text.eligible))
    if not occurrences:
        raise ToolError(
            f"{neutral(token)!r} is no token or word of the explore split, as far as it may be evidence: try "
            "another form of the word, or search_by_text with a text that holds it"
        )
    mass = bench.index.mass_on(chosen)
    order = _order(mass)
    page = paged(order.tolist(), given.page, "features that fire on it")
    labels = known_labels(bench, page.rows)
    base = occurrences / max(eligible, 1)
    shares = mass.share
    share = {f: float(shares[f]) for f in page.rows}
    rows = [
        {
            **label_row(labels, f),
            "share": number(share[f]),
            "lift": number(share[f] / base),
            "hits": int(mass.hits[f]),
        }
        for f in page.rows
    ]
    payload = {"occurrences": occurrences, "tokens": eligible, "found": len(order), "rows": rows}
    evidence = of_dictionary(bench, page.rows, EvidenceKind.SEARCH, NAME, given, payload)
    shown = neutral(token)
    facts = [
        Fact(
            f'{called(labels, f)}: {percent(share[f])} of its activation lies on "{shown}", '
            f"{share[f] / base:.3g} times the token's share of the corpus; it fires on "
            f"{mass.hits[f]:,} of {occurrences:,} occurrences",
            evidence.id,
            (f,),
        )
        for f in page.rows
    ]
    summary = (
        f'"{shown}" stands {occurrences:,} times in {eligible:,} tokens of explore; {len(order):,} features '
        f"fire there at least {_FEWEST} times"
    )
    return ToolResult((*facts, Fact(summary, evidence.id)), (evidence,), page.left_out)


def _order(mass: PositionMass) -> np.ndarray:
    """Features by share of activation, doubted where it rests on few firings."""
    sure = mass.share * mass.hits / (mass.hits + _DOUBT)
    found = np.flatnonzero(mass.hits >= _FEWEST)
    return found[np.argsort(-sure[found], kind="stable")]


def _positions(text: TokenText, token: str) -> Bool[np.ndarray, " tokens"]:
    """Where the token stands, or any token of the word: compared without case and surrounding space."""
    wanted = token.strip().casefold() if token.strip() else token
    vocabulary = text.vocabulary.texts
    same = [t == token or (bool(t.strip()) and t.strip().casefold() == wanted) for t in vocabulary]
    chosen = np.array(same, dtype=bool)[text.ids]
    words = words_of(text)
    number_of = words.number_of.get(fold(wanted))
    return chosen if number_of is None else chosen | (words.word_of == number_of)
