"""The settings of decoding that a command can change in a trained model."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from endash.cli.parser import add_set, positive
from endash.errors import RecipeError

if TYPE_CHECKING:
    from endash.model import Model


def add_decoding(parser: ArgumentParser) -> None:
    """``--beam N`` and ``--set decoding.KEY=VALUE``."""
    parser.add_argument("--beam", type=positive, metavar="N", help="beams of a source; 1 is greedy search")
    add_set(parser, "decoding.length_penalty=0.6 or decoding.search=sample")


def decoding_changes(args: Namespace) -> dict[str, Any]:
    """What these arguments change in the model's ``[decoding]``. Raises RecipeError for any other section."""
    from endash.recipe import apply_overrides

    changes: dict[str, Any] = {}
    for key in apply_overrides(changes, args.set):
        if not key.startswith("decoding."):
            raise RecipeError(f"--set {key}: a trained model is what it is: only decoding.… can be set here")
    return {**changes.get("decoding", {}), **({"beam": args.beam} if args.beam else {})}


def best_texts(
    model: Model, changes: dict[str, Any], advance: Callable[[int], None]
) -> Callable[[list[str]], list[str]]:
    """A function from texts to the best translation of each, with the decoding so changed; it tells `advance` of them."""
    return lambda texts: [found[0].text for found in model.translate(texts, progress=advance, **changes)]
