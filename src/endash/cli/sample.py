"""write new texts with a variational model, or texts between two

Each is written from a latent vector: one that is drawn, or one on the line between those of two texts.

example:
  endash sample runs/vae --count 8 --seed 1
  endash sample runs/vae --count 6 --between "A man sleeps." "Two dogs run on the beach."
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from endash.cli.decoding import add_decoding, decoding_changes
from endash.cli.parser import positive
from endash.cli.streams import write_lines
from endash.errors import EndashError


def add_arguments(parser: ArgumentParser) -> None:
    """MODEL, how many texts, and from where."""
    parser.add_argument("model", metavar="MODEL", help="a model's folder, or a run's")
    parser.add_argument("--count", type=positive, metavar="N", default=8, help="how many texts (8)")
    parser.add_argument("--seed", type=positive, metavar="N", help="of the latent vectors that are drawn (1)")
    parser.add_argument("--between", nargs=2, metavar="TEXT", help="the first text and the last: nothing is drawn")
    add_decoding(parser)


def run(args: Namespace) -> None:
    """Write a line for each text."""
    if args.between and args.seed:
        raise EndashError("--seed is for vectors that are drawn, and --between draws none: leave one of them out")
    if args.between and args.count < 2:
        raise EndashError(f"--count {args.count}: --between writes the first text and the last, so at least 2")
    changes = decoding_changes(args)

    from endash.model import Model

    model = Model.load(args.model)
    if args.between:
        write_lines(model.interpolate(*args.between, steps=args.count, **changes))
    else:
        write_lines(model.sample(args.count, seed=args.seed or 1, **changes))
