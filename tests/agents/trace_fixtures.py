"""Made-up investigations, written through `Trace` as a real one would be: of a feature and of a request."""

from __future__ import annotations

from collections.abc import Sequence

from glossator.agents.trace.trace import Listener, StepTrace, Trace
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.records import (
    Answer,
    Belief,
    Claim,
    ClaimStanding,
    DictionaryEvidence,
    Evidence,
    EvidenceKind,
    Expectation,
    Experiment,
    ExperimentKind,
    Explanation,
    Facet,
    FeatureInvestigation,
    FeatureNames,
    FeatureRef,
    Hypothesis,
    HypothesisOrigin,
    Interval,
    LlmSpending,
    MinimalContext,
    Outcome,
    PlannerKind,
    StopReason,
    TraceKind,
    TriedText,
    Verdict,
    VerdictKind,
    WordIn,
)

NAMES = FeatureNames("tiny", "1-resid-8")
FEATURE = FeatureRef(subject="tiny", dictionary="1-resid-8", index=812)
AUTHOR = "investigator:small-model"
THRESHOLD = 3.1


def hypothesis(text: str, *words: str, origin: HypothesisOrigin = HypothesisOrigin.PROPOSED) -> Hypothesis:
    return Hypothesis.of(FEATURE, text, WordIn(words=words) if words else None, author=AUTHOR, origin=origin)


LEGAL = hypothesis("legal language: courts, statutes and rulings", "court", "statute")
SPORT = hypothesis("tennis and other sports played on courts")
BOTH = hypothesis("courts of law, and royal courts", "court", origin=HypothesisOrigin.JOINED)


def tried(text: str, expected: str, activation: float, token: str = " court", why: str = "") -> TriedText:
    outcome = Outcome.FIRES if activation > THRESHOLD else Outcome.WEAK if activation else Outcome.SILENT
    return TriedText(
        text=text, expected=Expectation(expected), why=why, activation=activation,
        quantile=min(activation / 10, 1.0), outcome=outcome, token=token if activation else "",
    )  # fmt: skip


def experiment(
    whose: Hypothesis, tested: Sequence[TriedText], kind: ExperimentKind = ExperimentKind.TEXTS
) -> Experiment:
    return Experiment(hypothesis=whose.id, kind=kind, tested=tuple(tested), threshold=THRESHOLD)


def beliefs(**odds: float) -> list[Belief]:
    by_name = {"legal": LEGAL, "sport": SPORT, "both": BOTH}
    total = 1 + sum(2.718**o for o in odds.values())
    made = [
        Belief(hypothesis=by_name[n].id, probability=2.718**o / total, log_odds=o, n=6)
        for n, o in odds.items()
    ]
    return sorted(made, key=lambda b: -b.probability)


def add_hypothesis(events: StepTrace, one: Hypothesis) -> None:
    events.add(TraceKind.HYPOTHESIS, f"{one.author}: {one.text}", one.model_dump(mode="json"))


def add_beliefs(events: StepTrace, believed: Sequence[Belief]) -> None:
    payload = {"beliefs": [b.model_dump(mode="json") for b in believed], "none_of_them": 0.01, "refuted": []}
    leading = believed[0]
    events.add(TraceKind.BELIEF, f"{leading.hypothesis}: {leading.probability:.2f}", payload)


def add_experiment(trace: Trace, events: StepTrace, done: Experiment) -> str:
    tests = [{"text": t.text, "expectation": t.expected.value, "why": t.why} for t in done.tested]
    call = {"tool": "test_texts", "hypothesis": done.hypothesis, "kind": done.kind.value, "tests": tests}
    events.add(TraceKind.TOOL_CALL, f"{done.kind.value}: {len(tests)} texts", call)
    payload = done.model_dump(mode="json")
    (kept,) = trace.keep([Evidence.of(FEATURE, EvidenceKind.EXPERIMENT, {"seed": 0}, payload)])
    words = f"{done.right} of {done.decided} decided texts did as predicted"
    events.add(TraceKind.TOOL_RESULT, words, payload, evidence=[kept])
    return kept


def begun(ledger: Ledger, asked: str, *, request: bool = False, listeners: Sequence[Listener] = ()) -> Trace:
    store = InvestigationStore(ledger)
    identity = store.start("request" if request else "feature", NAMES, asked, {"rounds": 4}, work_key="w-1")
    return Trace(store, identity, ledger.start_run("investigate", {}), listeners)


def spent(calls: int = 1, usd: float | None = 0.002) -> LlmSpending:
    return LlmSpending(calls=calls, input_tokens=1200 * calls, output_tokens=150 * calls, usd=usd)


