"""Any model out of its folder: one that writes text, or one that labels."""

from __future__ import annotations

import os
from pathlib import Path

from endash import model_folder
from endash.label_model import LabelModel
from endash.model import Model
from endash.recipe import Recipe

AnyModel = Model | LabelModel


def class_of(recipe: Recipe) -> type[Model] | type[LabelModel]:
    """The class of the models of a recipe."""
    return Model if recipe.does.writes == "text" else LabelModel


def load(path: str | os.PathLike[str]) -> AnyModel:
    """The model in a folder, or the best one of a run; see `EncodingModel.load`."""
    where = model_folder.find(Path(path))
    recipe = Recipe.load(where / model_folder.RECIPE, run_plugins=False)
    return class_of(recipe).of_folder(where, recipe)
