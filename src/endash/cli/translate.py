"""translate lines, or a file with its structure kept

Reads UTF-8 from standard input and writes one line for each. With --in and --out it translates a whole file: TSV gets a
target column, JSONL a field, TMX and XLIFF a target, PO its msgstr; each may be gzipped.

--alignment puts a tab and the Pharaoh pairs (source-target, words counted from 0) behind each line.
--prefixes takes what the target is to begin with from behind a tab in each line: it is kept, and the rest is written.
--n-best N writes N lines for each: its number, the score (log-probability) and the text, with tabs between.

example:
  echo "A man sleeps." | endash translate runs/demo --beam 4
  endash translate runs/demo --in app.po --out app.de.po
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endash.cli.decoding import Translate, add_decoding, best_texts, decoding_changes
from endash.cli.parser import note, positive
from endash.cli.progress import progress
from endash.cli.streams import naming_lines, one_line, read_chunks, write_lines
from endash.errors import EndashError, ModelError, TextError

if TYPE_CHECKING:
    from endash.decoding.hypothesis import Hypothesis


def add_arguments(parser: ArgumentParser) -> None:
    """MODEL, what to write of each line, and how to decode."""
    parser.add_argument("model", metavar="MODEL", help="a model's folder, or a run's")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--alignment", action="store_true", help="write the alignment behind each line")
    output.add_argument("--n-best", type=positive, metavar="N", help="write N hypotheses for each line")
    parser.add_argument("--prefixes", action="store_true", help="read the beginning of each target behind a tab")
    parser.add_argument("--in", dest="source", metavar="FILE", help="translate this file")
    parser.add_argument("--out", dest="target", metavar="FILE", help="and write this one")
    add_decoding(parser)


def run(args: Namespace) -> None:
    """Translate standard input, or a file."""
    if bool(args.source) != bool(args.target):
        raise EndashError("--in and --out go together: the file to translate and the one to write")
    changes = decoding_changes(args)
    args.n_best = changes.get("n_best")
    if args.source and (args.alignment or args.n_best or args.prefixes):
        raise EndashError(
            "--alignment, --n-best and --prefixes are for lines on standard input: a file keeps its own structure"
        )
    if args.alignment and args.n_best:
        raise EndashError("--alignment goes with the best of each line, not with n_best: leave one of them out")

    if args.source:
        _check_asked_without_prompt(args)
    translate, check, described = _translator(args, changes)
    if args.source:
        _translate_file(args, translate, check)
    else:
        _translate_lines(args, translate)
    note(f"decoded by {described()}")


def _check_asked_without_prompt(args: Namespace) -> None:
    """Raise ModelError for a model whose sources a prompt makes of columns: those of a file would be put without it."""
    from endash import model_folder

    if prompts := model_folder.prompts_in(model_folder.find(Path(args.model))):
        raise ModelError(
            f"{args.model} learned from sources with a prompt, {prompts[0]!r}, and a file's would be put without one: answer "
            f"the rows of a .tsv or .jsonl file by endash predict {args.model} --in {args.source}, which puts it, or write the "
            "prompt before each line on standard input"
        )


def _translator(
    args: Namespace, changes: dict[str, Any]
) -> tuple[Translate, Callable[[list[str]], None], Callable[[], str]]:
    """How to translate, how to check texts before, and what to say of it: by the core without PyTorch, where it can do this."""
    from endash import model_folder
    from endash.engine import Engine
    from endash.served import NotServedError

    kind = model_folder.task_in(model_folder.find(Path(args.model)))
    if kind == "translation":  # whose sources stand as they are
        with suppress(NotServedError):
            engine = Engine(args.model, **changes)
            return engine.translate, engine.check, engine.__str__
    from endash.model import Model

    model = Model.load(args.model)
    if not model.task.verbatim:
        raise ModelError(
            f"{args.model} is a model of task.kind = {kind!r}, whose source is not a text as it stands: ask it by endash predict"
        )
    described = partial(model.describe_path, **changes)
    return partial(model.translate, **changes), model.check, described


def _translate_file(args: Namespace, translate: Translate, check: Callable[[list[str]], None]) -> None:
    from endash.corpora import guessed_columns, translate_file

    if guessed := guessed_columns(args.source):
        note(guessed)
    with progress(args.source) as advance:
        done = translate_file(args.source, args.target, best_texts(translate, advance), check=check)
    note(f"{args.target}: {done.translated:,} texts translated, {done.kept:,} translations kept as they were")


def _translate_lines(args: Namespace, translate: Translate) -> None:
    done = 0
    with progress("translating", busy=not sys.stdin.isatty() and not sys.stdout.isatty()) as advance:
        for chunk in read_chunks():
            texts, prefixes = _begun(chunk, first=done + 1) if args.prefixes else (chunk, None)
            with naming_lines(done + 1):
                found = translate(
                    texts, prefixes=prefixes, alignment=args.alignment, scored=bool(args.n_best), progress=advance
                )
            write_lines(_lines(found, args, first=done + 1))
            done += len(chunk)


def _begun(lines: list[str], *, first: int) -> tuple[list[str], list[str]]:
    """The sources of lines, and what stands behind the tab in each."""
    texts, prefixes = list[str](), list[str]()
    for number, line in enumerate(lines, start=first):
        if line.count("\t") > 1:
            raise TextError(
                f"standard input, line {number}: --prefixes takes a source, a tab and the beginning of its target"
            )
        text, _, prefix = line.partition("\t")
        texts.append(text)
        prefixes.append(prefix)
    return texts, prefixes


def _lines(found: list[list[Hypothesis]], args: Namespace, *, first: int) -> Iterator[str]:
    from endash.evaluation.alignment import pharaoh

    for number, hypotheses in enumerate(found, start=first):
        best = hypotheses[0]
        if args.n_best:
            yield from (f"{number}\t{one.score:.4f}\t{one_line(one.text)}" for one in hypotheses)
        elif args.alignment:
            yield f"{one_line(best.text)}\t{pharaoh(best.alignment)}"
        else:
            yield one_line(best.text)
