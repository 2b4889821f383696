"""Halves that were trained before: a new model's encoder, its decoder or both, with their vocabularies, out of saved models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from endash.encoders.pretrained import PretrainedConfig
from endash.errors import RecipeError
from endash.loading import AnyModel, load
from endash.recipe import Recipe
from endash.registry import kind_of
from endash.text.foreign import ForeignTokenizer
from endash.text.tokenizer import Tokenizer

_BELONGS: dict[str, tuple[str, ...]] = {
    "encoder": ("source_embedding", "segment_embedding", "frontend", "encoder"),
    "decoder": ("target_embedding", "decoder", "head", "lengths"),
}
_FREE = {  # of training alone
    *("dropout", "annealing_cycles", "annealing_rise", "free_bits", "word_dropout"),
    *("hide_time", "hide_mels", "crop", "mirror"),
}


class Halves:
    """The models that ``[trained]`` of a recipe names.

    Raises RecipeError where they are not of the recipe's settings, a joint vocabulary is wanted and theirs is none, or one of
    another size or model than theirs.
    """

    def __init__(self, recipe: Recipe) -> None:
        named = {"encoder": recipe.trained.encoder, "decoder": recipe.trained.decoder}
        self.recipe = recipe
        self.folders = {role: folder for role, folder in named.items() if folder is not None}
        loaded = {folder: load(folder) for folder in set(self.folders.values())}
        self.models = {role: loaded[folder] for role, folder in self.folders.items()}
        for role, model in self.models.items():
            if getattr(model.recipe, role) is None:
                raise RecipeError(
                    f"trained.{role} = {self.folders[role]!r} is a model of task.kind = {kind_of(model.recipe.task)!r}, which has no "
                    f"{role}: name one that writes text"
                )
            _check_settings(role, self.folders[role], model.recipe, recipe)
        if recipe.text.joint:
            self._check_joint()
        self._check_text()

    def vocabularies(self) -> dict[str, Any]:
        """What is known already of `Codec.train`'s vocabularies."""
        if self.recipe.text.joint and self.models:
            both = next(iter(self.models.values())).codec.target
            return {"source": both, "target": both}
        known: dict[str, Tokenizer | ForeignTokenizer] = {}
        if "encoder" in self.models:
            known["source"] = self.models["encoder"].codec.source
        if "decoder" in self.models:
            known["target"] = self.models["decoder"].codec.target
        return known

    def give(self, model: AnyModel) -> Iterator[str]:
        """Put their parameters into a new model; gives sentences on what the user should know of the rest.

        Raises RecipeError for parameters of another shape.
        """
        new = model.network.state_dict()
        taken: set[str] = set()
        for role, names in self._names().items():
            old = self.models[role].network.state_dict()
            for name in (one for one in old if one.partition(".")[0] in names):
                if name not in new:
                    yield f"trained.{role}: {name} of {self.folders[role]} has no place in this model, and is left out"
                    continue
                self._put(role, name, new[name], old[name])
                taken.add(name)
        fresh = {name.partition(".")[0] for name, _ in model.network.named_parameters() if name not in taken}
        if len(self.folders) == 2 and "link" in fresh:
            yield (
                f"the link {kind_of(self.recipe.link)!r} between the encoder of {self.folders['encoder']} and the decoder of "
                f"{self.folders['decoder']} is untrained: what this model writes means little until the link has been trained"
            )

    def _names(self) -> dict[str, tuple[str, ...]]:
        """The parts of the network that each half gives; what is between them too where all was trained together."""
        names = {role: _BELONGS[role] for role in self.models}
        if len(set(self.folders.values())) == 1 and len(self.folders) == 2:
            names["decoder"] += ("ctc",)
            whole = self.models["encoder"].recipe
            if whole.link == self.recipe.link:
                names["decoder"] += ("link",)
        return names

    def _put(self, role: str, name: str, new: Tensor, old: Tensor) -> None:
        if new.shape != old.shape:
            raise RecipeError(
                f"trained.{role} = {self.folders[role]!r}: its {name} is {tuple(old.shape)}, and this recipe asks for "
                f"{tuple(new.shape)}: take the settings of {self.folders[role]} over, [link], [head] and [retrieval] included"
            )
        with torch.no_grad():
            new.copy_(old)

    def _check_joint(self) -> None:
        prints = {model.codec.fingerprint() for model in self.models.values()}
        if len(prints) > 1 or any(model.codec.source is not model.codec.target for model in self.models.values()):
            raise RecipeError(
                "text.joint = true asks for one vocabulary, and the trained halves have two: set text.joint = false and "
                'head.tie = "target"'
            )

    def _check_text(self) -> None:
        """What the recipe says of a vocabulary has to be true of one, where all of them are there already."""
        encoder, known = self.recipe.encoder.innermost, self.vocabularies()
        learns_source = "source" not in known and not isinstance(encoder, PretrainedConfig)
        learns_target = "target" not in known and self.recipe.does.writes == "text"
        sides = {"encoder": "source", "decoder": "target"}
        theirs = {
            role: model.recipe.text for role, model in self.models.items() if isinstance(known[sides[role]], Tokenizer)
        }
        if learns_source or learns_target or not theirs:
            return
        for key in ("model", "size"):
            ours, held = getattr(self.recipe.text, key), {role: getattr(one, key) for role, one in theirs.items()}
            if ours not in held.values():
                role, value = next(iter(held.items()))
                raise RecipeError(
                    f"text.{key} = {ours!r}, and no vocabulary is learned: that of trained.{role} = {self.folders[role]!r} is taken "
                    f"over, with text.{key} = {value!r}: set text.{key} = {value!r}"
                )


def _check_settings(role: str, folder: str, theirs: Recipe, ours: Recipe) -> None:
    """Raise RecipeError naming a setting that changes what a half's parameters mean, where the two have it differently."""
    both = theirs.frontend is not None and ours.frontend is not None
    sections = ("encoder", "frontend") if role == "encoder" and both else (role,)
    their, our = (
        {key: value for name in sections for key, value in _flat(getattr(one, name).model_dump(), name)}
        | {"text.placeholders": one.text.placeholders}
        for one in (theirs, ours)
    )
    for key in sorted(their.keys() | our.keys()):
        if key.rpartition(".")[2] not in _FREE and their.get(key) != our.get(key):
            raise RecipeError(
                f"trained.{role} = {folder!r} was trained with {key} = {their.get(key, 'not set')!r}, and this recipe has "
                f"{our.get(key, 'not set')!r}: take its setting over"
            )


def _flat(table: dict[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{key}.{name}")
        else:
            yield f"{key}.{name}", value
