"""Realistic made-up cards: what a labelling run gives, with the awkward cases in it."""

from __future__ import annotations

import numpy as np

from glossator.records import (
    Baseline,
    BaselineName,
    Explanation,
    ExplanationFlag,
    FeatureCard,
    FeatureRef,
    Interval,
    Metric,
    Negatives,
    Preceded,
    Predicate,
    Score,
    ScoreMethod,
    Split,
    TokenEffect,
    TokenIn,
    TokenMatches,
    Verdict,
    VerdictKind,
    Window,
    WordIn,
)

HOSTILE_TOKENS = (
    "<script>",
    "alert('x')",
    "</script>",
    '" onmouseover="',
    "[red]",
    "[/]",
    "\\",
    "\x00",
    "\x1b[31m",
    "\n\n",
    "\t",
    "    ",
    " שלום",
    "\u202e",
    "é",
    "\u0301",
    "👩‍👩‍👧",
    "\u200d",
    "<0xE2>",
    "<|im_end|>",
    "\u00a0",
    "{{ 7*7 }}",
    "",
)

_PROSE = (
    " of the court had been read to the whole assembly before\n any one could speak of it again"
    " and the answer was sent down to the village that same evening by a rider"
)
_CODE = (
    "def  read ( self , path ) :\n     with open ( path ) as handle :\n         return handle . read ( )\n"
)


def _interval(value: float, n: int) -> Interval:
    half = 1.96 * (max(value * (1 - value), 0.01) / max(n, 1)) ** 0.5
    return Interval(low=max(0.0, value - half), high=min(1.0, value + half), method="wilson")


def _score(
    method: ScoreMethod,
    metric: Metric,
    reader: str,
    negatives: Negatives,
    value: float | None,
    n: int,
    unscored: dict[str, int] | None = None,
    threshold: float = 0.3,
) -> Score:
    shuffled = 0.5 if metric in (Metric.BALANCED_ACCURACY, Metric.AUC) else 0.02
    baselines = (
        Baseline(
            name=BaselineName.SHUFFLED,
            value=shuffled + 0.013,
            interval=_interval(shuffled + 0.013, n),
            n_positive=n,
            n_negative=7,
        ),
        Baseline(name=BaselineName.EMPTY, value=shuffled, interval=_interval(shuffled, n)),
    )
    return Score(
        method=method,
        metric=metric,
        reader=reader,
        negatives=negatives,
        split=Split.SEALED,
        threshold=threshold,
        value=value,
        interval=None if value is None else _interval(value, n),
        n_positive=n,
        n_negative=n * 3,
        unscored=unscored or {},
        baselines=baselines if value is not None else (),
        evidence="e-0123456789ab",
    )


def _scores(level: float) -> tuple[Score, ...]:
    random, hard, every = Negatives.RANDOM, Negatives.HARD, Negatives.ALL_TOKENS
    detection, accuracy = ScoreMethod.DETECTION, Metric.BALANCED_ACCURACY
    predicate = ScoreMethod.PREDICATE
    return (
        _score(predicate, Metric.PRECISION, "predicate", every, level - 0.03, 410),
        _score(predicate, Metric.RECALL, "predicate", every, level - 0.12, 410),
        _score(predicate, Metric.F1, "predicate", every, level - 0.08, 410),
        _score(predicate, Metric.F1, "predicate", every, level - 0.2, 1204, threshold=0.0),
        _score(detection, accuracy, "predicate", random, level, 100),
        _score(detection, accuracy, "predicate", hard, level - 0.14, 100),
        _score(
            detection, accuracy, "embedder", random, level - 0.17, 92, {"empty window": 6, "truncated": 2}
        ),
        _score(detection, accuracy, "embedder", hard, level - 0.29, 100),
        _score(ScoreMethod.EMBEDDING, Metric.AUC, "embedder", random, level - 0.1, 100),
        _score(ScoreMethod.EMBEDDING, Metric.AUC, "embedder", hard, None, 0, {"no hard negatives": 100}),
    )


