"""A model beside the baselines of its task, on the test part of its recipe: a Markdown table.

    python benchmarks/tasks.py RECIPE [MODEL …] [--set corpus.train.path=…]

The baselines (baselines.py) learn from the train and valid parts, which is what the recipe's model had. All are measured by the
metrics of the task, with 95 % intervals, on the same records: those that no model finds too long. See docs/tasks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import baselines
import workers

from endash.corpora import Corpus, Record
from endash.evaluation.evaluate import Evaluation
from endash.loading import load
from endash.measuring import answerable, judge, measure
from endash.recipe import Recipe
from endash.registry import kind_of

Fit = Callable[[Sequence[Any], Sequence[Any]], Callable[[Sequence[Any]], list[Any]]]

BASELINES: dict[str, dict[str, Fit]] = {
    "translation": {"translation memory": baselines.translation_memory},
    "dialogue": {"nearest stored reply (BM25)": baselines.nearest_reply},
    "generation": {"template": baselines.template, "first sentence": baselines.first_sentence},
    "classification": {"majority": baselines.majority, "TF-IDF and logistic regression": baselines.tfidf},
    "inference": {
        "majority": baselines.majority,
        "bag of words and logistic regression": baselines.bag_of_words,
        "the same, with what both texts have in common": baselines.bag_of_shared_words,
    },
    "tagging": {"most frequent tag of the word": baselines.most_frequent_tag},
    "speech-recognition": {"majority": baselines.majority},
    "captioning": {
        "most frequent caption": baselines.most_frequent_caption,
        "nearest picture's caption": baselines.nearest_picture,
    },
}


def main() -> None:
    """Measure, and print a table."""
    options = parser().parse_args()
    recipe = Recipe.load(options.recipe, options.set)
    task, kind = recipe.does, kind_of(recipe.task)
    train = [*records(recipe, "train"), *records(recipe, "valid")]
    models = {path: load(path) for path in options.models}
    test = answerable(list(models.values()), records(recipe, "test"))
    if kind not in BASELINES:
        print(f"task.kind = {kind!r} has no baseline here, only {', '.join(BASELINES)} have", file=sys.stderr)
    found: dict[str, Evaluation] = {}
    for name, fit in BASELINES.get(kind, {}).items():
        try:
            answer = fit([source(task, record) for record in train], [target(task, record) for record in train])
            answers = answer([source(task, record) for record in test])
        except ValueError as error:  # such as a template for what is no meaning representation
            print(f"{name}: {error}", file=sys.stderr)
            continue
        found[name] = judge(task, test, answers, corpus=recipe.corpus)
    for path, model in models.items():
        found[path] = measure(model, test, corpus=recipe.corpus)
    if not found:
        sys.exit("there is nothing to measure: name a MODEL")
    print("\n".join([*workers.head(workers.machine()), *rows(found)]))
    for family in found[next(iter(found))].families:
        print(f"\n{family}:\n")
        print("\n".join(rows({name: one.families[family] for name, one in found.items()})))
    if options.json:
        Path(options.json).write_text(json.dumps({name: one.to_json() for name, one in found.items()}, indent=1))


def records(recipe: Recipe, part: Any) -> list[Record]:
    """All records of a part."""
    return list(Corpus(recipe.corpus, part, fault=recipe.does.fault))


def source(task: Any, record: Record) -> Any:
    """A record's source as the baselines take it."""
    if task.reads == "pixels":
        return task.signal(record)
    if task.writes == "tags":
        return record.parts
    parts = task.sources(record)
    return parts[0] if len(parts) == 1 else parts


def target(task: Any, record: Record) -> Any:
    """What a baseline learns from."""
    references = task.references(record)
    return references if task.writes == "tags" or task.reads == "pixels" else references[0]


def rows(found: dict[str, Evaluation]) -> list[str]:
    """A row for each system."""
    names = list(dict.fromkeys(metric.name for one in found.values() for metric in one.metrics))
    titles = {metric.name: metric.title for one in found.values() for metric in one.metrics}

    def cell(one: Evaluation, name: str) -> str:
        held = {metric.name: metric for metric in one.metrics}.get(name)
        if held is None:
            return "–"
        spread = "" if held.low is None else f" [{held.low:.{held.digits}f}, {held.high:.{held.digits}f}]"
        return f"{held.value:.{held.digits}f}{spread}"

    header = ["", *(titles[name] for name in names)]
    return workers.table(header, [[system, *(cell(one, name) for name in names)] for system, one in found.items()])


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("recipe", help="the recipe of the models")
    made.add_argument("models", nargs="*", help="models or runs of it")
    made.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the recipe")
    made.add_argument("--json", help="also write the figures to this file")
    return made


if __name__ == "__main__":
    main()
