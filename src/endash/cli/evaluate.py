"""evaluate a model on a corpus: every metric of its task, with intervals and signatures

Without CORPUS it is the test part of the model's recipe. CORPUS is a file like those that the model was trained on; for a
translation it is any file of pairs, such as test.tsv, test.tmx or app.po; test.en,test.de for two aligned files; test.tsv:en,de
to name the columns. --against MODEL2 also tells whether the difference between the two is more than luck. BLEU's tokenizer is
that of the target's language, which --language tells, or a column's or file's name, a file's header, or Han letters; without
CORPUS those of the recipe's own files.

--answers FILE keeps what was measured, a line of JSON for each record: "where" (file and line), "source", "references", all that
are right, and "answer"; of labels also "probability". Of words and their tags source, references, answer and probability are lists,
an entry a word. With --against the second model's answer and probability stand under "against".

example:
  endash evaluate runs/demo test.tsv:en,de --json
"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endash.cli.decoding import add_decoding, decoding_changes
from endash.cli.parser import note
from endash.cli.progress import progress
from endash.cli.sources import corpus_for, records_of
from endash.cli.streams import output
from endash.errors import EndashError
from endash.registry import kind_of

if TYPE_CHECKING:
    from endash.corpora import CorpusConfig
    from endash.evaluation.compare import Comparison
    from endash.evaluation.evaluate import Evaluation
    from endash.loading import AnyModel


def add_arguments(parser: ArgumentParser) -> None:
    """MODEL CORPUS, another model to compare with, and how to decode."""
    parser.add_argument("model", metavar="MODEL", help="a model's folder, or a run's")
    parser.add_argument("corpus", metavar="CORPUS", nargs="?", help="a corpus; the test part of the recipe if left out")
    parser.add_argument(
        "--files", metavar="PLACE", help="the folder or archive of the recordings or pictures of CORPUS"
    )
    parser.add_argument("--against", metavar="MODEL2", help="another model, to compare with")
    parser.add_argument("--language", metavar="CODE", help="the target's language, such as zh")
    parser.add_argument("--comet", metavar="FOLDER", help="also measure translations by COMET: the folder of its model")
    parser.add_argument(
        "--json", action="store_true", help="write the figures as JSON, with what was read and how it was decoded"
    )
    parser.add_argument("--answers", metavar="FILE", help="also write each record and its answer, as JSON lines")
    parser.add_argument("--html", metavar="FILE", help="also write a page with the worst answers, and open it")
    add_decoding(parser)


def run(args: Namespace) -> None:
    """Have each model answer the corpus's records, and write the figures."""
    changes = decoding_changes(args)
    if args.against and os.path.realpath(args.against) == os.path.realpath(args.model):
        raise EndashError(f"--against {args.against} is the model itself: name another one to compare with")

    from endash.evaluation.comet import Comet
    from endash.evaluation.compare import compare
    from endash.evaluation.translation import check_language
    from endash.inspection.files import check_place
    from endash.loading import load
    from endash.measuring import measure

    for place in filter(None, (args.answers, args.html)):
        check_place(place)
    if args.language:
        check_language(args.language)
    further = [Comet(args.comet)] if args.comet else []
    models = {path: load(path) for path in dict.fromkeys([args.model, args.against or args.model])}
    for path, model in models.items():
        _check(args, path, model, changes)
        if _kind(model) != _kind(models[args.model]):
            raise EndashError(
                f"{path} is a model of {_kind(model)} and {args.model} of {_kind(models[args.model])}: compare models of one task"
            )
    corpus = _corpus(args, models[args.model])
    records = records_of(corpus, models[args.model].task.fault)
    found: dict[str, Evaluation] = {}
    for path, model in models.items():
        beside = [other for other in models.values() if other is not model]
        with progress(path, total=len(records)) as advance:
            found[path] = measure(
                model,
                records,
                language=args.language,
                corpus=corpus,
                progress=advance,
                further=further,
                beside=beside,
                **changes,
            )
    comparison = compare(*found.values()) if len(found) == 2 else None
    with output():
        _write(args, found, comparison, _settings(args, models, corpus, len(records), changes))
    if args.answers:
        _write_answers(args.answers, list(found.values()))
    if args.html:
        _write_page(args, found, comparison)


