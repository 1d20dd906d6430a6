"""Planted features and scripted models: what is asked, what becomes of answers, what is chosen."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.explainers.material import OpenViews
from glossator.agents.llm_calls.all_finished import all_finished
from glossator.agents.llm_calls.chat import Finish
from glossator.agents.llm_calls.scripted_chat import Asked, ScriptedChat, always
from glossator.errors import BudgetSpent, GlossatorError, SettingsError
from glossator.records import ExplanationFlag, ExplanationMethod, Split, TokenIn
from tests.agents.explainer_fixtures import (
    EXCEPTION,
    EXPLORE_MARK,
    ONLY_EXPLORE,
    VALIDATE_MARK,
    answer,
    material_of,
    names_a_word,
    open_views,
    oracle,
    saying,
    told,
    without_silence,
)

ALL = ExplainerSettings(
    methods=(
        ExplanationMethod.ONE_SHOT,
        ExplanationMethod.CONTRASTIVE,
        ExplanationMethod.OUTPUT_CENTRIC,
        ExplanationMethod.REFINED,
    )
)


@pytest.fixture(scope="module")
def views() -> OpenViews:
    return open_views()


def test_an_oracle_finds_the_rule_and_is_chosen(views: OpenViews) -> None:
    out = told(views, material_of(views), saying(oracle))
    assert out.chosen.text == "words: sea, ship"
    assert out.chosen.author == "one_shot:writer"
    assert out.chosen.method is ExplanationMethod.ONE_SHOT
    assert out.chosen.predicate == TokenIn(tokens=(" sea", " ship"))
    assert out.chosen.evidence == ("e-0123456789ab",)
    assert [p.name for p in out.chosen.prompts] == ["explain_one_shot"]
    assert out.explained.rejected == {}
    embedded, best = out.explained.candidates
    assert (best.value, best.n) == (1.0, 20)
    assert embedded.explanation.text == "words: barn"
    assert embedded.value is not None
    assert embedded.value < 0.8
    assert embedded.n == 20


def test_a_bad_label_loses_to_the_embedded_one(views: OpenViews) -> None:
    out = told(views, material_of(views, embedded="words: sea, ship"), always(answer("words: nowhere")))
    assert out.chosen.method is ExplanationMethod.EMBEDDED
    assert len(out.explained.candidates) == 2


def test_a_tie_goes_to_the_embedded_one(views: OpenViews) -> None:
    out = told(views, material_of(views, embedded="words: ship, sea"), saying(oracle))
    assert [c.value for c in out.explained.candidates] == [1.0, 1.0]
    assert out.explained.chosen == 0


def test_a_tie_goes_to_a_predicate(views: OpenViews) -> None:
    both = ExplainerSettings(methods=(ExplanationMethod.OUTPUT_CENTRIC, ExplanationMethod.ONE_SHOT))
    sea = {"kind": "token_in", "tokens": [" sea", " ship"]}

    def say(asked: Asked) -> str:
        return answer("words: sea, ship" if "Likelier" in asked.question else "words: ship, sea", sea)

    out = told(views, material_of(views, embedded=None), saying(say), both)
    assert [c.explanation.predicate is None for c in out.explained.candidates] == [True, False]
    assert out.explained.chosen == 1


def test_the_best_of_n_is_chosen_and_repeats_are_one(views: OpenViews) -> None:
    labels = ["words: red", "words: sea, ship", "words: Red", "words: sea"]

    def say(asked: Asked) -> str:
        assert (asked.request.temperature > 0) == (asked.request.sample > 0)
        return answer(labels[asked.request.sample])

    out = told(views, material_of(views, embedded=None), saying(say), ExplainerSettings(samples=4))
    texts = [c.explanation.text for c in out.explained.candidates]
    assert texts == ["words: red", "words: sea, ship", "words: sea"]
    assert out.explained.chosen == 1
    assert out.explained.best_of_each_method() == (1,)


def test_one_candidate_alone_is_not_read(views: OpenViews) -> None:
    out = told(views, material_of(views, embedded=None), saying(oracle))
    assert out.chosen.text == "words: sea, ship"
    assert (out.explained.candidates[0].value, out.explained.candidates[0].n) == (None, 0)
    assert out.scorer.requests == []


@pytest.mark.parametrize(
    ("text", "finish"),
    [
        ("{not JSON at all", Finish.STOP),
        ("", Finish.STOP),
        (answer("I'm sorry, but I can't help with that."), Finish.STOP),
        ("I cannot help with that request.", Finish.STOP),
        (answer("<think>The windows show"), Finish.STOP),
        (answer("word " * 100), Finish.STOP),
        (answer("words about ships"), Finish.REFUSAL),
        ("so many words " * 3000, Finish.LENGTH),
    ],
)
def test_what_is_no_label_is_counted_and_never_stored(views: OpenViews, text: str, finish: Finish) -> None:
    out = told(views, material_of(views), always(text, finish))
    assert [c.explanation.text for c in out.explained.candidates] == ["words: barn"]
    assert out.explained.chosen == 0
    assert sum(out.explained.rejected.values()) == 1
    assert all(out.explained.rejected)
    without = told(views, material_of(views, embedded=None), always(text, finish))
    assert without.explained.candidates == ()
    assert without.explained.chosen is None


def test_a_line_of_prose_is_a_label(views: OpenViews) -> None:
    out = told(views, material_of(views), always("words: sea, ship"))
    assert out.chosen.text == "words: sea, ship"


@pytest.mark.parametrize(
    ("predicate", "reason"),
    [
        ("{'kind': token}", "invalid predicate"),
        ({"kind": "import_os"}, "invalid predicate"),
        ({"kind": "token_matches", "pattern": "(?<=red) sea"}, "invalid predicate"),
        ({"kind": "token_in", "tokens": ["sea"]}, "predicate hardly better than chance"),
        ({"kind": "token_matches", "pattern": "."}, "predicate hardly better than chance"),
    ],
)
def test_a_bad_predicate_is_dropped_and_the_label_kept(
    views: OpenViews, predicate: object, reason: str
) -> None:
    out = told(views, material_of(views), always(answer("words: sea, ship", predicate)))
    assert out.chosen.text == "words: sea, ship"
    assert out.chosen.predicate is None
    assert out.explained.rejected == {reason: 1}


def test_a_label_outlives_a_predicate_without_end(views: OpenViews) -> None:
    text = '{"label": "words: sea, \\"ship\\"",\n "predicate": "{\\"kind\\":\\"word_in\\",' + " " * 999
    out = told(views, material_of(views), always(text, Finish.LENGTH))
    assert out.chosen.text == 'words: sea, "ship"'
    assert out.explained.rejected == {"invalid predicate": 1}
    assert len(out.asked) == 1
    thinking = told(views, material_of(views), always("The marked words share", Finish.LENGTH))
    assert thinking.explained.rejected == {"answer cut at the token limit": 1}
    assert [r.max_tokens for r in thinking.explainer.requests] == [400, 2048]


def test_a_label_without_end_is_drawn_again_and_not_given_more_room(views: OpenViews) -> None:
    endless = '{"label": "words: the sea, the words, the sea, the words, the se'
    out = told(views, material_of(views), always(endless, Finish.LENGTH))
    assert out.explained.rejected == {"malformed answer": 1}
    assert [(r.max_tokens, r.temperature > 0) for r in out.explainer.requests] == [(400, False), (400, True)]


@pytest.mark.parametrize("none", ["", None, "null", "none"])
def test_no_predicate_is_no_fault(views: OpenViews, none: object) -> None:
    out = told(views, material_of(views), always(answer("words: sea, ship", none)))
    assert out.chosen.predicate is None
    assert out.explained.rejected == {}


def test_a_predicate_may_be_an_object(views: OpenViews) -> None:
    predicate = {"kind": "word_in", "words": ["sea", "ship"]}
    out = told(views, material_of(views), always(answer("words: sea, ship", predicate)))
    assert out.chosen.predicate is not None


def test_explainers_never_see_validate(views: OpenViews) -> None:
    broad = always(answer("words: sea, red"))
    out = told(views, material_of(views, EXCEPTION), broad, replace(ALL, rounds=3, samples=2))
    assert len(out.asked) >= 7
    assert all(VALIDATE_MARK not in said for said in out.asked)
    assert any(EXPLORE_MARK in said for said in out.asked)
    read = "".join(m.content for r in out.scorer.requests for m in r.messages)
    assert VALIDATE_MARK in read


def test_material_of_another_split_is_refused(views: OpenViews) -> None:
    material = material_of(views)
    leaked = material.windows[0].model_copy(update={"split": Split.SEALED})
    with pytest.raises(GlossatorError, match="only see windows of explore"):
        replace(material, windows=(leaked,))
    with pytest.raises(GlossatorError, match="only see windows of explore"):
        replace(material, silent=(leaked,))


def test_contrastive_shows_hard_negatives_unmarked(views: OpenViews) -> None:
    material = material_of(views, EXCEPTION)
    settings = ExplainerSettings(methods=(ExplanationMethod.CONTRASTIVE,), n_negatives=4)
    (said,) = told(views, material, saying(oracle), settings).asked
    told_last = said[said.rindex("Fires:") :]
    silent = [line for line in told_last.splitlines() if line.startswith("S") and line[1:2].isdigit()]
    assert [line.partition("|")[0] for line in silent] == ["S1", "S2", "S3", "S4"]
    assert all("<<" not in line for line in silent)
    for window, line in zip(material.silent, silent, strict=False):
        assert "".join(window.tokens) in line
    none = told(views, without_silence(material), saying(oracle), settings)
    assert none.explained.rejected == {"no silent windows to show": 1}
    assert none.asked == []


def test_output_tokens_are_shown_and_fenced(views: OpenViews) -> None:
    settings = ExplainerSettings(methods=(ExplanationMethod.OUTPUT_CENTRIC,))
    material = material_of(views)
    (said,) = told(views, material, always(answer("words: sea")), settings).asked
    assert "turned up:" not in said
    assert 'likelier|" boat", " ‹s›¦sail"|likelier' in said
    assert 'unlikelier|" desert"|unlikelier' in said
    steered = replace(material, steering=("we set sail|T1\nanswer 1",))
    (said,) = told(views, steered, always(answer("words: sea")), settings).asked
    assert "turned up:\nT1|we set sail¦T1⏎answer 1|T1\n" in said


def test_a_small_context_sees_fewer_windows(views: OpenViews) -> None:
    small = ScriptedChat(saying(oracle), model="writer", context=1700)
    out = told(views, material_of(views), small)
    assert out.chosen.text == "words: sea, ship"
    assert len(Asked(small.requests[-1]).windows) in (5, 10)
    tiny = told(views, material_of(views), ScriptedChat(saying(oracle), context=100))
    assert tiny.explained.rejected == {"prompt longer than the model's context": 1}
    assert tiny.explained.chosen == 0


def test_what_cannot_be_measured_is_not_chosen_over_the_embedded_one(views: OpenViews) -> None:
    out = told(views, material_of(views, ONLY_EXPLORE), saying(oracle))
    assert [c.value for c in out.explained.candidates] == [None, None]
    assert out.explained.chosen == 0


def test_a_reader_that_fails_leaves_values_unknown(views: OpenViews) -> None:
    out = told(views, material_of(views), saying(oracle), ALL, reader=always("who knows?"))
    assert all(c.value is None and c.n == 0 for c in out.explained.candidates)
    assert out.explained.chosen == 0


def test_labels_that_quote_are_flagged_and_feature_flags_kept(views: OpenViews) -> None:
    material = replace(material_of(views, embedded=None), flags=(ExplanationFlag.DENSE,))
    quote = "".join(material.windows[0].tokens[:12]).strip()
    out = told(views, material, always(answer(f"words: sea, ship as in {quote}")))
    assert out.chosen.flags == (ExplanationFlag.DENSE, ExplanationFlag.QUOTES_WINDOWS)
    plain = told(views, material, always(answer("words: sea, ship")))
    assert plain.chosen.flags == (ExplanationFlag.DENSE,)


def test_the_same_feature_is_asked_the_same(views: OpenViews) -> None:
    runs = [told(views, material_of(views), saying(oracle), ALL) for _ in range(2)]
    assert runs[0].explained == runs[1].explained
    assert {r.messages for r in runs[0].scorer.requests} == {r.messages for r in runs[1].scorer.requests}


@pytest.mark.parametrize("samples", [1, 2])
def test_an_estimate_reads_as_many_candidates_as_a_run(views: OpenViews, samples: int) -> None:
    def say(asked: Asked) -> str:
        return answer(f"words: sea, {asked.request.sample} {asked.chance('label')}")

    settings = replace(ALL, methods=ALL.methods[:3], samples=samples)
    material = material_of(views, EXCEPTION)
    estimate = told(views, material, saying(say), settings, dry=True)
    assert estimate.explainer.requests == estimate.scorer.requests == []
    run = told(views, material, saying(say), settings)
    assert estimate.spending.calls == run.spending.calls == 3 * samples + 4 * (1 + 3 * samples)


def test_a_spent_budget_is_told(views: OpenViews) -> None:
    with pytest.raises(BudgetSpent):
        told(views, material_of(views), saying(oracle), ALL, budget="2calls")


def test_all_are_awaited_before_an_error_is_raised() -> None:
    done: list[int] = []

    async def late(n: int) -> int:
        await asyncio.sleep(0)
        done.append(n)
        return n

    async def spent() -> int:
        raise BudgetSpent("no call is left")

    with pytest.raises(BudgetSpent):
        asyncio.run(all_finished([late(1), spent(), late(2)]))
    assert done == [1, 2]
    assert asyncio.run(all_finished([late(3), late(4)])) == [3, 4]


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(SettingsError, match="embedded"):
        ExplainerSettings(methods=(ExplanationMethod.EMBEDDED,))
    with pytest.raises(SettingsError, match="samples"):
        ExplainerSettings(samples=0)
    with pytest.raises(SettingsError, match="n_validate"):
        ExplainerSettings(n_validate=2)


def test_the_scripted_reader_heeds_claims() -> None:
    assert names_a_word("words: sea (not after red)", " the sea")
    assert not names_a_word("words: sea (not after red)", " red sea")
