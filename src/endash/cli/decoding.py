"""The settings of decoding that a command can change in a trained model."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from endash.cli.parser import add_set, positive
from endash.errors import RecipeError

if TYPE_CHECKING:
    from endash.decoding.hypothesis import Hypothesis

Translate: TypeAlias = "Callable[..., list[list[Hypothesis]]]"
"""`translate` of `Engine`, or of `Model` with its decoding."""


def add_decoding(parser: ArgumentParser) -> None:
    """``--beam N`` and ``--set decoding.KEY=VALUE``."""
    parser.add_argument("--beam", type=positive, metavar="N", help="beams of a source; 1 is greedy search")
    add_set(parser, "decoding.length_penalty=0.6 or decoding.search=sample")


def decoding_changes(args: Namespace) -> dict[str, Any]:
    """What these arguments change in the model's ``[decoding]``, options of the command such as ``--beam`` among them.

    Raises RecipeError for any other section, for an option that --set contradicts, and for hypotheses that this command
    would not write.
    """
    from endash.config import apply_overrides

    changes: dict[str, Any] = {}
    for key in apply_overrides(changes, args.set):
        if not key.startswith("decoding."):
            raise RecipeError(f"--set {key}: a trained model is what it is: only decoding.… can be set here")
    found: dict[str, Any] = changes.get("decoding", {})
    for name in ("beam", "n_best"):
        given = getattr(args, name, None)
        if given is not None and found.setdefault(name, given) != given:
            option = f"--{name.replace('_', '-')}"
            raise RecipeError(
                f"{option} {given} and --set decoding.{name}={found[name]} contradict: leave one of them out"
            )
    if "n_best" in found and not hasattr(args, "n_best"):
        raise RecipeError(
            "--set decoding.n_best: this command takes the best alone: for more, endash translate --n-best of a translation, "
            "and model.translate(texts, n_best=…) in Python of any model that reads text"
        )
    return found


def best_texts(translate: Translate, advance: Callable[[int], None]) -> Callable[[list[str]], list[str]]:
    """A function from texts to the best translation of each; it tells `advance` of them."""
    return lambda texts: [found[0].text for found in translate(texts, scored=False, progress=advance)]
