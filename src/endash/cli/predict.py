"""ask a model of any task: a label, tags or a text for each line of standard input

What a line holds is told by the task of the model: a text; a premise and a hypothesis with a tab between; words with spaces
between; turns of a conversation with ⏎ between; the path of a recording or picture. --in FILE reads the sources of a corpus
as the model's recipe reads its own, with answers beside them or without, and answers every row. Of a conversation that is
each reply of the one who replies, and where another spoke last the reply that is due.

example:
  echo "Where is my new card?" | endash predict runs/banking77 --probabilities 3
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from endash.cli.decoding import add_decoding, decoding_changes
from endash.cli.parser import positive
from endash.cli.progress import progress
from endash.cli.sources import corpus_records, naming_records, records_of_lines, sources_of
from endash.cli.streams import naming_lines, one_line, read_chunks, write_lines
from endash.errors import EndashError

if TYPE_CHECKING:
    from endash.corpora import Record
    from endash.label_model import LabelModel, Prediction


def add_arguments(parser: ArgumentParser) -> None:
    """MODEL, where the sources are, and how many labels to tell."""
    parser.add_argument("model", metavar="MODEL", help="a model's folder, or a run's")
    parser.add_argument("--in", dest="corpus", metavar="FILE", help="a corpus in place of standard input")
    parser.add_argument("--files", metavar="PLACE", help="the folder or archive of the files that --in names")
    parser.add_argument(
        "--probabilities", metavar="N", type=positive, help="the N likeliest labels, each with its probability"
    )
    parser.add_argument(
        "--examples",
        metavar="FILE",
        help="examples for a model of task prompting, such as FILE.tsv:text,answer; their sources as the lines are put",
    )
    add_decoding(parser)


def run(args: Namespace) -> None:
    """Write an answer a line."""
    from endash.label_model import LabelModel
    from endash.loading import load

    if args.files is not None and not args.corpus:
        raise EndashError(
            f"--files {args.files} is where the files are that a corpus names: give --in, or lines with the paths themselves"
        )
    model, changes = load(args.model), decoding_changes(args)
    _check(args, changes, labels=isinstance(model, LabelModel))
    if args.examples is not None:
        assert not isinstance(model, LabelModel)
        pairs = [(record.source, record.target) for record in corpus_records(args.examples)]
        changes["examples"] = model.encode_examples(pairs)

    def lines(records: list[Record]) -> Iterator[str]:
        if isinstance(model, LabelModel) and args.probabilities:
            return _likeliest(model, model.predict(records, progress=advance), args.probabilities)
        answers = model.answer(records, progress=advance, **changes)
        return (one if isinstance(one, str) else " ".join(one) for one in answers)

    with progress("answering", busy=not sys.stdin.isatty() and not sys.stdout.isatty()) as advance:
        if args.corpus:
            records = sources_of(model, args.corpus, args.files)
            with naming_records(records):
                write_lines(map(one_line, lines(records)))
            return
        done = 0
        for chunk in read_chunks():
            with naming_lines(done + 1):
                write_lines(map(one_line, lines(records_of_lines(model, chunk, first=done + 1))))
            done += len(chunk)


def _check(args: Namespace, changes: dict[str, Any], *, labels: bool) -> None:
    """Raise EndashError for options that are not of a model that labels, or of one that writes text."""
    if labels and changes:
        raise EndashError(f"{args.model} labels, and decodes nothing: leave {', '.join(changes)} out")
    if labels and args.examples is not None:
        raise EndashError(f"{args.model} labels, and reads no examples: leave --examples out")
    if not labels and args.probabilities is not None:
        raise EndashError(f"{args.model} writes text: --probabilities are those of labels")


def _likeliest(model: LabelModel, found: list[list[list[Prediction]]], count: int) -> Iterator[str]:
    """A line for each source: label and probability, and a tab before the next; of tags, a tab between words."""

    def told(some: list[Prediction]) -> list[str]:
        return [f"{one.label} {one.probability:.3f}" for one in some[:count]]

    if model.task.writes == "tags":
        return ("\t".join(" ".join(told(word)) for word in one) for one in found)
    return ("\t".join(told(one[0])) for one in found)
