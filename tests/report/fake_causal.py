"""Made-up causal findings: curves of a plausible shape, with the awkward cases in them."""

from __future__ import annotations

from glossator.records import (
    Baseline,
    BaselineName,
    CausalFindings,
    ContextFamily,
    DosePoint,
    EffectFindings,
    Explanation,
    ExplanationMethod,
    FeatureRef,
    FeatureRole,
    Interval,
    InterventionScore,
    KlPoint,
    KlTarget,
    Metric,
    Negatives,
    RoleFinding,
    Score,
    ScoreMethod,
    SiteRef,
    Split,
    StrengthCalibration,
    StressCell,
    StressCheck,
    StressReport,
    TokenShift,
)

REF = FeatureRef(subject="smollm2-135m", dictionary="12-resid-4k", index=2746)
LEVELS = (-1.0, -0.33, 0.1, 0.33, 1.0, 3.0)


def interval(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, method="bootstrap over prompts")


def fake_calibration(sign: int = 1) -> StrengthCalibration:
    """Up reaches all but the highest target and breaks above 9; down is too weak for two."""
    strengths = (0.1, 0.2, 0.4, 0.8, 1.2, 1.7, 2.6, 3.9, 5.8, 8.8) if sign > 0 else (0.2, 0.5, 1.1, 2.4, 5.0)
    gain = 0.32 if sign > 0 else 0.05
    curve = [KlPoint(multiple=sign * m, kl=gain * m**1.45 / (1 + 0.03 * m**2)) for m in strengths]
    if sign > 0:
        curve.append(KlPoint(multiple=13.0, kl=None))
        reached = ((0.1, 0.45, 0.101), (0.33, 1.02, 0.327), (1.0, 2.25, 1.01))
    else:
        reached = ((0.1, -1.65, 0.099), (0.33, -4.4, 0.318))
    targets = [
        KlTarget(target=t, multiple=m, kl=k, kl_sealed=k * 0.94 if sign > 0 else None, reached=True)
        for t, m, k in reached
    ]
    missed = (3.0,) if sign > 0 else (1.0, 3.0)
    last = [p for p in curve if p.kl is not None][-1]
    for target in missed:
        assert last.kl is not None
        targets.append(
            KlTarget(
                target=target,
                multiple=last.multiple,
                kl=last.kl,
                reached=False,
                reason="too weak at any safe strength",
            )
        )
    return StrengthCalibration(
        feature=REF,
        site=SiteRef.parse("12.resid"),
        sign=sign,
        max_activation=24.5,
        direction_norm=1.0,
        curve=tuple(curve),
        targets=tuple(targets),
        largest_safe=8.8 if sign > 0 else None,
        n_prompts=24,
        tolerance=0.1,
    )


def fake_effects() -> EffectFindings:
    dose = tuple(
        DosePoint(
            multiple=m,
            kl=kl,
            change=change,
            interval=interval(change - half, change + half),
            null_low=-null,
            null_high=null * 0.9,
        )
        for m, kl, change, half, null in (
            (-4.4, 0.32, -0.42, 0.5, 0.55),
            (-1.65, 0.1, -0.35, 0.3, 0.3),
            (0.45, 0.1, 0.61, 0.18, 0.22),
            (1.02, 0.33, 1.34, 0.27, 0.4),
            (2.25, 1.0, 2.71, 0.42, 0.7),
            (8.8, 2.4, 3.05, 0.9, 1.1),
        )
    )
    raised = ((" morning", 2.9, 0.004, 0.06), (" evening", 2.6, 0.003, 0.031), ("<b>", 1.2, 0.001, 0.004))
    lowered = ((" house", -1.4, 0.02, 0.006), ("\n", -0.8, 0.1, 0.05))
    return EffectFindings(
        feature=REF,
        multiple=2.25,
        kl=1.01,
        n_prompts=24,
        split=Split.VALIDATE,
        raised=tuple(TokenShift(token=t, change=c, clean=a, steered=b) for t, c, a, b in raised),
        lowered=tuple(TokenShift(token=t, change=c, clean=a, steered=b) for t, c, a, b in lowered),
        concept=(" morning", " evening", " night"),
        beyond_null=True,
        dose=dose,
    )


def fake_explanation(text: str = "parts of the day, such as “morning” and “evening”") -> Explanation:
    return Explanation.of(REF, "embedded-analyst/1", text, None, method=ExplanationMethod.EFFECTS)