def _words(text: str) -> list[str]:
    pieces: list[str] = []
    for word in text.split(" "):
        head, *breaks = word.split("\n")
        pieces.append((" " if pieces and head else "") + head)
        for rest in breaks:
            pieces += ["\n", rest] if rest else ["\n"]
    return [p for p in pieces if p]


def fake_window(rng: np.random.Generator, peak_token: str, peak_value: float, text: str = _PROSE) -> Window:
    """A window of 32 tokens with one strong firing and a few weak ones (none if `peak_value` is 0)."""
    base = _words(text)
    start = int(rng.integers(0, len(base)))
    tokens = [base[(start + i) % len(base)] for i in range(32)]
    tokens[16] = peak_token
    activations = np.zeros(32)
    if peak_value > 0:
        weak = rng.choice(32, 4, replace=False)
        activations[weak] = rng.uniform(0.02, 0.5, 4) * peak_value
        activations[16] = peak_value
    return Window(
        document=f"gutenberg-{int(rng.integers(10, 99))}",
        split=Split.EXPLORE,
        start=int(rng.integers(1_000_000)),
        tokens=tuple(tokens),
        activations=tuple(float(round(a, 3)) for a in activations),
        peak=16,
    )


def _effects(tokens: str, sign: float) -> tuple[TokenEffect, ...]:
    names = [t.replace("_", " ") for t in tokens.split("|")]
    return tuple(TokenEffect(token=t, effect=sign * (2.1 - 0.17 * i)) for i, t in enumerate(names))


def fake_card(
    index: int,
    label: str | None,
    predicate: Predicate | None,
    peak_tokens: tuple[str, ...],
    level: float,
    verdict: Verdict,
    flags: tuple[ExplanationFlag, ...] = (),
    n_windows: int = 18,
    text: str = _PROSE,
) -> FeatureCard:
    """A live feature's card."""
    rng = np.random.default_rng(index)
    ref = FeatureRef(subject="smollm2-135m", dictionary="12-resid-4k", index=index)
    peaks = np.sort(rng.uniform(0.06, 1.0, n_windows))[::-1] * 24.5
    windows = tuple(
        fake_window(rng, peak_tokens[i % len(peak_tokens)], float(p), text) for i, p in enumerate(peaks)
    )
    edges = np.geomspace(0.05, 30.0, 25)
    shape = np.exp(-0.5 * ((np.log(edges[:-1]) - 0.4) / 1.1) ** 2) * (edges[:-1] < 24.5)
    explanation = None
    if label is not None:
        evidence = ("e-41b7c09d22aa", "e-9c1f00be4d17")
        explanation = Explanation.of(ref, "embedded-analyst/1", label, predicate, flags, evidence)
    return FeatureCard(
        feature=ref,
        explanation=explanation,
        verdict=verdict,
        scores=_scores(level) if label else _scores(0.61)[4:6],
        density=float(rng.uniform(2e-4, 9e-3)),
        n_firings=int(rng.integers(900, 9000)),
        max_activation=24.5,
        histogram_edges=tuple(map(float, edges)),
        histogram_counts=tuple(int(900 * s) for s in shape),
        promoted=_effects("_Smith|_Bennet|_Jane|_Eliz|_Bates|_Wood|house|_Fair|fax|_Taylor", 1.0),
        suppressed=_effects("_the|\n|ing|_which|;|_itself|_thereof|<|im|>|_וגם|�", -0.8),
        windows=windows,
        silent_windows=tuple(fake_window(rng, peak_tokens[0], 0.0, text) for _ in range(8)),
        neighbours=(812, 77, 3021, 2210, 5),
        evidence=("e-41b7c09d22aa", "e-9c1f00be4d17", "e-77d0a1b2c3d4"),
        index_identity="idx-5f2a9c0d11e8",
    )


