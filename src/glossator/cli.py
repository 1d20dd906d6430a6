"""The command line. Modules of commands import what is heavy only when they run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import glossator
from glossator.commands.ablate import ablate_command
from glossator.commands.ask import ask_command
from glossator.commands.attribute import attribute_command
from glossator.commands.chat import chat_command
from glossator.commands.compare import compare_command
from glossator.commands.config import config_command
from glossator.commands.doctor import doctor_command
from glossator.commands.effects import effects_command
from glossator.commands.evidence import evidence_command
from glossator.commands.export import export_command
from glossator.commands.import_labels import import_command
from glossator.commands.index import app as index_app
from glossator.commands.investigate import investigate_command
from glossator.commands.investigations import investigations_app
from glossator.commands.label import label_command
from glossator.commands.memory import memory_app
from glossator.commands.models import models_command
from glossator.commands.run import app as run_app
from glossator.commands.sae import app as sae_app
from glossator.commands.search import search_command
from glossator.commands.show import show_command
from glossator.commands.steer import steer_command
from glossator.commands.stress import stress_command
from glossator.errors import GlossatorError

INTERRUPTED = 130


class _StoppedError(Exception):
    """Ctrl-C, named before typer turns it into its own exit."""


class _ReaderGoneError(Exception):
    """Whoever read stdout has gone."""


class CommandGroup(TyperGroup):
    """A group that leaves Ctrl-C and closed pipes to `run`."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise _StoppedError from error
        except BrokenPipeError as error:
            raise _ReaderGoneError from error


app = typer.Typer(
    name="glossator",
    cls=CommandGroup,
    help="Find out what the features inside a neural network mean, with evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("doctor")(doctor_command)
app.command("label")(label_command)
app.command("models")(models_command)
app.command("show")(show_command)
app.command("evidence")(evidence_command)
app.command("compare")(compare_command)
app.command("export")(export_command)
app.command("import")(import_command)
app.command("search")(search_command)
app.command("steer")(steer_command)
app.command("effects")(effects_command)
app.command("ablate")(ablate_command)
app.command("attribute")(attribute_command)
app.command("stress")(stress_command)
app.command("investigate")(investigate_command)
app.command("ask")(ask_command)
app.command("chat")(chat_command)
app.add_typer(index_app, name="index")
app.add_typer(investigations_app, name="investigations")
app.add_typer(memory_app, name="memory")
app.add_typer(run_app, name="run")
app.add_typer(sae_app, name="sae")
app.command("config")(config_command)


def _print_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"glossator {glossator.__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def glossator_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Find out what the features inside a neural network mean, with evidence."""


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code.

    A `GlossatorError` is printed as one message; Ctrl-C says that what was finished is stored; a
    reader that goes away (`| head`) ends the command quietly.
    """
    try:
        app(list(arguments), prog_name="glossator")
        sys.stdout.flush()
    except SystemExit as done:  # usage errors are printed by typer, with exit code 2
        return done.code if isinstance(done.code, int) else 0
    except GlossatorError as error:
        typer.echo(f"glossator: {error}", err=True)
        return error.exit_code
    except _StoppedError:
        typer.echo("glossator: stopped; what was finished is stored", err=True)
        return INTERRUPTED
    except (_ReaderGoneError, BrokenPipeError):
        # Python flushes stdout once more at exit, which would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