def _kind(model: AnyModel) -> str:
    """What a model is measured as: its kind of task, and of tags their scheme, without which there are no entities to count."""
    scheme = getattr(model.recipe.task, "scheme", None)
    return f"task.kind = {kind_of(model.recipe.task)!r}" + (f", scheme = {scheme!r}" if scheme else "")


def _check(args: Namespace, path: str, model: AnyModel, changes: dict[str, Any]) -> None:
    """Raise EndashError for options that are not of this model."""
    from endash.tasks import TranslationTask

    if args.comet and not isinstance(model.task, TranslationTask):
        raise EndashError(f"--comet measures translations, which {path} does not make: leave it out")
    if model.task.writes != "text" and changes:
        raise EndashError(f"{path} labels, and decodes nothing: leave {', '.join(changes)} out")
    if model.task.writes != "text" and args.language:
        raise EndashError(f"{path} labels, and --language is that of texts: leave it out")
    if args.files is not None and (args.corpus is None or model.task.reads == "text"):
        raise EndashError(
            f"--files {args.files} is where the recordings or pictures are that a CORPUS names: "
            + ("name one" if args.corpus is None else f"{path} reads text: leave it out")
        )


def _corpus(args: Namespace, model: AnyModel) -> CorpusConfig:
    """The corpus whose test part is to be answered."""
    if args.corpus is None:
        if not model.recipe.corpus.test and not model.recipe.corpus.shares().test:
            raise EndashError(f"the recipe of {args.model} has no test part: name a CORPUS to evaluate on")
        return model.recipe.corpus
    return corpus_for(model.recipe, args.corpus, args.files)


def _settings(
    args: Namespace, models: dict[str, AnyModel], corpus: CorpusConfig, records: int, changes: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """How each model was measured, as plain values: its decoding; and with the first the version of Endash and what was read."""
    import endash
    from endash.model import Model

    told: dict[str, dict[str, Any]] = {path: {"model": path} for path in models}
    for path, model in models.items():
        if isinstance(model, Model):
            told[path]["decoding"] = model.decoding(**changes).model_dump(mode="json")
    read: dict[str, Any] = {"part": "test", "records": records}
    if not corpus.test:
        read["split"] = corpus.shares().model_dump(mode="json", exclude_none=True)
    read["readers"] = [one.model_dump(mode="json", exclude_none=True) for one in corpus.test or corpus.train]
    told[args.model] |= {"endash": endash.__version__, "corpus": read}
    return told


def _write(
    args: Namespace,
    found: dict[str, Evaluation],
    comparison: Comparison | None,
    settings: dict[str, dict[str, Any]],
) -> None:
    if args.json:
        figures: dict[str, Any] = settings[args.model] | found[args.model].to_json()
        if comparison:
            figures["against"] = settings[args.against] | found[args.against].to_json()
            figures["comparison"] = comparison.to_json()
        print(json.dumps(figures, indent=2, ensure_ascii=False))
        return

    from rich.console import Console

    from endash.evaluation.report import comparison_table, evaluation_table, label_table

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(evaluation_table(found))
    for path, one in found.items():
        if one.families:
            console.print(evaluation_table(one.families, title=path))
        if one.table:
            console.print(label_table(one.table, name=path))
    if comparison:
        console.print(comparison_table(comparison, a=args.model, b=args.against))


def _write_answers(path: str, found: Sequence[Evaluation]) -> None:
    from endash.evaluation.answers import answer_rows
    from endash.inspection.files import write_whole

    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in answer_rows(*found)]
    note(f"wrote {write_whole(path, ''.join(lines).encode('utf-8', 'backslashreplace'))}")


def _write_page(args: Namespace, found: dict[str, Evaluation], comparison: Comparison | None) -> None:
    from endash.evaluation.curves import read_curves
    from endash.evaluation.page import page
    from endash.inspection.files import write_whole

    records = {path: Path(path) / "metrics.jsonl" for path in found}
    curves = {path: read_curves(record) for path, record in records.items() if record.exists()}
    on = args.corpus or "the test part of its corpus"
    text = page(found, title=" and ".join(found) + f" on {on}", comparison=comparison, curves=curves)
    written = write_whole(args.html, text.encode("utf-8", "backslashreplace"))
    note(f"wrote {written}")
    if sys.stdout.isatty():
        import webbrowser

        webbrowser.open(written.absolute().as_uri())
