"""What a feature causes: texts continued with it turned up, and a text without it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from glossator.agents.causal.ablation import AblationFindings
from glossator.agents.causal.ablation_run import checked_text, run_ablation
from glossator.agents.causal.causal_work import CausalWork
from glossator.agents.causal.steering_run import SteeringAsked, SteeringFindings, StoredSteering, run_steering
from glossator.agents.tools.known_labels import called, known_labels
from glossator.agents.tools.measuring import require_count, require_feature, require_text, tool_of
from glossator.agents.tools.tool import AnyTool, Fact, ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.errors import ToolError
from glossator.probes.interventions.intervention import Ablation
from glossator.prompts.fence import neutral
from glossator.records import Finding, FindingKind, Record

STEER, ABLATE = "steer", "ablate"
MOST_PROMPTS = 5
TOKENS = 24
_TOLD_TOKENS = 5
ONE_AT_A_TIME = threading.Lock()
"""A causal bench is not for several threads at once."""


class Steer(Record):
    """What `steer` is given."""

    feature: int
    """The feature's number."""
    prompts: list[str]
    """Beginnings of texts to continue, 1 to 5, such as `I think that`."""
    strength: str = "auto"
    """`auto` (a next-token KL of 0.33 nats), a KL such as `kl=0.33`, or a multiple of the feature's largest
    activation such as `2x`; a minus turns it down: `-1x`."""


class Ablate(Record):
    """What `ablate` is given."""

    feature: int
    """The feature's number."""
    text: str
    """A text on which the feature fires, of at least two tokens."""


def causal_tools(bench: Workbench) -> list[AnyTool]:
    """The tools of this module over one bench."""
    return [
        tool_of(
            STEER,
            "Continues prompts with one feature turned up or down, beside the untouched subject and a random "
            "direction of the same length: shows what the feature causes. Takes seconds to a minute.",
            Steer,
            lambda given: steer(bench, given),
            slow=True,
        ),
        tool_of(
            ABLATE,
            "Takes one feature away from a text and measures which tokens become harder to predict: shows "
            "what the feature is needed for. Takes seconds.",
            Ablate,
            lambda given: ablate(bench, given),
            slow=True,
        ),
    ]


def causal_work(bench: Workbench, feature: int, tool: str) -> CausalWork:
    """Measurements of one feature; raises `ToolError` where there are no interventions."""
    if bench.causal is None:
        raise ToolError(
            "this subject cannot be steered here: use logit_effects for what the feature writes, and "
            "test_texts for what makes it fire"
        )
    return CausalWork(
        bench.ref(feature), bench.causal, lambda: bench.ledger, tool, lambda: {"seed": bench.seed}
    )


def steer(bench: Workbench, given: Steer) -> ToolResult:
    """Continue prompts with a feature turned up or down.

    Raises:
        ToolError: no such feature, too many or unfit prompts, an unreadable strength, or no interventions.

    """
    feature = require_feature(bench, given.feature)
    require_count(given.prompts, "prompts", MOST_PROMPTS)
    for prompt in given.prompts:
        require_text(prompt, "prompt")
    work = causal_work(bench, feature, STEER)
    asked = SteeringAsked.checked(
        given.prompts, strength=given.strength, tokens=TOKENS, samples=1, temperature=1.0,
        random_directions=1, positions="all",
    )  # fmt: skip
    with ONE_AT_A_TIME:
        stored = run_steering(work, asked)
    evidence = bench.ledger.evidence(stored.evidence)
    return ToolResult(
        tuple(_steering_facts(bench, stored)),
        () if evidence is None else (evidence,),
        findings=tuple(_effect(bench, feature, stored)),
    )


