"""Scores over a built index: the seal opened for real, and no sealed word in anything that comes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from glossator.agents.scorers import FeatureNeighbours, open_scoring_room, score_explanation
from glossator.agents.verdict import decide
from glossator.probes.activation_index.build import build_index
from glossator.records import Explanation, FeatureRef, Split, TokenIn, VerdictKind
from tests.probes.index_fixtures import ReluDictionary, WordSubject, word_documents


@pytest.mark.parametrize("feature", [0, 19])
def test_scores_over_an_index_hold_no_sealed_word(tmp_path: Path, feature: int) -> None:
    documents = word_documents(count=120)
    index = build_index(tmp_path, WordSubject(), ReluDictionary(), documents, context=64)
    room = open_scoring_room(index)
    sealed = {d.id for d in room.sealed.text.documents}
    assert room.sealed.split is Split.SEALED
    assert sealed
    assert not sealed & {d.id for d in (*index.explore.text.documents, *index.validate.text.documents)}

    ref = FeatureRef(subject="words", dictionary="relu", index=feature)
    label = Explanation.of(ref, "test", "a word", TokenIn(tokens=(" w1", " w2")))
    scored = score_explanation(room, label, neighbours=FeatureNeighbours((1, 2), (3,)))
    said = " ".join(
        [*(s.model_dump_json() for s in scored.scores), *(e.model_dump_json() for e in scored.evidence)]
    )
    assert not re.search(r"\bw\d+\b", said)
    assert all(s.split is Split.SEALED for s in scored.scores)
    named = {str(d) for e in scored.evidence for d in _documents(e.payload)}
    assert named <= sealed
    verdict = decide(room.facts(ref), label, scored.scores)
    assert verdict.kind is VerdictKind.ABSTAINED
    assert ("dead" in verdict.reason) == (feature == 19)


def _documents(payload: object) -> list[object]:
    return list(payload.get("documents", [])) if isinstance(payload, dict) else []
