"""`glossator import`: read labels that others wrote, score them like our own, store and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.estimate_output import print_estimate
from glossator.commands.label import label_run, say_results, write_results
from glossator.commands.labelling_flags import BudgetFlag, EstimateFlag, ResultsFlag, ScoreByFlag
from glossator.commands.result_output import JsonFlag, note, print_json_line, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.agents.imported_labels import UsableLabels
    from glossator.records import FeatureCard, ImportedLabel
    from glossator.session import Session
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = FeatureCard = ImportedLabel = Session = UsableLabels = Any


@with_settings
def import_command(
    kind: Annotated[str, typer.Argument(metavar="neuronpedia|delphi", help="The format of the files.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where they are.")],
    *,
    effective: EffectiveSettings,
    features: Annotated[
        str | None, typer.Option(help="Only these features, such as 0-99,812; by default all with a label.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Which source (6-res-jb) or hookpoint of the folder, where it holds several."),
    ] = None,
    author: Annotated[
        str | None, typer.Option(help="Only labels by this author, such as neuronpedia:gpt-4o-mini.")
    ] = None,
    out: ResultsFlag = None,
    force: Annotated[bool, typer.Option("--force", help="Score again what is already scored.")] = False,
    budget: BudgetFlag = None,
    estimate: EstimateFlag = False,
    store_only: Annotated[
        bool,
        typer.Option("--store-only", help="Store the labels and score none now: a run scores them later."),
    ] = False,
    score_by: ScoreByFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Import labels from Neuronpedia's or Delphi's files, and score them like our own."""
    from glossator.errors import SettingsError, UserError, listed
    from glossator.feature_selection import parse_features
    from glossator.imports.reading import ImportKind, other_names, read_labels
    from glossator.labelling_run import LabellingRun
    from glossator.llm_plan import llm_plan
    from glossator.report.progress import TaskProgress
    from glossator.session import Session as OpenedSession

    if kind not in [k.value for k in ImportKind]:
        raise SettingsError(f"unknown format {kind!r}: known are {listed(k.value for k in ImportKind)}")
    machine = wants_json(as_json)
    plan = llm_plan(effective.settings, score_by=score_by, budget=budget)
    if estimate and plan is None:
        raise SettingsError("--estimate needs a model: set --scorer")
    with TaskProgress() as progress, OpenedSession(effective.settings, progress) as session:
        read = read_labels(ImportKind(kind), folder, n_features=session.n_features(), source=source)
        if said := other_names(read, session.names()):
            note(f"warning: {said}")
        if author is not None:
            read = _by_author(read, author)
        if features:
            wanted = set(parse_features(features, session.n_features()))
            read = [one for one in read if one.feature in wanted]
            if not read:
                raise UserError(f"no label in {str(folder)!r} is of the features {features}")
        chosen = usable(read)
        if not chosen.by_feature:
            raise UserError(f"none of the {len(read)} labels in {str(folder)!r} is one that could be scored")
        if store_only:
            _store(session, chosen.by_feature, machine=machine)
            return
        index = session.index()
        run = LabellingRun(
            session, index, sorted(chosen.by_feature), force=force, labels=chosen.by_feature,
            plan=None if plan is None else plan._replace(explain_by=()),
        )  # fmt: skip
        if estimate:
            print_estimate(run.estimate(), run.n_stored, machine=machine)
            return
        labelled = label_run(run, len(chosen.by_feature), progress, machine=machine)
        _say_kept(session, labelled.cards)
        report = write_results(session, labelled.cards, out, index)
    say_results(labelled, report, machine=machine)


def _store(session: Session, labels: Mapping[int, ImportedLabel], *, machine: bool) -> None:
    """Put the labels into the ledger, where runs find them by their authors."""
    from glossator.memory.imported_store import store_imported

    run = store_imported(session.ledger(), session.names(), labels.values())
    authors = sorted({one.author for one in labels.values()})
    if machine:
        print_json_line({"run": run, "stored": len(labels), "authors": authors})
    else:
        typer.echo(f"{len(labels)} labels by {', '.join(authors)} are stored; none is scored yet")


def _say_kept(session: Session, cards: Sequence[FeatureCard]) -> None:
    """How many features go on being called what we call them."""
    latest = session.ledger().latest_card
    if kept := sum(latest(card.feature) != card for card in cards):
        note(f"{kept} features keep their own label, which stands as well or better; glossator compare N")


def usable(read: list[ImportedLabel]) -> UsableLabels:
    """The labels that are labels, one a feature, after saying what was left out."""
    from glossator.agents.imported_labels import usable_labels

    chosen = usable_labels(read)
    authors = ", ".join(sorted({one.author for one in chosen.by_feature.values()})) or "nobody"
    note(f"{len(chosen.by_feature)} of {len(read)} labels are fit to be scored, by {authors}")
    for reason, count in sorted(chosen.rejected.items()):
        note(f"  {count} are no labels: {reason}")
    if chosen.further:
        note(f"  {chosen.further} more are of features that have one already (--author chooses among them)")
    return chosen


def _by_author(read: list[ImportedLabel], author: str) -> list[ImportedLabel]:
    from glossator.errors import UnknownNameError, listed

    found = [one for one in read if one.author == author]
    if not found:
        raise UnknownNameError(
            f"no label is by {author!r}: there are labels by {listed({one.author for one in read})}"
        )
    return found
