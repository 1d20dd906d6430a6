from __future__ import annotations

from glossator.agents.investigator.told_apart import told_apart
from glossator.records import (
    AllOf,
    FeatureRef,
    Hypothesis,
    HypothesisOrigin,
    Not,
    Preceded,
    Predicate,
    TokenIn,
    TokenMatches,
)

REF = FeatureRef(subject="s", dictionary="d", index=1)


def hypothesis(text: str, predicate: Predicate | None) -> Hypothesis:
    return Hypothesis.of(REF, text, predicate, author="a", origin=HypothesisOrigin.PROPOSED)


def test_only_those_that_read_alike_get_more_than_their_words() -> None:
    first = hypothesis("the word at", TokenIn(tokens=(" at",)))
    other = hypothesis("the word to", TokenIn(tokens=(" to",)))
    said = hypothesis("the word at", None)
    assert told_apart(first, [first, other]) == "the word at"
    assert told_apart(said, [first]) == "the word at"


def test_what_the_rule_has_more_and_less_is_named() -> None:
    first = hypothesis("the word at", TokenIn(tokens=(" at", " aT")))
    wider = hypothesis("the word at", TokenIn(tokens=(" at", "At", "at", "AT", "@", "à")))
    barred = Not(part=Preceded(by=TokenMatches(pattern="^ look")))
    narrower = hypothesis("the word at", AllOf(parts=(TokenIn(tokens=(" at", " aT")), barred)))
    assert told_apart(wider, [first]) == 'the word at [also "@", "AT", "At", "at" and 1 more; without " aT"]'
    assert told_apart(narrower, [first]) == 'the word at [also "^ look"]'
    again = hypothesis("the word at", AllOf(parts=(TokenIn(tokens=(" aT", " at")),)))
    assert told_apart(again, [first]) == "the word at [the same words in another rule]"