def fake_scores() -> tuple[InterventionScore, ...]:
    found: list[InterventionScore] = []
    for level, multiple, value, random, clean, steered in (
        (0.1, 0.45, 0.05, 0.01, 14.2, 15.0),
        (0.33, 1.02, 0.19, 0.02, 14.2, 17.9),
        (1.0, 2.25, 0.46, 0.04, 14.2, 29.4),
    ):
        named = (
            (BaselineName.RANDOM_DIRECTION, random),
            (BaselineName.RANDOM_EXPLAINED, random + 0.03),
            (BaselineName.SHUFFLED, 0.0),
        )
        score = Score(
            method=ScoreMethod.INTERVENTION,
            metric=Metric.GAIN,
            reader="predicate",
            negatives=Negatives.CLEAN,
            split=Split.SEALED,
            threshold=0.0,
            value=value,
            interval=interval(value - 0.07, value + 0.08),
            n_positive=96,
            n_negative=96,
            baselines=tuple(
                Baseline(name=n, value=v, interval=interval(v - 0.03, v + 0.03)) for n, v in named
            ),
        )
        excess = value - random - 0.03
        found.append(
            InterventionScore(
                explanation=fake_explanation().id,
                target_kl=level,
                kl=level * 0.95,
                multiple=multiple,
                score=score,
                excess=excess,
                excess_interval=interval(excess - 0.08, excess + 0.09),
                perplexity_clean=clean,
                perplexity_steered=steered,
                perplexity_random=steered * 0.97,
            )
        )
    unscored = found[-1].score.model_copy(
        update={"value": None, "interval": None, "baselines": (), "unscored": {"no target strength": 24}}
    )
    nothing = {"score": unscored, "excess": None, "excess_interval": None, "target_kl": 3.0}
    return (*found, found[-1].model_copy(update=nothing))


def fake_stress() -> StressReport:
    """Four failing cells, one check that fails and one that could not be made."""
    cells: list[StressCell] = []
    for layer in (8, 12, 16):
        for family in ContextFamily:
            for level in LEVELS:
                down = level < 0
                change = (1.0 if layer == 12 else 0.6) * level * 1.4
                passed = not (down and family is ContextFamily.FIRING and layer != 12)
                cells.append(
                    StressCell(
                        layer=layer,
                        level=level,
                        family=family,
                        multiple=level * 2.2,
                        kl=abs(level) * 0.97,
                        change=change if passed else -0.1 * level,
                        null_low=-0.25,
                        null_high=0.24,
                        carried=0.3 * level,
                        fluency=max(0.2, 1 - abs(level) * 0.2),
                        n=8,
                        passed=passed,
                        reason="" if passed else f"block {layer} <i>does not</i> lower it beyond the null",
                    )
                )
    return StressReport(
        feature=REF,
        claim="turning it up makes parts of the day likelier",
        concept=(" morning", " evening", " night"),
        cells=tuple(cells),
        checks=fake_checks(),
        band=Interval(low=0.4, high=2.3, method="strengths tried"),
        grade="C",
        reasons=("4 of 54 cells fail", "the label does not pick its own windows among its siblings'"),
        seed=0,
    )


def fake_checks() -> tuple[StressCheck, ...]:
    return (
        StressCheck(
            name="lexical neighbours",
            passed=True,
            value=0.93,
            interval=interval(0.85, 0.98),
            bound=0.7,
            n=80,
            words="it fires on meaning, not on letters",
        ),
        StressCheck(
            name="siblings",
            passed=False,
            value=0.41,
            interval=interval(0.3, 0.53),
            bound=0.5,
            n=60,
            words="the label picks windows of feature 77 as often as its own <script>",
        ),
        StressCheck(
            name="prompting",
            passed=None,
            value=None,
            interval=None,
            bound=None,
            words="no prompt was given",
        ),
    )


def fake_role() -> RoleFinding:
    return RoleFinding(
        role=FeatureRole.OUTPUT,
        input_value=0.61,
        output_value=0.39,
        reason="detection 0.61 is below 0.70, and the excess 0.39 is above 0.10",
    )


def fake_findings() -> CausalFindings:
    return CausalFindings(
        up=fake_calibration(1),
        down=fake_calibration(-1),
        effects=fake_effects(),
        explanation=fake_explanation(),
        scores=fake_scores(),
        role=fake_role(),
        stress=fake_stress(),
        notes=("KL 3 is out of reach & was left out",),
    )


def bare_findings() -> CausalFindings:
    """The least there can be: nothing rises, nothing was reached, nothing was scored."""
    calibration = fake_calibration(1)
    nowhere = tuple(
        KlTarget(target=t.target, multiple=8.8, kl=0.0, reached=False, reason="too weak at any safe strength")
        for t in calibration.targets
    )
    flat = (KlPoint(multiple=0.5, kl=0.0), KlPoint(multiple=1.0, kl=None))
    effects = fake_effects().model_copy(update={"raised": (), "lowered": (), "concept": (), "dose": ()})
    return CausalFindings(
        up=calibration.model_copy(update={"targets": nowhere, "curve": flat}),
        effects=effects,
        explanation=None,
    )