ROUND_ONE = experiment(
    LEGAL,
    [
        tried("The court ruled against the tenant.", "fires", 8.4, why="a ruling"),
        tried("The statute was repealed in 1994.", "fires", 5.2, " statute", "names a law"),
        tried("He served twice on the tennis court.", "silent", 0.0, why="a court, and no law"),
        tried("The cake was baked for an hour.", "silent", 0.0),
        tried("A lawyer wrote the letter.", "fires", 1.4, " lawyer"),
    ],
)
ROUND_SPORT = experiment(
    SPORT,
    [
        tried("She won on the clay court in Paris.", "fires", 0.0, why="tennis"),
        tried("They practised on the basketball court.", "fires", 0.0),
        tried("The volley went wide of the line.", "fires", 0.0),
        tried("The judge adjourned the court.", "silent", 7.9),
    ],
)
CHALLENGE = experiment(
    LEGAL,
    [
        tried("The king held court at Versailles.", "silent", 6.6, why="a court without law"),
        tried("The queen held a feast at Versailles.", "silent", 0.0),
        tried("The court held the king liable.", "fires", 9.1),
        tried("The jury held the king liable.", "fires", 3.6, " jury"),
    ],
    ExperimentKind.MINIMAL_PAIRS,
)


def made_up_feature(ledger: Ledger, *, finish: bool = True) -> str:
    """A clean investigation of feature 812 that took two rounds, a challenge and one failed reply."""
    trace = begun(ledger, str(FEATURE))
    payload = {"feature": str(FEATURE), "proposer": AUTHOR, "rounds": 4, "texts": 160}
    StepTrace(trace, "start").add(TraceKind.STARTED, f"investigating {FEATURE} with {AUTHOR}", payload)
    _look(trace)
    _propose(trace)
    ids = _test(trace)
    if finish:
        _conclude(trace, ids)
    return trace.investigation


def _look(trace: Trace) -> None:
    with trace.at("recall") as events:
        words = "memory holds 1 finding of this feature, 0 of its neighbours"
        events.add(TraceKind.TOOL_RESULT, words, {"findings": ["f-0123456789ab"]})
    with trace.at("observe") as events:
        ids = trace.keep([Evidence.of(FEATURE, EvidenceKind.STATISTICS, {}, {"density": 0.004})])
        words = "fires on 0.400% of tokens, at most 10.2"
        events.add(TraceKind.TOOL_RESULT, words, {"tool": "observe"}, evidence=ids)


def _propose(trace: Trace) -> None:
    turns = [
        {"role": "system", "content": "You explain features."},
        {"role": "user", "content": "Windows:\n1. The <<court>> ruled <script>alert(1)</script> that…"},
    ]
    prompt = {"name": "investigate_propose", "version": 1, "sha256": "a" * 64}
    with trace.at("propose") as events:
        events.add(TraceKind.PROMPT, "asked investigate_propose", {"prompt": prompt, "turns": turns})
        said = '{"hypotheses": [{"text": "legal language: courts, statutes and rulings"}]}'
        events.add(TraceKind.REPLY, "investigate_propose: answered", {"said": [said]}, spent=spent())
        add_hypothesis(events, LEGAL)
        add_hypothesis(events, SPORT)
        reasons = {"reasons": {"says what another says": 1}}
        events.add(TraceKind.TOOL_ERROR, "proposals left out", reasons)


def _test(trace: Trace) -> list[str]:
    ids: list[str] = []
    with trace.at("experiment-1") as events:
        ids += [add_experiment(trace, events, e) for e in (ROUND_ONE, ROUND_SPORT)]
    with trace.at("update-1") as events:
        add_beliefs(events, beliefs(legal=1.7, sport=-2.2))
    with trace.at("challenge-1") as events:
        events.add(TraceKind.PROMPT, "asked investigate_challenge", {"prompt": {"name": "c"}, "turns": []})
        events.add(TraceKind.REPLY, "investigate_challenge: not JSON", {"said": ["Sure! {"]}, spent=spent())
        ids.append(add_experiment(trace, events, CHALLENGE))
        add_beliefs(events, beliefs(legal=1.2, sport=-2.4))
    with trace.at("facets") as events:
        add_hypothesis(events, BOTH)
        events.add(TraceKind.LIMIT, "experiments end: decided")
    with trace.at("update-2") as events:
        add_beliefs(events, beliefs(both=3.4, legal=1.2, sport=-2.4))
    return ids


