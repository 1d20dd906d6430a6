"""How each kind of evidence that no tool call made is measured again. A string is why it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import JsonValue

from glossator.agents.causal.ablation_run import ablation_by, run_ablation, run_attribution
from glossator.agents.causal.steering_run import SteeringAsked, run_steering
from glossator.agents.feature_preparation import FeaturePreparation
from glossator.agents.scorers import score_explanation
from glossator.agents.tools.causal_tools import ONE_AT_A_TIME, causal_work
from glossator.agents.tools.experiment_tools import run_texts
from glossator.agents.tools.workbench import Workbench
from glossator.records import Evidence, EvidenceKind, Experiment, MinimalContext

EMBEDDERS_QUESTIONS = frozenset({"predicate", "embedding", "detection"})
"""Scores that no language model reads."""


def again_texts(bench: Workbench, evidence: Evidence) -> Evidence | str:
    """The same texts, run and judged again."""
    stored = Experiment.model_validate(evidence.payload)
    texts = [t.text for t in stored.tested]
    expected = [t.expected.value for t in stored.tested]
    ran = run_texts(bench, evidence.feature.index, texts, expected, stored.hypothesis, "")
    tested = tuple(
        new.model_copy(update={"why": old.why}) for new, old in zip(ran.tested, stored.tested, strict=True)
    )
    fresh = ran.model_copy(update={"kind": stored.kind, "tested": tested})
    return _like(evidence, fresh.model_dump(mode="json"))


def again_minimal(bench: Workbench, evidence: Evidence) -> Evidence | str:
    """What was left of each text, and the whole of it, run again; the search itself is not repeated."""
    rows = evidence.payload if isinstance(evidence.payload, list) else []
    stored = [MinimalContext.model_validate(row) for row in rows]
    activations = bench.activations()
    wholes = activations.profiles(evidence.feature.index, [m.text for m in stored])
    kepts = activations.profiles(evidence.feature.index, [m.kept for m in stored])
    fresh = [
        m.model_copy(
            update={
                "tokens": kept.tokens,
                "activation": kept.activation,
                "share": kept.activation / max(whole.activation, 1e-9),
            }
        ).model_dump(mode="json")
        for m, whole, kept in zip(stored, wholes, kepts, strict=True)
    ]
    return _like(evidence, fresh)


def again_for_card(bench: Workbench, evidence: Evidence) -> Evidence | str:
    """Windows, statistics, output tokens and neighbours as a card has them."""
    preparation = prepared_by(bench)
    ref = evidence.feature
    shown = preparation.shown(ref, preparation.neighbours(ref))
    found = next((e for e in shown.evidence if e.kind is evidence.kind), None)
    if found is None:
        return f"a card holds no {evidence.kind.value} any more"
    changed = [key for key in evidence.recipe if evidence.recipe[key] != found.recipe.get(key)]
    if changed:
        told = ", ".join(f"{key} {evidence.recipe[key]!r}, now {found.recipe.get(key)!r}" for key in changed)
        return f"cards are measured otherwise now ({told[:200]}): label it again with --force"
    return found


def again_scored(bench: Workbench, evidence: Evidence) -> Evidence | str:
    """The score that a predicate or the embedder reads; what a model read stays as it answered."""
    recipe, ref = evidence.recipe, evidence.feature
    reader = str(recipe.get("reader", "predicate"))
    own = None if bench.embedder is None else bench.embedder.name
    if recipe.get("score") not in EMBEDDERS_QUESTIONS or reader not in ("predicate", "embedder", own):
        return (
            f"the score was read by {reader!r}: a model's answers are kept in the ledger and paid once, and "
            "the score is computed from them; ask it anew with glossator label --force and another --seed"
        )
    claims = {e.id: e for e in bench.ledger.explanations(ref)}
    claim = claims.get(str(recipe.get("explanation")))
    if claim is None:
        return f"the explanation {recipe.get('explanation')!r} that was scored is not in this ledger"
    preparation = prepared_by(bench)
    scored = score_explanation(preparation.room, claim, neighbours=preparation.neighbours(ref))
    what = ("score", "reader", "negatives", "threshold")
    for fresh in scored.evidence:
        if all(fresh.recipe.get(key) == recipe.get(key) for key in what):
            return fresh
    return f"its score ({recipe.get('score')}, {reader}) is no longer measured this way"


def again_by_command(bench: Workbench, evidence: Evidence) -> Evidence | str:
    """Steering, ablation or attribution with the arguments that the command had."""
    if bench.causal is None:
        return f"this subject cannot be steered here: {command_line(evidence)}"
    recipe = evidence.recipe
    work = causal_work(bench, evidence.feature.index, str(recipe["command"]))
    with ONE_AT_A_TIME:
        other = [k for k in ("measured", "site", "dtype") if work.recipe("").get(k) != recipe.get(k)]
        if other:
            return f"it was measured under other settings ({', '.join(other)}): {command_line(evidence)}"
        if recipe["command"] == "steer":
            made = run_steering(work, steering_asked(recipe)).evidence
        elif recipe["command"] == "ablate":
            made = run_ablation(work, str(recipe["text"]), ablation_by(str(recipe["by"]))).evidence
        else:
            token = recipe.get("token")
            made = run_attribution(work, str(recipe["text"]), None if token is None else str(token)).evidence
    return bench.ledger.evidence(made) or f"{made} was not stored"


def steering_asked(recipe: Mapping[str, Any]) -> SteeringAsked:
    """What `glossator steer` was given."""
    return SteeringAsked.checked(
        [str(p) for p in recipe["prompts"]],
        strength=str(recipe["strength"]),
        tokens=recipe["tokens"],
        samples=recipe["samples"],
        temperature=float(recipe["temperature"]),
        random_directions=recipe["random_directions"],
        positions=str(recipe["positions"]),
    )


def command_line(evidence: Evidence) -> str:
    """What to type to measure it again."""
    recipe, feature = evidence.recipe, evidence.feature.index
    if evidence.kind is EvidenceKind.STEERING:
        prompts = " ".join(repr(p) for p in cast("list[JsonValue]", recipe["prompts"]))
        return f"glossator steer {feature} {prompts} --strength {recipe['strength']}"
    token = f" --token {recipe['token']!r}" if recipe.get("token") is not None else ""
    return f"glossator {recipe['command']} {feature} --text {recipe['text']!r}{token}"


def prepared_by(bench: Workbench) -> FeaturePreparation:
    """What prepares cards over the bench's index."""
    return FeaturePreparation(
        bench.index, bench.dictionary(), bench.effects, embedder=bench.embedder, names=bench.names
    )


def _like(evidence: Evidence, payload: object) -> Evidence:
    return Evidence.of(evidence.feature, evidence.kind, evidence.recipe, payload)
