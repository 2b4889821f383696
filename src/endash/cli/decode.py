"""decode memories: the text of each line of a memory file, or of standard input by a store

A memory must be this model's own: written by `endash encode`, or in Python by memory.save, with the same parameters. With
--store the lines of standard input are decoded from their stored memories; one that is not stored is encoded, and stored.

example:
  endash decode runs/demo sleeps.memory --beam 4
  echo "A man sleeps." | endash decode runs/demo --store memories
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from endash.cli.decoding import add_decoding, decoding_changes
from endash.cli.progress import progress
from endash.cli.sources import sources
from endash.cli.streams import one_line, write_lines
from endash.errors import EndashError


def add_arguments(parser: ArgumentParser) -> None:
    """MODEL FILE | --store FOLDER, and how to decode."""
    parser.add_argument("model", metavar="MODEL", help="a model's folder, or a run's")
    parser.add_argument("memory", metavar="FILE", nargs="?", help="a memory file")
    parser.add_argument("--store", metavar="FOLDER", help="take the memories of standard input's lines from here")
    add_decoding(parser)


def run(args: Namespace) -> None:
    """Write a line for each memory."""
    changes = decoding_changes(args)
    if (args.memory is None) == (args.store is None):
        raise EndashError("give a memory file, or --store FOLDER and lines on standard input: one of the two")

    from endash.memory import Memory
    from endash.memory_store import MemoryStore
    from endash.model import Model

    memory = Memory.load(args.memory) if args.memory else None
    store = MemoryStore.find(args.store) if args.store else None
    model = Model.load(args.model)
    if store is not None:
        with (
            sources(None, "endash decode --store", model.recipe) as lines,
            progress("reading", total=len(lines)) as advance,
        ):
            memory = store.memory(model, lines, progress=advance)
    assert memory is not None
    with progress("decoding", total=len(memory)) as advance:
        texts = model.decode(memory, progress=advance, **changes)
    write_lines(one_line(text) for text in texts)
