"""look at what a model does with a text: one page with its weights, alignment and memory

Writes one self-contained HTML file, and shows it in the browser where standard output is a terminal.

example:
  endash look runs/demo "A man sleeps." --out sleeps.html --png
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from endash.cli.streams import write_lines
from endash.errors import EndashError


def add_arguments(parser: ArgumentParser) -> None:
    """MODEL TEXT, and where to write."""
    parser.add_argument("model", metavar="MODEL", help="a model's folder, or a run's")
    parser.add_argument("text", metavar="TEXT", help="a source to translate and look at")
    parser.add_argument("--out", metavar="FILE", default="look.html", help="the page to write (look.html)")
    parser.add_argument("--png", action="store_true", help="write a picture beside it too")
    parser.add_argument("--no-open", action="store_true", help="do not show the page in the browser")


def run(args: Namespace) -> None:
    """Write the pictures and print their paths."""
    if Path(args.out).suffix.lower() == ".png":
        raise EndashError(
            f"--out {args.out}: the page is HTML: name it {Path(args.out).with_suffix('.html')}, and --png writes "
            "the picture beside it"
        )

    from endash.inspection import write_page, write_png
    from endash.inspection.observe import look_at
    from endash.model import load

    look = look_at(load(args.model), args.text)
    page = write_page(look, args.out)
    write_lines([str(page)])
    if args.png:
        write_lines([str(write_png(look, Path(args.out).with_suffix(".png")))])
    if sys.stdout.isatty() and not args.no_open:
        import webbrowser

        webbrowser.open(page.absolute().as_uri())
