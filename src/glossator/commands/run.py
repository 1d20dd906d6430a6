"""`glossator run`: labelling runs over many features, ordered, watched, paused, gone on with, reported."""

from __future__ import annotations

import typer

from glossator.commands.run_control import pause_command, resume_command, retry_command, stop_command
from glossator.commands.run_plan import plan_command
from glossator.commands.run_process import conduct_command, work_command
from glossator.commands.run_report import report_command
from glossator.commands.run_start import start_command
from glossator.commands.run_watching import list_command, status_command, watch_command

app = typer.Typer(
    help="Label many features overnight: start, watch, pause, resume, stop, report.", no_args_is_help=True
)
app.command("start")(start_command)
app.command("list")(list_command)
app.command("status")(status_command)
app.command("watch")(watch_command)
app.command("pause")(pause_command)
app.command("resume")(resume_command)
app.command("stop")(stop_command)
app.command("retry-failed")(retry_command)
app.command("report")(report_command)
app.command("plan")(plan_command)
app.command("work", hidden=True)(work_command)
app.command("conduct", hidden=True)(conduct_command)
