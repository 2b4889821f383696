"""score pairs: the log-probability of each target, given its source

Reads lines of source, tab, target from standard input and writes a natural logarithm for each; nearer to 0 is likelier. A
source is what a line of endash predict is: a text, or what the model's task reads.

example:
  printf 'A man sleeps.\\tEin Mann schläft.\\n' | endash score runs/demo
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from endash.cli.progress import progress
from endash.cli.sources import records_of_lines
from endash.cli.streams import naming_lines, read_chunks, write_lines
from endash.errors import TextError


def add_arguments(parser: ArgumentParser) -> None:
    """MODEL."""
    parser.add_argument("model", metavar="MODEL", help="a model's folder, or a run's")


def run(args: Namespace) -> None:
    """Write a score for each line."""
    from endash.model import Model

    model = Model.load(args.model)
    done = 0
    with progress("scoring", busy=not sys.stdin.isatty() and not sys.stdout.isatty()) as advance:
        for chunk in read_chunks():
            one_text = model.task.verbatim
            pairs = [_pair(line, number, one_text=one_text) for number, line in enumerate(chunk, start=done + 1)]
            records = records_of_lines(model, (source for source, _ in pairs), first=done + 1)
            with naming_lines(done + 1):
                scores = model.score(records, [target for _, target in pairs])
            write_lines(f"{score:.4f}" for score in scores)
            done += len(chunk)
            advance(len(chunk))


def _pair(line: str, number: int, *, one_text: bool) -> tuple[str, str]:
    """The source and the target of a line; a source that is not `one_text` may have tabs of its own."""
    tabs = line.count("\t")
    if tabs == 0 or (one_text and tabs > 1):
        raise TextError(f"standard input, line {number}: {tabs} tabs, where one must stand between source and target")
    source, _, target = line.rpartition("\t")
    return source, target
