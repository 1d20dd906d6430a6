"""What code makes of claims: struck, doubted or held up by what they cite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from glossator.agents.orchestrator.action import CallTool, DraftClaim
from glossator.agents.orchestrator.claims import check_claims, facts_as_claims, untold_facts
from glossator.agents.orchestrator.situation import Exchange, Gathered, Situation
from glossator.agents.tools.tool import Fact, ToolResult
from glossator.records import Claim, ClaimStanding, Evidence, EvidenceKind, FeatureRef
from tests.agents.orchestrator.request_fixtures import NAMES, Desk, desk, measured

FOUND = measured(
    (812, 1207), "feature 812 fires on 0.42 % of tokens (1,234 times)", "cosine of 0.314 to 1207"
)
CARD = measured((7,), "feature 7 is not labelled")
CALL = CallTool("search_by_meaning", {"text": "law"})


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as made:
        made.store.save_evidence(made.run, [*FOUND.evidence, *CARD.evidence])
        yield made


def checked(at: Desk, text: str, *cited: str, conversation: tuple[Exchange, ...] = ()) -> Claim:
    gathered = (Gathered(CALL, FOUND), Gathered(CallTool("feature_card", {"feature": 7}), CARD))
    situation = Situation("?", {}, gathered, conversation)
    [claim] = check_claims([DraftClaim(text, cited)], situation, at.store)
    return claim


@pytest.mark.parametrize(
    "text",
    [
        "feature 812 fires on 0.42 % of tokens",
        "feature 812 fires on 0.4 % of tokens",
        "feature 812 fires on a share of 0.0042",
        "features 812 and 1207 have a cosine of 0.31",
        "features 812 and 1207 have a cosine of about 0.3",
        "feature 812 fires 1,234 times",
        "feature 812 fires 1234 times",
        "2 features were found",
        "feature 812 is about law",
        "it is rare, see e-0123456789ab",
    ],
)
def test_what_follows_from_the_facts_is_supported(at: Desk, text: str) -> None:
    claim = checked(at, text, "F1", "F2")
    assert (claim.standing, claim.remark) == (ClaimStanding.SUPPORTED, "")
    assert claim.evidence == (FOUND.evidence[0].id,)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("feature 813 fires on 0.42 % of tokens", "does not speak of feature 813"),
        ("features 812, 7 are about law", "does not speak of feature 7"),
        ("feature 812 fires on 0.43 % of tokens", "does not hold the number 0.43"),
        ("feature 812 fires on 42 % of tokens", "does not hold the number 42"),
        ("feature 812 fires 1,235 times", "does not hold the number 1235"),
        ("cosine -0.31", "does not hold the number -0.31"),
        ("an F1 of 0.9 and 4 firings", "the number 0.9, 4"),
    ],
)
def test_what_does_not_is_doubted(at: Desk, text: str, why: str) -> None:
    claim = checked(at, text, "F1", "F2")
    assert claim.standing is ClaimStanding.DOUBTFUL
    assert why in claim.remark


def test_ids_that_do_not_exist_are_struck(at: Desk) -> None:
    claim = checked(at, "feature 812 is about law", "F1", "F77", "e-000000000000", "my own eyes")
    assert claim.standing is ClaimStanding.SUPPORTED
    assert claim.struck == ("F77", "e-000000000000", "my own eyes")
    nothing = checked(at, "feature 812 is about law", "e-000000000000")
    assert (nothing.standing, nothing.remark) == (ClaimStanding.UNSUPPORTED, "none of what it cites exists")
    assert checked(at, "all is well").remark == "it cites no evidence"


def test_a_fact_whose_evidence_was_not_stored_supports_nothing(at: Desk) -> None:
    lost = ToolResult((Fact("feature 3 fires", "e-aaaaaaaaaaaa", (3,)),), ())
    situation = Situation("?", {}, (Gathered(CALL, lost),))
    [claim] = check_claims([DraftClaim("feature 3 fires", ("F1",))], situation, at.store)
    assert claim.standing is ClaimStanding.UNSUPPORTED


def test_evidence_of_earlier_claims_and_of_the_ledger_can_be_cited(at: Desk) -> None:
    earlier = Claim(
        text="feature 812 fires on 0.42 % of tokens",
        evidence=(FOUND.evidence[0].id,),
        standing=ClaimStanding.SUPPORTED,
    )
    before = (Exchange("?", (earlier,), True),)
    assert checked(at, "feature 812: 0.42 %", "K1", conversation=before).standing is ClaimStanding.SUPPORTED
    assert checked(at, "feature 812: 0.42 %", "K2", conversation=before).struck == ("K2",)
    ref = FeatureRef(subject=NAMES.subject, dictionary=NAMES.dictionary, index=5)
    stored = Evidence.of(ref, EvidenceKind.STATISTICS, {}, {"density": 0.25})
    at.store.save_evidence(at.run, [stored])
    assert checked(at, "feature 5 fires on 25 % of tokens", stored.id).standing is ClaimStanding.SUPPORTED
    assert checked(at, "feature 5 fires on 26 % of tokens", stored.id).standing is ClaimStanding.DOUBTFUL
    assert checked(at, "feature 6 is alike", stored.id).standing is ClaimStanding.DOUBTFUL


def test_evidence_of_another_subject_supports_nothing(at: Desk) -> None:
    other = FeatureRef(subject="other", dictionary=NAMES.dictionary, index=812)
    stored = Evidence.of(other, EvidenceKind.STATISTICS, {}, {"density": 0.25})
    at.store.save_evidence(at.run, [stored])
    situation = Situation("?", {}, (Gathered(CALL, FOUND),))
    [claim] = check_claims([DraftClaim("feature 812 fires", (stored.id,))], situation, at.store, NAMES)
    assert claim.standing is ClaimStanding.DOUBTFUL
    assert "other/dictionary" in claim.remark


def test_facts_alone_are_claims_and_what_is_left_away_is_said() -> None:
    gathered = [Gathered(CALL, FOUND), Gathered(CALL, None, "broken"), Gathered(CALL, CARD)]
    assert [c.text for c in facts_as_claims(gathered, per_step=1)] == [
        FOUND.facts[0].text,
        CARD.facts[0].text,
    ]
    [untold] = untold_facts(gathered, per_step=1)
    assert untold == f'search_by_meaning(text="law"): 1 further facts, see {FOUND.evidence[0].id}'
