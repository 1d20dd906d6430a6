"""What an investigation leaves behind does not contradict what it claims."""

from __future__ import annotations

from glossator.agents.investigator.findings import states
from glossator.records import (
    AllOf,
    ExceptionRegion,
    Explanation,
    FeatureRef,
    Followed,
    Not,
    Predicate,
    TokenIn,
)

REF = FeatureRef(subject="s", dictionary="d", index=1)
BARRED = Followed(by=TokenIn(tokens=(" ball",)))
EXCEPTION = ExceptionRegion(text='before "ball"', predicate=BARRED, n=4)


def claim(predicate: Predicate | None) -> Explanation:
    return Explanation.of(REF, "a", "drinks", predicate)


def test_an_exception_is_the_claims_own_only_if_its_rule_makes_it() -> None:
    drinks = TokenIn(tokens=(" tea", " punch"))
    assert states(claim(AllOf(parts=(drinks, Not(part=BARRED)))), EXCEPTION)
    assert not states(claim(drinks), EXCEPTION)
    assert not states(claim(AllOf(parts=(drinks, BARRED))), EXCEPTION)
    assert not states(claim(None), EXCEPTION)
    assert not states(None, EXCEPTION)
