"""encode texts into a memory file or a store of memories, to be decoded later

The texts are the lines of standard input, in UTF-8, or the sources of CORPUS, such as test.tsv, app.po or test.tsv:en,de. A
file holds what the encoder made of each, in safetensors. A store is a folder that may be added to, by several processes at
once; what it holds already is not encoded again, and what was used least recently makes room where it is full.

example:
  echo "A man sleeps." | endash encode runs/demo --out sleeps.memory
  endash decode runs/demo sleeps.memory
  endash encode runs/demo test.tsv --store memories
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from endash.cli.parser import note, positive
from endash.cli.progress import progress
from endash.cli.sources import sources
from endash.errors import EndashError


def add_arguments(parser: ArgumentParser) -> None:
    """MODEL [CORPUS] --out FILE | --store FOLDER."""
    parser.add_argument("model", metavar="MODEL", help="a model's folder, or a run's")
    parser.add_argument("corpus", metavar="CORPUS", nargs="?", help="a file of pairs, whose sources are encoded")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", metavar="FILE", help="the memory file to write")
    where.add_argument("--store", metavar="FOLDER", help="the store to add to, made if it is not there")
    parser.add_argument(
        "--precision", choices=("float32", "float16", "int8"), help="what a new store keeps numbers in (float32)"
    )
    parser.add_argument(
        "--max-megabytes", metavar="N", type=positive, help="the most that the store may take on disk (8192)"
    )


def run(args: Namespace) -> None:
    """Write the memory of each text."""
    if args.store is None and (args.precision or args.max_megabytes):
        raise EndashError("--precision and --max-megabytes are settings of a store: give --store, or leave them out")

    from endash.memory_store import MemoryStore
    from endash.model import Model

    model = Model.load(args.model)
    with (
        sources(args.corpus, "endash encode", model.recipe) as texts,
        progress("encoding", total=len(texts)) as advance,
    ):
        if args.store is None:
            memory = model.encode(texts, progress=advance)
            memory.save(args.out)
            note(f"{args.out}: a memory of {len(memory)} lines")
            return
        limit = args.max_megabytes and args.max_megabytes * 10**6
        store = MemoryStore(args.store, max_bytes=limit, precision=args.precision)
        added = store.add(model, texts, progress=advance)
    note(f"{args.store}: {added} memories added, {len(store)} in {store.bytes / 1e6:,.1f} MB, {store.precision}")
    if store.dropped:
        note(f"{args.store}: {store.dropped} memories used least recently made room")
