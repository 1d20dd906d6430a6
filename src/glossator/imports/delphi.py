"""Labels from the folders of a Delphi run: `explanations/*.txt` and, where there are any, `scores/*/*.txt`.

After the wheel eai-delphi 0.1.3 (https://github.com/EleutherAI/delphi): an explanation is a JSON string
(`__main__.py:176-178`), a file of `detection` or `fuzz` scores a JSON list of `ClassifierOutput`
(`scorers/classifier/sample.py:18-39`). The value is computed as Delphi's report does, balanced accuracy
over the answers that are there (`log/result_analysis.py:97-128`), and missing answers are counted, which
its report does not. Files of other scorers are named with no value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from glossator.errors import ImportedFileError, UserError, listed
from glossator.records import ClaimedScore, ImportedLabel

ORIGIN = "delphi"
_CACHED = re.compile(r"[0-9]{1,12}_([0-9]{1,12})\.safetensors")
_LATENT = re.compile(r"(.+)_latent([0-9]{1,12})\.txt")


class _Answer(BaseModel):
    """What is read of a `ClassifierOutput`."""

    model_config = ConfigDict(extra="ignore")

    activating: bool
    prediction: bool | None


class _Settings(BaseModel):
    """What is read of `run_config.json`."""

    model_config = ConfigDict(extra="ignore")

    model: str | None = None
    explainer_model: str | None = None


class _Latent(NamedTuple):
    hookpoint: str
    number: int
    path: Path


_TEXT = TypeAdapter(str)
_ANSWERS = TypeAdapter(list[_Answer])


def read_delphi(folder: Path, source: str | None = None) -> Iterator[ImportedLabel]:
    """Every label of a run, by index.

    Args:
        folder: the run's folder: `results/NAME`, with `explanations` in it.
        source: the hookpoint; needed where the run explained several.

    Raises:
        ImportedFileError: a file is damaged; names the file.
        UserError: there are no explanations, or several hookpoints and none was chosen.
    """
    latents = _latents(folder, source)
    settings = _settings(folder / "run_config.json")
    author = f"{ORIGIN}:{settings.explainer_model}" if settings.explainer_model else ORIGIN
    scorers = _scorers(folder / "scores")
    for latent in latents:
        stem = f"{latent.hookpoint}_latent{latent.number}".replace("/", "--")
        found = ((scorer, folder / "scores" / scorer / f"{stem}.txt") for scorer in scorers)
        yield ImportedLabel(
            feature=latent.number,
            text=_parsed(latent.path),
            author=author,
            model=settings.model or "",
            place=latent.hookpoint,
            claimed=tuple(_claimed(scorer, path) for scorer, path in found if path.is_file()),
            source=str(latent.path.relative_to(folder)),
        )


def _latents(folder: Path, source: str | None) -> list[_Latent]:
    """The explained latents of one hookpoint, by index."""
    place = folder / "explanations"
    if not place.is_dir():
        raise UserError(f"there is no folder {str(place)!r}: give the folder of a Delphi run, results/NAME")
    matched = (m for entry in os.scandir(place) if (m := _LATENT.fullmatch(entry.name)))
    latents = [_Latent(m[1], int(m[2]), place / m[0]) for m in matched]
    hookpoints = {latent.hookpoint for latent in latents}
    if not hookpoints:
        raise UserError(
            f"no file of {str(place)!r} is named HOOKPOINT_latentN.txt: there is nothing to import"
        )
    if source is None and len(hookpoints) > 1:
        raise UserError(f"the run explained the hookpoints {listed(hookpoints)}: choose one with --source")
    if source is not None and source not in hookpoints:
        raise UserError(f"--source {source!r} was not explained: the run has {listed(hookpoints)}")
    return sorted(one for one in latents if source in (None, one.hookpoint))


def delphi_width(folder: Path, hookpoint: str) -> int | None:
    """How many latents the dictionary has, as far as the run's cache is there and says it.

    Its files are named `FIRST_LAST.safetensors` and cover all latents (`latents/cache.py:323-384`).
    """
    place = folder / "latents" / hookpoint
    names = (entry.name for entry in os.scandir(place)) if place.is_dir() else ()
    last = [int(m[1]) for name in names if (m := _CACHED.fullmatch(name))]
    return max(last) + 1 if last else None


def _settings(path: Path) -> _Settings:
    """What the run's settings say, where they are there."""
    if not path.is_file():
        return _Settings()
    try:
        return _Settings.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise _damaged(path, error) from error


def _scorers(scores: Path) -> list[str]:
    return sorted(p.name for p in scores.iterdir() if p.is_dir()) if scores.is_dir() else []


def _parsed(path: Path) -> str:
    try:
        return _TEXT.validate_json(path.read_bytes(), strict=True)
    except (OSError, ValidationError) as error:
        raise _damaged(path, error) from error


def _claimed(scorer: str, path: Path) -> ClaimedScore:
    """The score that Delphi's report would make of the file."""
    try:
        content = path.read_bytes()
        answers = _ANSWERS.validate_json(content)
    except OSError as error:
        raise _damaged(path, error) from error
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise _damaged(path, error) from error
        return ClaimedScore(name=scorer, value=None)  # of a scorer that stores something else
    given = [a for a in answers if a.prediction is not None]
    hits = [a.prediction for a in given if a.activating]
    silences = [not a.prediction for a in given if not a.activating]
    both = bool(hits) and bool(silences)
    return ClaimedScore(
        name=scorer,
        value=(sum(map(bool, hits)) / len(hits) + sum(silences) / len(silences)) / 2 if both else None,
        n_scored=len(given),
        n_failed=len(answers) - len(given),
    )


def _damaged(path: Path, error: OSError | ValidationError) -> ImportedFileError:
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return ImportedFileError(
            f"{str(path)!r}, line 1: {first['msg']}; nothing was imported: repair the file or take it out"
        )
    return ImportedFileError(f"{str(path)!r} cannot be read: {error.strerror or error}")
