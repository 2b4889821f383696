"""encode lines into a memory file, to be decoded later

Reads UTF-8 from standard input; the file holds what the encoder made of each line, in safetensors.

example:
  echo "A man sleeps." | endash encode runs/demo --out sleeps.memory
  endash decode runs/demo sleeps.memory
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from endash.cli.parser import note
from endash.cli.progress import progress
from endash.cli.streams import naming_lines, read_all


def add_arguments(parser: ArgumentParser) -> None:
    """MODEL --out FILE."""
    parser.add_argument("model", metavar="MODEL", help="a model's folder, or a run's")
    parser.add_argument("--out", metavar="FILE", required=True, help="the memory file to write")


def run(args: Namespace) -> None:
    """Write the memory of standard input."""
    from endash.model import load

    model = load(args.model)
    lines = read_all("endash encode")
    with progress("encoding", total=len(lines)) as advance, naming_lines(1):
        memory = model.encode(lines, progress=advance)
    memory.save(args.out)
    note(f"{args.out}: a memory of {len(memory)} lines")
