"""A saved model: one folder that moves between machines, and from which no code is run.

model.safetensors   parameters           recipe.toml   how it was made
text/               vocabularies         pairs/        the translation memory, where it reads one
README.md           the model card       shortlist.safetensors   which tokens may be written for which, where learned
core.json           what the native core is told of it, where it decodes it: see endash.served
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from endash.errors import ModelError
from endash.files import save_tensors
from endash.registry import kind_of

if TYPE_CHECKING:
    from torch import nn

    from endash.recipe import Recipe

PARAMETERS, RECIPE, TEXT, PAIRS, CARD = "model.safetensors", "recipe.toml", "text", "pairs", "README.md"
SHORTLIST = "shortlist.safetensors"
BEST = "model"  # the folder of a run that holds its best model


def find(path: Path) -> Path:
    """The folder of the model at `path`, which is one or a run with one. Raises ModelError naming what is missing."""
    if not path.exists():
        raise ModelError(f"{path}: there is no such model; give the folder of a model, or of a run")
    inside = path / BEST
    where = inside if inside.is_dir() else path
    missing = [name for name in (PARAMETERS, RECIPE, TEXT) if not (where / name).exists()]
    begun = (path / "checkpoints").is_dir() or ((path / ".lock").exists() and not inside.is_dir())
    if missing and begun:
        raise ModelError(
            f"{path} is a run whose training has not written a model yet: go on with endash train … --resume"
        )
    if len(missing) == 3:
        raise ModelError(f"{path} has no {', '.join(missing)}: it is no model's folder")
    if missing:
        raise ModelError(f"{where} is incomplete, {' and '.join(missing)} is missing: copy the whole folder again")
    return where


def task_in(folder: Path) -> str:
    """The kind of the task of the model in a folder; that of a translation where its recipe cannot be read, which is told later."""
    return str(_recipe_in(folder).get("task", {}).get("kind", "translation"))


def prompts_in(folder: Path) -> list[str]:
    """The prompts by which the model in a folder was asked in training; none where its recipe cannot be read."""
    given = _recipe_in(folder).get("corpus", {}).get("train", [])
    return [one["prompt"] for one in (given if isinstance(given, list) else [given]) if one.get("prompt")]


def _recipe_in(folder: Path) -> dict[str, Any]:
    """The recipe as it is written, without what makes one of it; empty where it cannot be read."""
    try:
        return tomllib.loads((folder / RECIPE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def check_replaceable(path: Path) -> None:
    """Raise ModelError if there is something at `path` that saving a model there would destroy: no model and not empty."""
    if path.is_dir() and ((path / PARAMETERS).exists() or not any(path.iterdir())):
        return
    if path.exists():
        raise ModelError(
            f"{path} is there already and is no model's folder: save into a new one, so that nothing is lost"
        )


def write_parameters(folder: Path, network: nn.Module) -> None:
    """Write the parameters, a shared one once."""
    found = {name: parameter.detach().cpu().contiguous() for name, parameter in network.named_parameters()}
    save_tensors(found, folder / PARAMETERS)


def read_parameters(folder: Path, network: nn.Module) -> None:
    """Put what `write_parameters` wrote into a network. Raises ModelError if it is broken or of another network."""
    import torch
    from safetensors.torch import load_file

    path = folder / PARAMETERS
    try:
        found = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is not a whole file of parameters ({error}): copy the model again") from error
    wanted = dict(network.named_parameters())
    if odd := sorted(found.keys() ^ wanted.keys()):
        raise ModelError(
            f"{path} does not fit {RECIPE}, they differ in {', '.join(odd[:3])} …: copy the whole folder again"
        )
    with torch.no_grad():
        for name, parameter in wanted.items():
            if parameter.shape != found[name].shape:
                raise ModelError(
                    f"{path}: {name} is {tuple(found[name].shape)}, and {RECIPE} and {TEXT}/ ask for {tuple(parameter.shape)}: "
                    "the vocabulary or the recipe was exchanged; copy the whole folder again"
                )
            parameter.copy_(found[name])


def read_arrays(folder: Path) -> dict[str, NDArray[np.float32]]:
    """What `write_parameters` wrote, without torch. Raises ModelError for a file that is broken, or not of 32-bit numbers."""
    from safetensors.numpy import load_file

    path = folder / PARAMETERS
    try:
        found = load_file(path)
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is not a whole file of 32-bit parameters ({error}): copy the model again") from error
    return {name: value.astype(np.float32, copy=False) for name, value in found.items()}


def notes(folder: Path) -> list[str]:
    """The lines of a model's card that say how it was made and what was measured, but for trials of decoding."""
    try:
        lines = (folder / CARD).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [line[2:] for line in lines if line.startswith("- ") and not line.startswith("- decoded in trial")]


def card(recipe: Recipe, network: nn.Module, notes: Sequence[str]) -> str:
    """The model card: what it is, what it was made from, what was measured, how to use it."""
    count = sum(parameter.numel() for parameter in network.parameters())
    lines = [
        f"# {recipe.name}",
        "",
        f"{_made_of(recipe)} of {count / 1e6:.1f} million parameters, for {kind_of(recipe.task)}: {_parts(recipe)}.",
        "",
        *(f"- {note}" for note in notes),
        "",
        "```sh",
        f'echo "…" | endash {"translate" if kind_of(recipe.task) == "translation" else "predict"} FOLDER',
        "```",
        "",
        f"`{RECIPE}` says {_told(recipe)}. It was made by Endash (https://pypi.org/project/endash).",
    ]
    return "\n".join(lines) + "\n"


def _made_of(recipe: Recipe) -> str:
    return "An encoder–decoder model" if recipe.does.writes == "text" else "An encoder with a head that labels"


def _parts(recipe: Recipe) -> str:
    parts = {"frontend": recipe.frontend, "encoder": recipe.encoder, "link": recipe.link, "decoder": recipe.decoder}
    return ", ".join(f"{kind_of(part)} {role}" for role, part in parts.items() if part is not None)


def _told(recipe: Recipe) -> str:
    """What a recipe tells of its model."""
    if recipe.corpus.train:
        return "how it was trained"
    return "what it is made of; on what and how it was trained is not known here"
