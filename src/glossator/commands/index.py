"""`glossator index`: build the activation index that the settings ask for, and say what is in one."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.result_output import JsonFlag, note, print_json_line, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from rich.table import Table

    from glossator.probes.activation_index import ActivationIndex, IndexSummary, ShardEncoder
    from glossator.ray_cluster import RayCluster
    from glossator.settings import EffectiveSettings
else:
    ActivationIndex = EffectiveSettings = IndexSummary = RayCluster = ShardEncoder = Table = Any

app = typer.Typer(help="Build activation indexes, and look at them.", no_args_is_help=True)


@app.command("build")
@with_settings
def build_command(
    *,
    effective: EffectiveSettings,
    ray: Annotated[
        str | None,
        typer.Option("--ray", metavar="auto|ADDRESS", help="Have the nodes of a Ray cluster encode it."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Build the index, go on with one that was stopped, or repair one that is damaged."""
    from glossator.report.progress import TaskProgress as Progress
    from glossator.session import Session as OpenedSession

    with (
        _cluster(ray) as cluster,
        Progress() as progress,
        OpenedSession(effective.settings, progress) as session,
    ):
        index = session.build_index(_encoder(cluster, effective))
    _print(index, as_json)


def _cluster(address: str | None) -> AbstractContextManager[RayCluster | None]:
    if address is None:
        return nullcontext()
    from glossator.ray_cluster import RayCluster as JoinedCluster

    return JoinedCluster.join(address)


def _encoder(cluster: RayCluster | None, effective: EffectiveSettings) -> ShardEncoder | None:
    if cluster is None:
        return None
    from glossator.ray_index import RayShardEncoder

    return RayShardEncoder(cluster, effective.settings)


@app.command("show")
@with_settings
def show_command(
    *,
    effective: EffectiveSettings,
    verify: Annotated[bool, typer.Option("--verify", help="Read every file and check it first.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say what the index of these settings holds; builds nothing."""
    from glossator.session import Session as OpenedSession

    with OpenedSession(effective.settings) as session:
        index = session.index(build=False)
    if verify:
        index.verify()
        note("every file is what was written")
    _print(index, as_json)


def _print(index: ActivationIndex, as_json: bool) -> None:
    from glossator.probes.activation_index import summarise

    summary = summarise(index)
    if wants_json(as_json):
        print_json_line(summary.model_dump(mode="json"))
    else:
        print_rich(_table(summary))


def _table(summary: IndexSummary) -> Table:
    from rich.table import Table as RichTable
    from rich.text import Text

    table = RichTable(show_header=False, box=None)
    rows = {
        "index": summary.folder,
        "identity": summary.identity[:12],
        "subject": summary.subject,
        "dictionary": f"{summary.dictionary}, {summary.n_features:,} features at {summary.site}",
        "live features": f"{summary.live_features:,}, median density {summary.median_density:.2e}",
        "activations": f"{summary.activations:,}, {summary.bytes_per_activation:.2f} bytes each",
        "size": f"{summary.bytes / 2**20:,.1f} MiB",
    }
    for split, size in summary.splits.items():
        rows[str(split)] = (
            f"{size.documents:,} documents, {size.tokens:,} tokens, {size.activations:,} activations"
        )
    for name, text in rows.items():
        table.add_row(Text(name, style="bold"), Text(text))
    return table
