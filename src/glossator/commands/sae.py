"""`glossator sae`: train a dictionary for a subject, and measure any dictionary on held-out text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.result_output import JsonFlag, print_json_line, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.probes.sae_card import SaeCard
    from glossator.report.progress import TaskProgress
    from glossator.session import Session
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = SaeCard = Session = TaskProgress = Any

app = typer.Typer(help="Train dictionaries, and measure them on held-out text.", no_args_is_help=True)

HeldOut = Annotated[int, typer.Option("--held-out", min=256, help="Sealed tokens to measure on.")]
CrossEntropyTokens = Annotated[
    int, typer.Option("--ce-tokens", min=1, help="How many of them for cross-entropies; these are slow.")
]


@app.command("train")
@with_settings
def train_command(
    out: Annotated[Path, typer.Option("--out", help="Folder to write; must not exist.")],
    *,
    effective: EffectiveSettings,
    width: Annotated[int, typer.Option("--width", min=2, help="Features.")] = 4096,
    k: Annotated[int, typer.Option("--k", min=1, help="Features that fire on a token.")] = 24,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Optimiser steps.")] = 2000,
    batch: Annotated[int, typer.Option("--batch", min=2, help="Tokens per step.")] = 4096,
    lr: Annotated[float, typer.Option("--lr", help="Peak learning rate.")] = 8e-4,
    architecture: Annotated[str, typer.Option("--architecture", help="topk or batchtopk.")] = "topk",
    half: Annotated[bool, typer.Option("--fp16/--fp32", help="Number format of the stored weights.")] = True,
    held_out: HeldOut = 40_000,
    ce_tokens: CrossEntropyTokens = 10_000,
    as_json: JsonFlag = False,
) -> None:
    """Train an SAE through sae-lens (extra `saelens`) on explore and validate text, then measure it.

    `--site` says where it reads, `--tokens` how many tokens it is trained on.
    """
    from pydantic import ValidationError

    from glossator.errors import SettingsError
    from glossator.probes.sae_training import SaeTraining
    from glossator.report.progress import TaskProgress as Progress
    from glossator.session import Session as OpenedSession

    try:
        training = SaeTraining.model_validate(
            {"architecture": architecture, "width": width, "k": k, "steps": steps, "batch": batch, "lr": lr}
            | {"seed": effective.settings.seed, "half": half}
        )
    except ValidationError as exc:
        raise SettingsError(f"these flags do not describe a training: {exc}") from exc
    if out.exists():
        raise SettingsError(f"{str(out)!r} is there already: choose another --out, or move it away")
    with Progress() as progress, OpenedSession(effective.settings, progress) as session:
        _train(session, training, out, progress)
        card = _measured(session, out, held_out, ce_tokens, progress, training.model_dump(mode="json"))
    _print(card, as_json)


@app.command("measure")
@with_settings
def measure_command(
    folder: Annotated[Path, typer.Argument(help="Folder of an SAE or transcoder.")],
    *,
    effective: EffectiveSettings,
    held_out: HeldOut = 40_000,
    ce_tokens: CrossEntropyTokens = 10_000,
    write_card: Annotated[
        bool, typer.Option("--write-card", help="Write card.json and CARD.md into the folder.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Measure a stored dictionary on sealed text: L0, variance explained, dead features, loss recovered."""
    from glossator.report.progress import TaskProgress as Progress
    from glossator.session import Session as OpenedSession

    with Progress() as progress, OpenedSession(effective.settings, progress) as session:
        card = _measured(session, folder, held_out, ce_tokens, progress, None, write=write_card)
    _print(card, as_json)


def _train(session: Session, training: Any, out: Path, progress: TaskProgress) -> None:
    """Harvest, train and save; `out` appears only once all of it is there."""
    import tempfile

    from glossator.errors import SettingsError
    from glossator.probes.activation_harvest import harvest
    from glossator.probes.sae_training import train_sae
    from glossator.probes.token_rows import draw_rows
    from glossator.records import SiteRef, Split

    settings = session.settings
    if settings.site is None:
        raise SettingsError("training needs a site: give --site LAYER.KIND, such as 12.resid")
    site = SiteRef.parse(settings.site)
    splits = (Split.EXPLORE, Split.VALIDATE)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        rows = draw_rows(
            session.subject, session.corpus, splits,
            tokens=settings.tokens, context=settings.context, seed=settings.seed,
        )  # fmt: skip
        progress.stage("harvesting activations", "tokens")
        harvested = harvest(
            session.subject, site, rows, Path(scratch) / "activations.npy", progress=progress.advance
        )
        progress.stage("training", "steps")
        saved = Path(scratch) / "sae"
        saved.mkdir()
        device = str(session.subject.device)
        train_sae(
            harvested, training, site, session.subject.name, saved, device=device, progress=progress.advance
        )
        saved.rename(out)


def _measured(
    session: Session,
    folder: Path,
    held_out: int,
    ce_tokens: int,
    progress: TaskProgress,
    training: dict[str, Any] | None,
    *,
    write: bool = True,
) -> SaeCard:
    from glossator.probes.dictionary_formats import load_dictionary
    from glossator.probes.sae_card import SaeCard as Card
    from glossator.probes.sae_card import stored_training, write_card
    from glossator.probes.sae_metrics import measure
    from glossator.probes.token_rows import draw_rows
    from glossator.records import SiteRef, Split

    settings = session.settings
    site = None if settings.site is None else SiteRef.parse(settings.site)
    dictionary = load_dictionary(folder, site=site)
    rows = draw_rows(
        session.subject, session.corpus, (Split.SEALED,),
        tokens=held_out, context=settings.context, seed=settings.seed,
    )  # fmt: skip
    progress.stage("measuring", "tokens")
    metrics = measure(session.subject, dictionary, rows, ce_tokens=ce_tokens, progress=progress.advance)
    card = Card(
        name=dictionary.name,
        subject=session.subject.name,
        subject_fingerprint=session.subject.fingerprint(),
        site=dictionary.site,
        fingerprint=dictionary.fingerprint(),
        training=stored_training(folder) if training is None else training,
        corpus=settings.corpus,
        split=Split.SEALED,
        metrics=metrics,
    )
    if write:
        write_card(folder, card)
    return card


def _print(card: SaeCard, as_json: bool) -> None:
    if wants_json(as_json):
        print_json_line(card.model_dump(mode="json"))
        return
    from rich import box
    from rich.table import Table

    from glossator.probes.sae_card import metric_rows

    table = Table("measurement", "value", box=box.SIMPLE_HEAD, title=f"{card.name} over {card.subject}")
    for label, value in metric_rows(card.metrics):
        table.add_row(label, value)
    print_rich(table)
