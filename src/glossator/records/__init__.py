"""The vocabulary as types: what crosses from one room to another, and what is stored.

Every record is frozen and refuses unknown fields, so a stored record that an older or newer
Glossator wrote is either read exactly or refused with a message.
"""

from glossator.records.answer import Answer, Claim, ClaimStanding, PlannerKind
from glossator.records.base import Record, content_id
from glossator.records.card import FeatureCard
from glossator.records.causal import (
    CausalFindings,
    ContextFamily,
    DosePoint,
    EffectFindings,
    FeatureRole,
    InterventionScore,
    KlPoint,
    KlTarget,
    RoleFinding,
    StrengthCalibration,
    StressCell,
    StressCheck,
    StressReport,
    TokenShift,
)
from glossator.records.evidence import AnyEvidence, DictionaryEvidence, Evidence, EvidenceKind, Window
from glossator.records.explanation import (
    Candidate,
    Explanation,
    ExplanationFlag,
    ExplanationMethod,
    LlmSpending,
    TokenEffect,
    Verdict,
    VerdictKind,
)
from glossator.records.feature import FeatureNames, FeatureRef, SiteKind, SiteRef, Split
from glossator.records.finding import Contradiction, Finding, FindingKind
from glossator.records.imported_label import ClaimedScore, ImportedLabel
from glossator.records.investigation import (
    Belief,
    ExceptionRegion,
    Expectation,
    Experiment,
    ExperimentKind,
    Facet,
    FeatureInvestigation,
    Hypothesis,
    HypothesisOrigin,
    MinimalContext,
    Outcome,
    StopReason,
    TriedText,
)
from glossator.records.labelling_run import (
    Depth,
    FreshLabel,
    ItemState,
    RunCounts,
    RunEvent,
    RunEventKind,
    RunItem,
    RunOrder,
    RunPlan,
    RunSpending,
    RunState,
    RunStatus,
    RunVariant,
    Shortfall,
    StoredRunEvent,
    WorkerLoad,
)
from glossator.records.predicate import (
    AllOf,
    AnyOf,
    Followed,
    Not,
    Position,
    Preceded,
    Predicate,
    TokenIn,
    TokenMatches,
    WeightedWord,
    WeightedWords,
    WindowContains,
    WordIn,
    WordMatches,
    parse_predicate,
    predicate_json,
)
from glossator.records.prompt import PromptRef
from glossator.records.run_report import (
    AbstentionGroup,
    ChangedFeature,
    DirectionPair,
    EarlierComparison,
    FalseDiscovery,
    LabelTest,
    MethodCost,
    NearDirections,
    NestedPair,
    Nesting,
    Nestings,
    PacePoint,
    RunCost,
    RunCoverage,
    RunHistory,
    RunReport,
    SharedLabel,
    Surprise,
    SurpriseKind,
)
from glossator.records.run_report_parts import (
    BaselineSpread,
    Estimate,
    NamedEstimate,
    Reason,
    RunQuestion,
    ScoreDistribution,
    ShownFeature,
)
from glossator.records.score import (
    Baseline,
    BaselineName,
    Interval,
    Metric,
    Negatives,
    Score,
    ScoreMethod,
)
from glossator.records.trace import StoredEvent, TraceEvent, TraceKind

__all__ = [
    "Record", "content_id",
    "Split", "SiteKind", "SiteRef", "FeatureNames", "FeatureRef",
    "Predicate", "TokenIn", "TokenMatches", "WordIn", "WordMatches", "Preceded", "Followed",
    "WindowContains", "WeightedWord", "WeightedWords", "Position", "AllOf", "AnyOf", "Not",
    "parse_predicate", "predicate_json",
    "Window", "Evidence", "EvidenceKind", "DictionaryEvidence", "AnyEvidence",
    "Interval", "Negatives", "Metric", "ScoreMethod", "BaselineName", "Baseline", "Score",
    "PromptRef", "ExplanationMethod", "Candidate", "LlmSpending",
    "Explanation", "ExplanationFlag", "Verdict", "VerdictKind", "TokenEffect", "FeatureCard",
    "CausalFindings", "ContextFamily", "DosePoint", "EffectFindings", "FeatureRole", "InterventionScore",
    "KlPoint", "KlTarget", "RoleFinding", "StrengthCalibration", "StressCell", "StressCheck", "StressReport",
    "TokenShift",
    "Hypothesis", "HypothesisOrigin", "Expectation", "Outcome", "ExperimentKind", "TriedText", "Experiment",
    "Belief", "Facet", "ExceptionRegion", "MinimalContext", "StopReason", "FeatureInvestigation",
    "Finding", "FindingKind", "Contradiction", "Answer", "Claim", "ClaimStanding", "PlannerKind",
    "TraceKind", "TraceEvent", "StoredEvent",
    "Depth", "ItemState", "Shortfall", "RunOrder", "RunVariant", "RunPlan", "RunItem", "RunCounts",
    "RunEventKind", "RunEvent", "StoredRunEvent", "RunState", "RunStatus", "RunSpending", "WorkerLoad",
    "FreshLabel",
    "ClaimedScore", "ImportedLabel",
    "Reason", "Estimate", "NamedEstimate", "RunQuestion", "BaselineSpread", "ScoreDistribution",
    "ShownFeature",
    "RunCoverage", "RunHistory", "SurpriseKind", "Surprise", "AbstentionGroup", "DirectionPair",
    "NearDirections", "SharedLabel", "Nesting", "NestedPair", "Nestings", "MethodCost", "RunCost",
    "PacePoint", "LabelTest", "FalseDiscovery", "ChangedFeature", "EarlierComparison", "RunReport",
]  # fmt: skip
