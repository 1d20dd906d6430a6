"""One steering of given prompts, from the words of the command line to stored evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from glossator.agents.causal.causal_work import CausalWork
from glossator.agents.causal.steering import SteeredPrompt, SteeringSettings, steer_prompts
from glossator.agents.causal.steering_strength import POSITIONS, StrengthUsed, resolve_strength, unsafe
from glossator.errors import ProbeError, SettingsError, UserError
from glossator.probes.interventions.strength_text import parse_strength
from glossator.records import EvidenceKind, FeatureRef, Record, SiteRef

_FAR = 2.0
"""Where the KL at a prompt is so many times above or below that on `validate`, the user is told."""


class SteeringFindings(Record):
    """Prompts continued side by side, with everything that was chosen on the way."""

    feature: FeatureRef
    """The feature."""
    site: SiteRef
    """Where its direction was added."""
    strength: StrengthUsed
    """How strongly."""
    positions: str
    """`all`, `last` or `generated`."""
    temperature: float
    """0 takes the likeliest token."""
    seed: int
    """Of random numbers and random directions."""
    concept: tuple[str, ...]
    """Tokens that the feature is known to raise; empty where its effects were not measured."""
    prompts: tuple[SteeredPrompt, ...]
    """Each prompt with its columns."""
    remarks: tuple[str, ...]
    """What a reader must know to judge them."""


class SteeringAsked(NamedTuple):
    """What the command was given, checked as far as that needs no model."""

    prompts: tuple[str, ...]
    strength: str
    positions: str
    settings: SteeringSettings

    @classmethod
    def checked(
        cls,
        prompts: Sequence[str],
        *,
        strength: str,
        tokens: int,
        samples: int,
        temperature: float,
        random_directions: int,
        positions: str,
    ) -> SteeringAsked:
        """Raises `UserError` for an empty prompt, an unreadable strength or unknown positions."""
        if any(not prompt.strip() for prompt in prompts):
            raise UserError("a prompt is empty: give the beginning of a text, such as 'I think that'")
        if parse_strength(strength).multiple == 0:
            raise UserError(
                f"the strength {strength!r} is 0, which changes nothing: give auto, 2x or kl=0.33"
            )
        if positions not in POSITIONS:
            raise SettingsError(f"unknown --positions {positions!r}: choose one of {', '.join(POSITIONS)}")
        settings = SteeringSettings(tokens, samples, temperature, random_directions, POSITIONS[positions])
        return cls(tuple(prompts), strength, positions, settings)


@runtime_checkable
class StagedProgress(Protocol):
    """Hears how far long work has come."""

    def stage(self, name: str, unit: str) -> None:
        """What begins, and what is counted."""
        ...

    def advance(self, done: int, total: int | None) -> None:
        """What is done of how much."""
        ...


class _Silent:
    def stage(self, name: str, unit: str) -> None: ...
    def advance(self, done: int, total: int | None) -> None: ...


class StoredSteering(NamedTuple):
    """Findings, and the id that they are stored under."""

    findings: SteeringFindings
    evidence: str


def run_steering(
    causal: CausalWork, asked: SteeringAsked, progress: StagedProgress | None = None
) -> StoredSteering:
    """Find the strength, continue the prompts and store what came out.

    Raises:
        UserError: the feature never fires, a prompt does not fit, or the strength is not safe.

    """
    settings = asked.settings._replace(seed=causal.bench.settings.seed)
    causal.bench.runs.prompts(asked.prompts)  # before a search for nothing
    steered = causal.steered
    progress = progress or _Silent()
    progress.stage("finding the strength", "features")
    strength = resolve_strength(causal, asked.strength, settings.positions)
    progress.advance(1, 1)
    known = causal.known_findings()
    concept = () if known is None else known.effects.concept
    progress.stage("continuing", "prompts")
    try:
        prompts = steer_prompts(
            causal.bench.runs, steered, asked.prompts, strength.multiple, settings, concept
        )
    except ProbeError as error:
        if causal.bench.runs.next_log_probs(causal.bench.runs.prompts(asked.prompts)).isnan().any():
            raise
        raise unsafe(causal, causal.bench.runs.prompts(asked.prompts), strength.multiple) from error
    progress.advance(len(prompts), len(prompts))
    findings = SteeringFindings(
        feature=causal.ref, site=steered.site, strength=strength, positions=asked.positions,
        temperature=settings.temperature, seed=settings.seed, concept=concept, prompts=prompts,
        remarks=tuple(_remarks(strength, prompts, concept, causal.ref.index)),
    )  # fmt: skip
    recipe = causal.recipe(
        "steer", prompts=list(asked.prompts), strength=asked.strength, multiple=strength.multiple,
        positions=asked.positions, tokens=settings.tokens, samples=settings.samples,
        temperature=settings.temperature, random_directions=settings.random_directions,
    )  # fmt: skip
    evidence = causal.evidence(EvidenceKind.STEERING, recipe, findings.model_dump(mode="json"))
    causal.store(recipe, [evidence])
    return StoredSteering(findings, evidence.id)


def _remarks(
    strength: StrengthUsed, prompts: Sequence[SteeredPrompt], concept: Sequence[str], feature: int
) -> list[str]:
    said: list[str] = []
    target = strength.target
    if target is not None and not target.reached:
        said.append(
            f"a next-token KL of {target.target:g} was not reached ({target.reason}): the nearest is "
            f"{target.kl:.2g} at {target.multiple:.3g}x"
        )
    for prompt in prompts:
        kl = prompt.columns[1].kl
        if kl is not None and not 1 / _FAR <= (kl + 1e-9) / (strength.kl_validate + 1e-9) <= _FAR:
            weaker = "weaker" if kl < strength.kl_validate else "stronger"
            said.append(
                f"at {prompt.prompt!r} the next token moves by {kl:.2g} nats, {weaker} than the "
                f"{strength.kl_validate:.2g} nats of the prompts that the strength was measured on"
            )
    if not concept:
        said.append(f"what the feature raises is not known yet: glossator effects {feature}")
    return said
