"""decode a memory file: the text of each of its lines

The memory must be this model's own: written by `endash encode`, or in Python by memory.save, with the same parameters.

example:
  endash decode runs/demo sleeps.memory --beam 4
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from endash.cli.decoding import add_decoding, decoding_changes
from endash.cli.progress import progress
from endash.cli.streams import one_line, write_lines


def add_arguments(parser: ArgumentParser) -> None:
    """MODEL FILE, and how to decode."""
    parser.add_argument("model", metavar="MODEL", help="a model's folder, or a run's")
    parser.add_argument("memory", metavar="FILE", help="a memory file")
    add_decoding(parser)


def run(args: Namespace) -> None:
    """Write a line for each row of the memory."""
    changes = decoding_changes(args)

    from endash.memory import Memory
    from endash.model import load

    memory = Memory.load(args.memory)
    model = load(args.model)
    with progress("decoding", total=len(memory)) as advance:
        texts = model.decode(memory, progress=advance, **changes)
    write_lines(one_line(text) for text in texts)
