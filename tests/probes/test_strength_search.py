"""Strengths against planted curves of KL, and against tiny subjects of every shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from jaxtyping import Float

from glossator.errors import ProbeError
from glossator.probes.interventions.intervention import AddVectors, Intervention
from glossator.probes.interventions.runs import InterventionRuns, Prompt
from glossator.probes.interventions.strength_search import (
    Steered,
    calibrate,
    kl_at,
    kl_of_targets,
    largest_safe_multiple,
    next_token_kl,
    with_sealed_kl,
)
from glossator.probes.tiny_subject import SHAPES, Shape, tiny_subject
from glossator.records import FeatureRef, SiteRef, StrengthCalibration

REF = FeatureRef(subject="planted", dictionary="planted", index=0)
PROMPTS: tuple[Prompt, ...] = ((1, 2, 3), (1, 4), (1, 5, 6))
TARGETS = (0.1, 0.33, 1.0, 3.0)
Curve = Callable[[float], float]


class PlantedRuns(InterventionRuns):
    """Two tokens, even when clean; the KL of each prompt is the curve at its multiple, times its share."""

    shares = (0.5, 1.0, 1.5)

    def __init__(self, curve: Curve, unit: float) -> None:
        super().__init__(tiny_subject())
        self.curve, self.unit, self.calls, self.rows = curve, unit, 0, 0

    def next_log_probs(
        self, prompts: Sequence[Prompt], intervention: Intervention | None = None
    ) -> Float[torch.Tensor, "rows vocab"]:
        self.calls, self.rows = self.calls + 1, self.rows + len(prompts)
        if intervention is None:
            return torch.full((len(prompts), 2), math.log(0.5))
        assert isinstance(intervention, AddVectors)
        assert len(intervention.vectors) == len(prompts)
        multiples = (intervention.vectors[:, 0] / self.unit).tolist()
        shares = [self.shares[PROMPTS.index(prompt)] for prompt in prompts]
        kls = [self.curve(m) * share for m, share in zip(multiples, shares, strict=True)]
        return torch.tensor([_row_of_kl(kl) for kl in kls], dtype=torch.float32)


def _row_of_kl(kl: float) -> tuple[float, float]:
    if math.isnan(kl):
        return (math.nan, math.nan)
    likely = (1 + math.sqrt(-math.expm1(-2 * kl))) / 2
    return (math.log(likely), -2 * kl - math.log(4) - math.log(likely))


def planted(
    curve: Curve, *, sign: int = 1, targets: Sequence[float] = TARGETS
) -> tuple[StrengthCalibration, PlantedRuns]:
    steered = Steered(REF, SiteRef.parse("1.resid"), torch.tensor([0.5, 0.0]), 4.0)
    runs = PlantedRuns(curve, unit=2.0)
    return calibrate(runs, PROMPTS, steered, sign=sign, targets=targets), runs


def test_kl_is_what_the_formula_gives() -> None:
    generator = torch.Generator().manual_seed(0)
    clean, steered = (torch.randn(5, 40, generator=generator) * 3 for _ in range(2))
    p, q = clean.double().softmax(-1), steered.double().softmax(-1)
    expected = (p * (p.log() - q.log())).sum(-1)
    found = next_token_kl(clean.log_softmax(-1), steered.log_softmax(-1))
    assert torch.allclose(found.double(), expected, rtol=1e-5)
    assert next_token_kl(clean.log_softmax(-1), clean.log_softmax(-1)).eq(0).all()


def test_kl_of_tokens_that_are_ruled_out() -> None:
    no = -math.inf
    clean = torch.tensor([[math.log(0.5), math.log(0.5), no]])
    assert float(next_token_kl(clean, clean)) == 0
    both = torch.tensor([[math.log(0.25), math.log(0.5), math.log(0.25)]])
    assert float(next_token_kl(clean, both)) == pytest.approx(0.5 * math.log(2))
    assert float(next_token_kl(both, clean)) == math.inf
    assert math.isnan(float(next_token_kl(clean, torch.full((1, 3), math.nan))))


@pytest.mark.parametrize("scale", [0.004, 0.3, 5.0, 60.0])
@pytest.mark.parametrize("power", [1.0, 2.0, 5.0])
def test_a_rising_curve(scale: float, power: float) -> None:
    found, runs = planted(lambda m: (m / scale) ** power if m >= 0 else math.nan)
    for target in found.targets:
        assert target.reached
        assert not target.reason
        assert target.kl == pytest.approx(target.target, rel=0.05)
        assert target.multiple == pytest.approx(scale * target.target ** (1 / power), rel=0.05)
    assert found.largest_safe is None
    assert runs.rows / len(PROMPTS) <= 30, "strengths measured"
    assert [p.multiple for p in found.curve] == sorted(p.multiple for p in found.curve)


def test_turned_down() -> None:
    found, _ = planted(lambda m: m * m if m <= 0 else math.nan, sign=-1)
    assert [t.multiple for t in found.targets] == pytest.approx([-math.sqrt(t) for t in TARGETS], rel=0.03)
    assert all(p.multiple < 0 for p in found.curve)
    assert found.sign == -1


def test_a_curve_that_rises_falls_and_rises_again() -> None:
    def curve(m: float) -> float:  # 1.5 at 1, 0.15 at 8, then up for good
        return 1.5 * math.exp(-(math.log(m) ** 2) / 0.8) + (m / 30) ** 2 + 0.05 * min(1.0, m)

    found, _ = planted(curve)
    by_target = {t.target: t for t in found.targets}
    assert all(t.reached for t in found.targets)
    assert curve(8) < 0.33
    for target in (0.1, 0.33, 1.0):
        assert by_target[target].multiple < 1, "the first of three crossings"
    assert by_target[3.0].multiple > 30


def test_a_curve_that_saturates_below_a_target() -> None:
    found, _ = planted(lambda m: 0.8 * (1 - math.exp(-m)))
    reached = {t.target: t.reached for t in found.targets}
    assert reached == {0.1: True, 0.33: True, 1.0: False, 3.0: False}
    for target in found.targets[2:]:
        assert target.kl == pytest.approx(0.8, rel=1e-3)
        assert target.reason.startswith("too weak at any strength up to 300")


def test_a_peak_between_grid_points_is_looked_at() -> None:
    found, _ = planted(lambda m: 1.05 * math.exp(-(math.log(m / 1.45) ** 2) / 0.5), targets=(1.0,))
    assert found.targets[0].reached
    assert found.targets[0].kl == pytest.approx(1.0, rel=0.1)


def test_a_curve_that_jumps_over_a_target() -> None:
    found, _ = planted(lambda m: 0.2 * m * m if m < 1.7 else 2.0 + 0.1 * m)
    by_target = {t.target: t for t in found.targets}
    assert [t.reached for t in found.targets] == [True, True, False, True]
    assert "jumps over it" in by_target[1.0].reason
    assert by_target[1.0].multiple == pytest.approx(1.7, rel=0.02)
    assert by_target[1.0].kl == pytest.approx(0.2 * 1.7**2, rel=0.05), "the nearer side, in logarithms"


def test_no_finite_numbers_above_a_strength() -> None:
    found, _ = planted(lambda m: 0.3 * m * m if m < 1.5 else math.nan)
    assert [t.reached for t in found.targets] == [True, True, False, False]
    assert found.largest_safe == pytest.approx(1.5, rel=0.02)
    assert found.largest_safe is not None
    assert found.largest_safe < 1.5
    assert "no finite numbers" in found.targets[2].reason
    assert found.targets[3].multiple == pytest.approx(1.5, rel=0.02)
    assert any(p.kl is None for p in found.curve)
    assert all(p.kl is None for p in found.curve if p.multiple >= 1.5)


def test_never_finite_never_anything_and_too_strong_everywhere() -> None:
    nowhere, _ = planted(lambda m: math.nan)
    assert nowhere.largest_safe == 0
    assert [(t.multiple, t.kl, t.reached) for t in nowhere.targets] == [(0, 0, False)] * 4
    nothing, _ = planted(lambda m: 0.0)
    assert not any(t.reached for t in nothing.targets)
    always, _ = planted(lambda m: 5.0)
    assert all("too strong even at" in t.reason for t in always.targets)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_safe_multiple(sign: int) -> None:
    steered = Steered(REF, SiteRef.parse("1.resid"), torch.tensor([0.5, 0.0]), 4.0)
    runs = PlantedRuns(lambda m: 0.1 if sign * m < 37 else math.nan, unit=2.0)
    found = largest_safe_multiple(runs, PROMPTS, steered, sign, 1e9)
    assert 37 / 1.021 < sign * found < 37
    assert largest_safe_multiple(runs, PROMPTS, steered, sign, 20.0) == sign * 20
    none = PlantedRuns(lambda m: math.nan, unit=2.0)
    assert largest_safe_multiple(none, PROMPTS, steered, sign, 1e9) == 0


def test_few_calls_for_all_targets_together() -> None:
    _, runs = planted(lambda m: m**2 / (1 + 0.2 * m))
    assert runs.calls <= 5


def test_kl_of_other_prompts_is_filled_in() -> None:
    found, runs = planted(lambda m: m * m)
    steered = Steered(REF, found.site, torch.tensor([0.5, 0.0]), 4.0)
    kls = kl_of_targets(runs, PROMPTS[:1], steered, found)
    assert kls == pytest.approx([0.5 * t.kl for t in found.targets], rel=1e-3)
    filled = with_sealed_kl(found, [*kls[:3].tolist(), math.nan])
    assert [t.kl_sealed for t in filled.targets] == [*kls[:3].tolist(), None]
    assert all(t.kl_sealed is None for t in found.targets)


def test_nothing_to_measure_on() -> None:
    steered = Steered(REF, SiteRef.parse("1.resid"), torch.tensor([0.5, 0.0]), 4.0)
    with pytest.raises(ProbeError, match="no prompts"):
        calibrate(PlantedRuns(abs, 2.0), (), steered)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["resid", "mlp_out"])
def test_tiny_subjects_reach_every_target_or_say_why(shape: Shape, kind: str) -> None:
    subject = tiny_subject(shape, seed=3)
    runs = InterventionRuns(subject)
    prompts = runs.prompts(["I think that", "the sea and the land", "abc", "for x in", "when it is"])
    direction = torch.randn(16, generator=torch.Generator().manual_seed(1))
    steered = Steered(REF, SiteRef.parse(f"1.{kind}"), direction, 2.0)
    targets = (0.01, 0.1, 0.33)
    found = calibrate(runs, prompts, steered, targets=targets)
    # Measured anew, and in other batches.
    again = [float(kl_at(runs, prompts, steered, [t.multiple]).mean(axis=1)[0]) for t in found.targets]
    for target, kl in zip(found.targets, again, strict=True):
        assert target.kl == pytest.approx(kl, rel=1e-3)
        assert target.reached == (abs(kl / target.target - 1) <= 0.1)
        assert bool(target.reason) != target.reached
    assert found.targets[0].reached
    assert found.targets[1].reached


def test_memory_is_bounded_by_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = InterventionRuns(tiny_subject())
    prompts = runs.prompts(["abc", "de f"])
    steered = Steered(REF, SiteRef.parse("1.resid"), torch.ones(16), 1.0)
    whole = kl_at(runs, prompts, steered, [0.5, 1.0, 2.0, 4.0])
    monkeypatch.setattr("glossator.probes.interventions.strength_search.CHUNK_CELLS", 1)
    parts = kl_at(runs, prompts, steered, [0.5, 1.0, 2.0, 4.0])
    np.testing.assert_allclose(parts, whole, rtol=1e-4)
    assert (np.diff(whole.mean(axis=1)) > 0).all()


def test_a_real_subject_that_overflows() -> None:
    runs = InterventionRuns(tiny_subject("gpt2"))  # its norm squares, so float32 ends near 1e19
    prompts = runs.prompts(["abc", "de f"])
    steered = Steered(REF, SiteRef.parse("1.resid"), torch.arange(16.0), 1.0)
    assert np.isnan(kl_at(runs, prompts, steered, [1.0, 1e25])).tolist() == [[False] * 2, [True] * 2]
    found = largest_safe_multiple(runs, prompts, steered, 1, 1e25)
    assert 1e15 < found < 1e25
    assert np.isfinite(kl_at(runs, prompts, steered, [found])).all()
    assert np.isnan(kl_at(runs, prompts, steered, [1.03 * found])).any()
