"""`glossator label`: say what features mean, with evidence and scores, and store it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from glossator.commands.estimate_output import print_estimate
from glossator.commands.labelling_flags import (
    BudgetFlag,
    CausalFlag,
    EstimateFlag,
    ExplainByFlag,
    LabelAgainFlag,
    ResultsFlag,
    SamplesFlag,
    ScoreByFlag,
)
from glossator.commands.result_output import JsonFlag, note, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.errors import BudgetSpent
    from glossator.labelling_run import LabellingRun
    from glossator.probes.activation_index import ActivationIndex
    from glossator.records import FeatureCard
    from glossator.report.progress import TaskProgress
    from glossator.session import Session
    from glossator.settings import EffectiveSettings
else:
    ActivationIndex = BudgetSpent = EffectiveSettings = FeatureCard = LabellingRun = Any
    Session = TaskProgress = Any


@with_settings
def label_command(
    *,
    effective: EffectiveSettings,
    features: Annotated[str | None, typer.Option(help="Which features, such as 0-99,812.")] = None,
    random: Annotated[
        int | None, typer.Option(min=1, help="So many live features, drawn with --seed, instead.")
    ] = None,
    out: ResultsFlag = None,
    force: LabelAgainFlag = False,
    budget: BudgetFlag = None,
    estimate: EstimateFlag = False,
    explain_by: ExplainByFlag = None,
    score_by: ScoreByFlag = None,
    samples: SamplesFlag = 1,
    causal: CausalFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Label features: find out what they mean, score it, store it, and report."""
    from glossator.errors import SettingsError
    from glossator.feature_selection import parse_features
    from glossator.labelling_run import LabellingRun as Run
    from glossator.llm_plan import llm_plan
    from glossator.report.progress import TaskProgress as Progress
    from glossator.session import Session as OpenedSession

    if (features is None) == (random is None):
        raise SettingsError("say which features: --features 0-99,812, or --random 25 (one of the two)")
    machine = wants_json(as_json)
    plan = llm_plan(
        effective.settings, explain_by=explain_by, score_by=score_by, samples=samples, budget=budget
    )
    if estimate and plan is None:
        raise SettingsError("--estimate needs a model: set --explainer (and --scorer if it is another)")
    with Progress() as progress, OpenedSession(effective.settings, progress) as session:
        if features is not None:
            parse_features(features, session.n_features())  # before an index is built for nothing
        index = session.index()
        chosen = _chosen(index, features, random, effective.settings.seed)
        run = Run(session, index, chosen, force=force, plan=plan, causal=causal)
        if estimate:
            print_estimate(run.estimate(), run.n_stored, machine=machine)
            return
        labelled = label_run(run, len(chosen), progress, machine=machine)
        report = write_results(session, labelled.cards, out, index)
    say_results(labelled, report, machine=machine)


def _chosen(index: ActivationIndex, features: str | None, random: int | None, seed: int) -> list[int]:
    from glossator.feature_selection import draw_features, parse_features

    if features is not None:
        return parse_features(features, index.n_features)
    return draw_features(index.live_features(), random or 1, seed)


class Labelled(NamedTuple):
    """What a run came to."""

    cards: list[FeatureCard]
    stopped: BudgetSpent | None
    """Why there are not more; None where all features are done."""


def label_run(run: LabellingRun, n: int, progress: TaskProgress, *, machine: bool) -> Labelled:
    """Go through `run` with progress; on a pipe each card is printed when it is there."""
    from glossator.errors import BudgetSpent as Spent
    from glossator.report.terminal import card_json_line

    if run.n_stored:
        note(f"{run.n_stored} of {n} were labelled before under these settings (--force labels them again)")
    progress.stage("labelling", "features")
    progress.advance(0, n)
    cards: list[FeatureCard] = []
    try:
        for finished in run:
            cards.append(finished.card)
            progress.advance(len(cards), n)
            if machine:
                typer.echo(card_json_line(finished.card))
    except Spent as stopped:
        return Labelled(cards, stopped)
    return Labelled(cards, None)


def write_results(
    session: Session, cards: list[FeatureCard], out: Path | None, index: ActivationIndex
) -> Path:
    """Write `report.html` and `cards.jsonl`, and have the cards found by search; returns the report."""
    from datetime import UTC, datetime

    from glossator.comparison import compare_cards
    from glossator.probes.atomic_file import written_atomically
    from glossator.report.page import write_report
    from glossator.report.terminal import card_json_line
    from glossator.report_summary import report_context

    tokens, settings = len(index.explore.text), session.settings
    evidence = session.ledger().evidence
    compared = [compare_cards([c], evidence, seed=settings.seed) for c in cards if c.candidates]
    context = report_context(cards, settings, tokens=tokens, created=datetime.now(UTC))
    folder = out or settings.home / "reports"
    write_report(folder / "report.html", cards, context, compared)
    lines = "".join(card_json_line(card) + "\n" for card in cards)
    with written_atomically(folder / "cards.jsonl") as file:
        file.write(lines.encode())
    _sync_findings(session)
    return folder / "report.html"


def _sync_findings(session: Session) -> None:
    """Bring the search index up to the ledger; where that fails, say so and go on."""
    from glossator.errors import StorageError

    try:
        session.findings().sync(session.ledger())
    except StorageError as error:  # derived: the next search brings it up to the ledger
        note(f"the labels are stored; the search index was not brought up to date: {error}")


def say_results(labelled: Labelled, report: Path, *, machine: bool) -> None:
    """Print what came out, where no machine reads it, and where the report is; raises what stopped it."""
    if not machine:
        from glossator.report.terminal import cards_table

        print_rich(cards_table(labelled.cards))
    note(f"report: {report}")
    if labelled.stopped is not None:
        raise labelled.stopped