def _steering_facts(bench: Workbench, stored: StoredSteering) -> list[Fact]:
    found, feature = stored.findings, stored.findings.feature.index
    strength = found.strength
    told = [
        f"{called(known_labels(bench, [feature]), feature)} was turned to {strength.multiple:.3g} times its "
        f"largest activation, a mean next-token KL of {strength.kl_validate:.2g} nats on "
        f"{strength.n_validate} prompts of validate"
    ]
    for prompt in found.prompts:
        told += [
            f'"{neutral(prompt.prompt)}" continued {column.name}: "{neutral(c.text)}"'
            f"{_measured(column.kl, c.perplexity)}"
            for column in prompt.columns
            for c in column.continuations
        ]
    told += [f"feature {feature}, steering: {neutral(remark)}" for remark in found.remarks]
    told.append(
        f"feature {feature}, steering: each line is one sample, so they show what can happen, not how often"
    )
    return [Fact(words, stored.evidence, (feature,)) for words in told]


def _measured(kl: float | None, perplexity: float | None) -> str:
    numbers = [] if kl is None else [f"next-token KL {kl:.2g} nats"]
    numbers += [] if perplexity is None else [f"perplexity {perplexity:.3g} to the untouched subject"]
    return f" ({', '.join(numbers)})" if numbers else ""


def _effect(bench: Workbench, feature: int, stored: StoredSteering) -> list[Finding]:
    """What was known to rise, said once for later investigations; nothing where no effects are stored."""
    concept = _concept(stored.findings)
    if not concept:
        return []
    shares = [(p.columns[0].concept_share, p.columns[1].concept_share) for p in stored.findings.prompts]
    known = [(clean, steered) for clean, steered in shares if clean is not None and steered is not None]
    if not known:
        return []
    clean, steered = (sum(values) / len(known) for values in zip(*known, strict=True))
    text = (
        f"turned to {stored.findings.strength.multiple:.3g}x, {100 * steered:.0f} % of the tokens that it "
        f"writes are of its concept ({', '.join(concept[:4])}), {100 * clean:.0f} % without it"
    )
    return [
        Finding.of(
            *bench.names, (feature,), FindingKind.EFFECT, text[:500],
            evidence=(stored.evidence,), author="steer",
        )
    ]  # fmt: skip


def _concept(found: SteeringFindings) -> Sequence[str]:
    return [token.strip() for token in found.concept if token.strip()]


def ablate(bench: Workbench, given: Ablate) -> ToolResult:
    """Take a feature away from a text; raises `ToolError` as `steer` does."""
    feature = require_feature(bench, given.feature)
    text = checked_text(require_text(given.text))
    work = causal_work(bench, feature, ABLATE)
    with ONE_AT_A_TIME:
        stored = run_ablation(work, text, Ablation.ZERO)
    evidence = bench.ledger.evidence(stored.evidence)
    facts = [Fact(words, stored.evidence, (feature,)) for words in _ablation_words(feature, stored.findings)]
    return ToolResult(tuple(facts), () if evidence is None else (evidence,))


def _ablation_words(feature: int, found: AblationFindings) -> list[str]:
    if found.n_firing == 0:
        return [f"feature {feature} is silent on this text: there is nothing to take away, try another"]
    told = [
        f"without feature {feature} the text's loss goes from {found.clean:.3f} to {found.ablated:.3f} nats "
        f"a token; it fires on {found.n_firing} of {len(found.tokens)} tokens"
    ]
    worse = sorted(
        ((t.difference, t.token) for t in found.tokens if t.difference is not None and t.difference > 0),
        reverse=True,
    )
    if worse:
        listed = ", ".join(f'"{neutral(token)}" +{nats:.2f}' for nats, token in worse[:_TOLD_TOKENS])
        told.append(f"without feature {feature} these tokens are harder to predict, in nats: {listed}")
    for place in found.predictions[:3]:
        lost = ", ".join(f'"{neutral(s.token)}" {s.clean:.2g} to {s.steered:.2g}' for s in place.lost[:4])
        at = neutral(found.tokens[place.position].token)
        told.append(
            f'after "{at}", without feature {feature}, these next tokens lose probability: {lost or "none"} '
            f"(KL {place.kl:.2g} nats)"
        )
    return told
