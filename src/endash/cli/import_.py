"""make a model of a Marian checkpoint of Hugging Face transformers

FOLDER is what save_pretrained wrote of a MarianMTModel, and --tokenizer the sentencepiece model whose ids are its own: padding 0,
unknown 1, start 2, end 3. The model is used as if it had been trained here. transformers is not needed; where it is installed, what
both make of some texts is compared first, and nothing is written if they compute another thing.

example:
  endash import marian --tokenizer marian/spm.model --out models/marian
  echo "A man sleeps." | endash translate models/marian
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from endash.cli.parser import note
from endash.cli.sources import corpus_records, naming_records
from endash.cli.streams import write_lines


def add_arguments(parser: ArgumentParser) -> None:
    """FOLDER --tokenizer FILE --out MODEL, and what to compare on."""
    parser.add_argument("folder", metavar="FOLDER", help="a MarianMTModel's")
    parser.add_argument("--tokenizer", metavar="FILE", required=True, help="its sentencepiece model")
    parser.add_argument("--out", metavar="MODEL", required=True, help="the model's folder to write")
    add_check(parser)


def add_check(parser: ArgumentParser) -> None:
    """``--check CORPUS``."""
    parser.add_argument(
        "--check",
        metavar="CORPUS",
        help="compare on the sources of this file of pairs, not on texts drawn from the vocabulary",
    )


def run(args: Namespace) -> None:
    """Import, compare, write."""
    from pathlib import Path

    from endash import model_folder
    from endash.interop.marian import import_marian
    from endash.interop.parity import beside_transformers, drawn_texts

    model_folder.check_replaceable(Path(args.out))
    records = corpus_records(args.check) if args.check else []
    model = import_marian(args.folder, args.tokenizer, name=Path(args.out).absolute().name)
    texts = [record.source for record in records] or drawn_texts(model.codec)
    with naming_records(records):
        parity = beside_transformers(model, args.folder, texts)
    found = (
        [f"imported from a Marian checkpoint; {parity.check()}"] if parity else ["imported from a Marian checkpoint"]
    )
    model.save(args.out, notes=found)
    if parity is None:
        note(
            "not compared, for transformers is not installed: names, shapes and sizes of all parameters were checked alone; "
            "pip install transformers and import again to compare scores and words"
        )
    else:
        write_lines([str(parity)])
    note(
        f"{args.out}: a model of {sum(one.numel() for one in model.network.parameters()) / 1e6:.1f} million parameters"
    )
