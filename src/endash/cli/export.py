"""write a model for another library: CTranslate2

What CTranslate2 cannot express is refused by name. ctranslate2 itself writes the files: pip install "endash[ctranslate2]". Before
the folder takes its name, what both make of some texts is compared in float32. The folder also holds the vocabularies, and a
README.md that shows how to use them.

example:
  endash export models/marian --to ctranslate2 --out models/marian-ct2
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from endash.cli.import_ import add_check
from endash.cli.parser import note
from endash.cli.sources import corpus_records, naming_records
from endash.cli.streams import write_lines


def add_arguments(parser: ArgumentParser) -> None:
    """MODEL --to LIBRARY --out FOLDER, and what to compare on."""
    parser.add_argument("model", metavar="MODEL", help="a model's folder, or a run's")
    parser.add_argument("--to", metavar="LIBRARY", required=True, choices=("ctranslate2",), help="ctranslate2")
    parser.add_argument("--out", metavar="FOLDER", required=True, help="the folder to write")
    add_check(parser)


def run(args: Namespace) -> None:
    """Write, compare, and let it stand."""
    from endash.interop.ctranslate2 import check_expressible, export_ctranslate2
    from endash.interop.parity import drawn_texts
    from endash.model import Model

    model = Model.load(args.model)
    check_expressible(model.recipe)
    records = corpus_records(args.check) if args.check else []
    texts = [record.source for record in records] or drawn_texts(model.codec)
    with naming_records(records):
        parity = export_ctranslate2(model, args.out, texts)
    write_lines([str(parity)])
    if parity.texts < len(texts):
        note(f"left out of the comparison, for they have placeholders: {len(texts) - parity.texts}")
    note(f"{args.out}: written for CTranslate2; its README.md shows how to use it")
