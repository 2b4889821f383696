"""train a model on what another one writes

The teacher, a model or run, translates the sources of the recipe's train part, and the recipe is trained on its targets and
on the corpus's own; with --set distillation.targets=teacher on the teacher's alone. The valid part stays as it is. This is
endash train with the section [distillation] in its recipe, and goes on with --resume like it; what is translated is kept.

example:
  endash distill recipes/multi30k-en-de-fast.toml --teacher runs/multi30k --out runs/fast
  endash distill recipes/multi30k-en-de-fast.toml --teacher runs/multi30k --out runs/fast --resume
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from endash.cli import train
from endash.cli.parser import positive
from endash.errors import RecipeError


def add_arguments(parser: ArgumentParser) -> None:
    """Those of `endash train`, the teacher and its beam."""
    parser.add_argument("--teacher", metavar="MODEL", required=True, help="a model's folder, or a run's")
    parser.add_argument("--beam", type=positive, metavar="N", help="beams of a source when the teacher translates")
    train.add_arguments(parser)


def run(args: Namespace) -> None:
    """Put the teacher into the recipe, and train it."""
    given = {"teacher": json.dumps(args.teacher, ensure_ascii=False)}  # a path in quotation marks is never a number
    if args.beam is not None:
        given["beam"] = str(args.beam)
    for override in args.set:
        key = override.partition("=")[0].strip()
        if key in {"distillation", *(f"distillation.{name}" for name in given)}:
            raise RecipeError(f"--set {override}: {' and '.join(f'--{name}' for name in given)} say it: leave one out")
    args.set = [*(f"distillation.{name}={value}" for name, value in given.items()), *args.set]
    train.run(args)