def _verdict(kind: VerdictKind, reason: str, *tried: str) -> Verdict:
    return Verdict(kind=kind, reason=reason, tried=tried)


def dead_card() -> FeatureCard:
    """A feature that never fired: no windows, no histogram, no scores, no label."""
    return FeatureCard(
        feature=FeatureRef(subject="smollm2-135m", dictionary="12-resid-4k", index=9),
        explanation=None,
        verdict=_verdict(VerdictKind.ABSTAINED, "Never fires on explore (0 of 1,203,311 tokens)."),
        scores=(),
        density=0.0,
        n_firings=0,
        max_activation=0.0,
        histogram_edges=(),
        histogram_counts=(),
        promoted=(),
        suppressed=(),
        windows=(),
        silent_windows=(),
        neighbours=(),
        evidence=(),
        index_identity="idx-5f2a9c0d11e8",
    )


def hostile_card() -> FeatureCard:
    """A card whose every text tries to break the page or the terminal."""
    label = 'tags such as <script>alert("x")</script>, [bold red] & "quotes"'
    reason = "Detection <b>0.74</b> [0.66, 0.81] beats shuffled [/red]."
    card = fake_card(
        666,
        label,
        TokenMatches(pattern="</script><img src=x onerror=alert(1)>"),
        HOSTILE_TOKENS,
        0.78,
        _verdict(VerdictKind.TENTATIVE, reason),
        (ExplanationFlag.SPARSE_EVIDENCE, ExplanationFlag.DENSE),
    )
    tokens = HOSTILE_TOKENS + (" plain",) * (32 - len(HOSTILE_TOKENS))
    window = Window(
        document='doc"><svg onload=alert(1)>',
        split=Split.EXPLORE,
        start=0,
        tokens=tokens,
        activations=tuple(24.5 * (i + 1) / 32 for i in range(32)),
        peak=31,
    )
    effects = tuple(TokenEffect(token=t, effect=1.0) for t in HOSTILE_TOKENS)
    return card.model_copy(update={"windows": (window, *card.windows), "promoted": effects})


def fake_cards() -> list[FeatureCard]:
    """Six cards: three accepted, one tentative and hostile, one abstained, one dead."""
    accepted, abstained = VerdictKind.ACCEPTED, VerdictKind.ABSTAINED
    beats = "Detection 0.93 [0.88, 0.96] on random, 0.79 [0.71, 0.85] on hard windows; shuffled below 0.58."
    miss = Preceded(by=TokenIn(tokens=(" Miss", " Mrs", " Mr")), within=1)
    trivial = (ExplanationFlag.TOKEN_TRIVIAL,)
    return [
        fake_card(
            812,
            "surnames after “Miss”, “Mrs” or “Mr”",
            miss,
            (" Bennet", " Bates", " Woodhouse"),
            0.93,
            _verdict(accepted, beats),
            (ExplanationFlag.BIGRAM_TRIVIAL,),
        ),
        fake_card(
            77,
            "the word “court” in legal and royal senses",
            WordIn(words=("court", "courts")),
            (" court", " Courts"),
            0.97,
            _verdict(accepted, beats),
            trivial,
        ),
        fake_card(
            3021,
            "an opening parenthesis after a name in Python code, mostly in calls and definitions",
            TokenIn(tokens=("(", " (")),
            (" (", "("),
            0.88,
            _verdict(accepted, beats),
            (),
            24,
            _CODE,
        ),
        hostile_card(),
        fake_card(
            2210,
            None,
            None,
            (" which", ",", " assembly"),
            0.6,
            _verdict(
                abstained,
                "No rule reaches F1 0.30 on validate; the best has 0.21 [0.16, 0.27].",
                "words about waiting: F1 0.21 on validate",
                "the token “,” after a name: F1 0.17",
                "late position in the row: F1 0.05",
            ),
        ),
        dead_card(),
    ]
