"""look at what a model does with a text: one page with its weights, alignment and memory

Writes one self-contained HTML file, and shows it in the browser where standard output is a terminal.
--latent shows where the lines of standard input lie in the latent space of a variational model.

example:
  endash look runs/demo "A man sleeps." --out sleeps.html --png
  cat texts.txt | endash look runs/vae --latent --out space.html
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from endash.cli.streams import read_all, write_lines
from endash.errors import EndashError


def add_arguments(parser: ArgumentParser) -> None:
    """MODEL TEXT, and where to write."""
    parser.add_argument("model", metavar="MODEL", help="a model's folder, or a run's")
    parser.add_argument("text", metavar="TEXT", nargs="?", help="a source to translate and look at")
    parser.add_argument(
        "--latent", action="store_true", help="look at the latent space, with lines from standard input"
    )
    parser.add_argument("--mask", action="store_true", help="also show what each position can see")
    parser.add_argument("--out", metavar="FILE", default="look.html", help="the page to write (look.html)")
    parser.add_argument("--png", action="store_true", help="write a picture beside it too")
    parser.add_argument("--no-open", action="store_true", help="do not show the page in the browser")


def run(args: Namespace) -> None:
    """Write the pictures and print their paths."""
    if args.latent == (args.text is not None):
        raise EndashError("give either a TEXT to look at, or --latent and texts on standard input")
    if args.latent and args.mask:
        raise EndashError("--mask shows what the positions of one TEXT see: leave out --latent, or --mask")
    if Path(args.out).suffix.lower() == ".png":
        raise EndashError(
            f"--out {args.out}: the page is HTML: name it {Path(args.out).with_suffix('.html')}, and --png writes "
            "the picture beside it"
        )

    page, *pictures = _latent(args) if args.latent else _text(args)
    write_lines(str(path) for path in (page, *pictures))
    if sys.stdout.isatty() and not args.no_open:
        import webbrowser

        webbrowser.open(page.absolute().as_uri())


def _text(args: Namespace) -> list[Path]:
    from endash.inspection import write_page, write_png
    from endash.inspection.observe import look_at
    from endash.model import Model

    look = look_at(Model.load(args.model), args.text, sight=args.mask)
    page = write_page(look, args.out)
    return [page, write_png(look, _png(args))] if args.png else [page]


def _latent(args: Namespace) -> list[Path]:
    from endash.inspection import write_latent_page, write_latent_png
    from endash.inspection.latent_space import latent_space
    from endash.model import Model

    space = latent_space(Model.load(args.model), read_all("endash look --latent"))
    page = write_latent_page(space, args.out)
    return [page, write_latent_png(space, _png(args))] if args.png else [page]


def _png(args: Namespace) -> Path:
    return Path(args.out).with_suffix(".png")
