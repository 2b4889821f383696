"""train a model from a recipe

RUN is a new folder. In it come the resolved recipe, the checkpoints and metrics.jsonl; it is also a model, that of its best
checkpoint. Interrupted with Ctrl-C, the run is saved and goes on with --resume.

example:
  endash train recipes/multi30k-en-de.toml --out runs/multi30k --set training.max_steps=2000
  endash train recipes/multi30k-en-de.toml --out runs/multi30k --resume
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from endash.cli.parser import add_set
from endash.cli.streams import write_lines


def add_arguments(parser: ArgumentParser) -> None:
    """RECIPE --out RUN [--resume] [--set KEY=VALUE]."""
    parser.add_argument("recipe", metavar="RECIPE", help="a TOML file")
    parser.add_argument("--out", metavar="RUN", required=True, help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="go on with the run from its last checkpoint")
    add_set(parser, "training.max_steps=2000")


def run(args: Namespace) -> None:
    """Read the recipe and train; the run's folder is the result."""
    from endash.recipe import Recipe

    recipe = Recipe.load(args.recipe, args.set)

    from endash.training import train

    train(recipe, args.out, resume=args.resume)
    write_lines([args.out])