def _conclude(trace: Trace, ids: Sequence[str]) -> None:
    verdict = Verdict(
        kind=VerdictKind.ACCEPTED, reason="detection 0.91 [0.88, 0.94] above 0.75 on hard negatives"
    )
    with trace.at("verdict") as events:
        words = f"{verdict.kind.value}: {verdict.reason}"
        events.add(TraceKind.VERDICT, words, verdict.model_dump(mode="json"), evidence=ids)
    result = FeatureInvestigation(
        id=trace.investigation, feature=FEATURE, proposer=AUTHOR,
        explanation=Explanation.of(FEATURE, AUTHOR, BOTH.text, BOTH.predicate), verdict=verdict,
        hypotheses=(BOTH, LEGAL, SPORT), beliefs=tuple(beliefs(both=3.4, legal=1.2, sport=-2.4)),
        refuted=(SPORT.id,), experiments=tuple(ids),
        facets=(
            Facet(hypothesis=LEGAL.id, text="courts of law", share=0.8, precision=0.9),
            Facet(hypothesis=BOTH.id, text="royal courts", share=0.15, precision=0.7),
        ),
        minimal=(
            MinimalContext(
                text="On Monday the court ruled", kept="the court", tokens=(" the", " court"), activation=6.0,
                share=0.71, runs=9,
            ),
        ),
        stopped=StopReason.DECIDED, baseline_f1=0.61, f1=0.83,
        f1_interval=Interval(low=0.79, high=0.86, method="bootstrap"), evidence=tuple(ids),
        spending=spent(2, 0.004), seconds=41.7,
    )  # fmt: skip
    finish = StepTrace(trace, "finish")
    words = f"{verdict.kind.value}: {BOTH.text}"
    finish.add(TraceKind.FINISHED, words, result.model_dump(mode="json"), evidence=ids)


def made_up_request(ledger: Ledger) -> str:
    """A clean request: windows of all strengths, one test with both expectations, a failure, two claims."""
    trace = begun(ledger, "what does feature 812 mean?", request=True)
    StepTrace(trace, "start").add(TraceKind.STARTED, "what does feature 812 mean?", {"planner": "schema"})
    ids: list[str] = []
    for number, (low, seen) in enumerate([(0.0, 0.97), (0.1, 0.22)], 1):
        with trace.at(f"windows-{number}") as events:
            arguments = {"feature": 812, "low": low, "high": 1.0 if number == 1 else 0.4}
            call = {"tool": "windows", "arguments": arguments}
            events.add(TraceKind.TOOL_CALL, "windows", call)
            kept = trace.keep(
                [DictionaryEvidence.of(NAMES, (812,), EvidenceKind.WINDOWS, {"low": low}, seen)]
            )
            text = f'window 1, explore: fires 9.1 (quantile {seen:.2f}) on " court" in: the <<court>> ruled'
            facts = [{"text": text, "evidence": kept[0], "features": [812]}]
            result = {"tool": "windows", "facts": facts, "left_out": "14 more: page 2"}
            events.add(TraceKind.TOOL_RESULT, "10 windows", result, evidence=kept)
            ids += kept
    with trace.at("test_texts-1") as events:
        arguments = {
            "feature": 812, "texts": ["The court ruled.", "A cake."], "expectations": ["fires", "silent"],
            "why": "courts",
        }  # fmt: skip
        events.add(TraceKind.TOOL_CALL, "test_texts", {"tool": "test_texts", "arguments": arguments})
        events.add(TraceKind.TOOL_ERROR, "texts must be at least 4", {"tool": "test_texts"})
    claims = (
        Claim(
            text="Feature 812 fires on courts of law.", evidence=(ids[0],), standing=ClaimStanding.SUPPORTED
        ),
        Claim(
            text="It is weak on lawyers.", evidence=tuple(ids), struck=("e-made-up",),
            standing=ClaimStanding.DOUBTFUL, remark="cites e-made-up, which does not exist",
        ),
    )  # fmt: skip
    with trace.at("answer") as events:
        for claim in claims:
            events.add(TraceKind.CLAIM, claim.text, claim.model_dump(mode="json"), evidence=claim.evidence)
    answer = Answer(
        investigation=trace.investigation, request="what does feature 812 mean?", claims=claims, enough=True,
        tried=("windows of feature 812",), planner=PlannerKind.SCHEMA, seconds=3.0,
    )  # fmt: skip
    StepTrace(trace, "finish").add(TraceKind.FINISHED, "answered", answer.model_dump(mode="json"))
    return trace.investigation
