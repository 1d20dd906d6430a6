"""Flags that commands which label, score or investigate have in common: one wording, one set of bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glossator.commands.out_folder import out_folder

BudgetFlag = Annotated[
    str | None, typer.Option(help="What may be spent on LLM calls, such as 2usd, 500calls or 1Mtokens,30min.")
]
CausalFlag = Annotated[
    bool, typer.Option("--causal", help="Turn each feature up and down as well, and say what it causes.")
]
EstimateFlag = Annotated[
    bool, typer.Option("--estimate", help="Say what LLM calls would be made and cost, and make none.")
]
ExplainByFlag = Annotated[
    str | None, typer.Option(help="How the explainer works: one-shot,contrastive,output-centric,refined.")
]
LabelAgainFlag = Annotated[bool, typer.Option("--force", help="Label again what is already labelled.")]
ResultsFlag = Annotated[
    Path | None,
    typer.Option(
        help="Folder for report.html and cards.jsonl; by default in the home folder.", callback=out_folder
    ),
]
SamplesFlag = Annotated[
    int, typer.Option(min=1, max=20, help="Explanations drawn per method; the best on validate is kept.")
]
ScoreByFlag = Annotated[
    str | None,
    typer.Option(
        help="What the scorer is asked: detection,fuzzing,intruder,simulation,surprisal,generation."
    ),
]
