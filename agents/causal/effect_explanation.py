"""What a feature causes, in words, by the embedded analyst: the concept's tokens as one noun phrase.

The predicate holds at the concept's tokens and at the same words written otherwise: with another case, at
the beginning of a line. Pieces of words and short tokens are taken as they are, for their variants are
other words (`"a"` within "banana" is not `" a"`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

import numpy as np

from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.effects import effects_evidence
from glossator.agents.embedded_analyst.set_wording import SetStyle
from glossator.agents.embedded_analyst.token_names import TokenKind, kind_of
from glossator.agents.embedded_analyst.word_families import WordFamilies
from glossator.agents.embedded_analyst.word_forms import WordForms
from glossator.agents.embedded_analyst.wording import LONGEST, shortened
from glossator.agents.scorers.room import ScoringRoom
from glossator.probes.vocabulary import Vocabulary
from glossator.probes.word_table import words_of
from glossator.records import EffectFindings, Explanation, ExplanationMethod, TokenIn

AUTHOR = "embedded-analyst/1"
LEAD = "makes the model write "
"""How the text of an explanation of an effect begins."""
_SHOWN = (5, 3, 2)
_SHORTEST = 3
_USUAL_WORDS = 400


def effect_explanation(
    bench: CausalBench,
    effects: EffectFindings,
    author: str = AUTHOR,
    *,
    tentative: Sequence[str] | None = None,
) -> Explanation | None:
    """The concept in plain words, and as a predicate; None where there is no concept.

    Args:
        bench: the run.
        effects: what was measured.
        author: who says so.
        tentative: what rises, whether beyond the null or not (`MeasuredEffects.concept.texts`), to be put
            into words instead: for measuring how such explanations score, never as a finding.
    """
    concept = effects.concept if tentative is None else tuple(tentative)
    if not concept:
        return None
    return Explanation.of(
        effects.feature,
        author,
        LEAD + _phrase(bench, effects, concept),
        TokenIn(tokens=written_otherwise(concept, bench.runs.subject.vocabulary)),
        evidence=(effects_evidence(bench, effects).id,),
        method=ExplanationMethod.EFFECTS,
    )


def claim_of(explanation: Explanation) -> str:
    """What an explanation of an effect says that the text holds: for readers of continuations."""
    return explanation.text.removeprefix(LEAD)


def written_otherwise(tokens: Sequence[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """`tokens`, and the tokens of the vocabulary that are the same words with another case or place."""
    known = set(vocabulary.texts)
    out = dict.fromkeys(tokens)
    for token in tokens:
        bare = token.strip()
        if len(bare) < _SHORTEST or not bare.isalpha() or kind_of(token) is not TokenKind.WORD:
            continue
        forms = (f" {bare.lower()}", f" {bare.capitalize()}", bare.capitalize(), f" {bare.upper()}")
        out |= dict.fromkeys(form for form in forms if form in known)
    return tuple(out)


def _phrase(bench: CausalBench, effects: EffectFindings, concept: Sequence[str]) -> str:
    """The concept's tokens as a noun phrase, those that carry most of the effect first."""
    moved = {shift.token: max(0.0, shift.steered * shift.change) for shift in effects.raised}
    weight: Mapping[str, float] = {token: moved.get(token, 0.0) for token in concept}
    forms, families = _words_of(bench.room)
    text = ""
    for shown in _SHOWN:
        style = SetStyle(forms, None if families is None else families.name, shown)
        text = style.tokens(concept, weight)
        if len(text) <= LONGEST:
            return text
    return shortened(text)


_KEPT: WeakKeyDictionary[ScoringRoom, tuple[WordForms, WordFamilies | None]] = WeakKeyDictionary()


def _words_of(room: ScoringRoom) -> tuple[WordForms, WordFamilies | None]:
    """How the words of `explore` are written, and what words have in common; kept with the room."""
    kept = _KEPT.get(room)
    if kept is None:
        words = words_of(room.explore.text)
        families = None
        if room.embedder is not None:
            count = np.bincount(words.word_of[words.word_of >= 0], minlength=len(words.words))
            frequent = np.argsort(-count, kind="stable")[:_USUAL_WORDS]
            families = WordFamilies(room.embedder, [words.words[i] for i in frequent.tolist()])
        kept = _KEPT[room] = (WordForms.of(words), families)
    return kept
