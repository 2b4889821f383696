"""A task that a model has never learned, asked by examples: a mixture without one family of it, tested on that family.

    python benchmarks/prompting.py mixture.toml --out runs/prompting --leave sick

Trains the recipe without the readers of that family, and as it is, unless the folder holds the runs already; then asks both for the
labels of the family's test part with no, 4 and 16 examples out of its train part, drawn anew for each of several draws. A label is
told in two ways: written, and right where it is just what is asked for; and chosen, of the labels there are the one with the
highest log-probability (Brown et al. 2020, section 2.4). See docs/tasks/prompting.md.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import workers

from endash import Model, Recipe, train
from endash.corpora import Corpus, Part, Record
from endash.evaluation.metrics import scorer
from endash.evaluation.scorer import answered

FEW = 4  # records for each different target: where there are so many, the targets are labels
ROOM = 256  # tokens of a text of the family that is asked for
DRAWS_FROM = 1000  # records of the train part that examples of a family are drawn from


def main() -> None:
    """Train what is not there yet, measure, and print two Markdown tables."""
    options = parser().parse_args()
    recipe = Recipe.load(options.recipe, options.set)
    check(recipe, options.leave)
    about, out = workers.machine(), Path(options.out)
    models = {
        f"without {options.leave}": trained(without(recipe, options.leave), out / f"without-{options.leave}"),
        f"with {options.leave}": trained(recipe, out / f"with-{options.leave}"),
    }
    shown, test = part(recipe, "train", options.leave), part(recipe, "test", options.leave)[: options.records]
    labels = sorted({one.target for one in shown})
    learned, every = without(recipe, options.leave), tuple(models.values())
    families = {name: dict(known(learned, model, every, options.records)) for name, model in models.items()}
    for (
        model
    ) in models.values():  # a vocabulary that never met the family spells it in more tokens than it was trained on
        model.codec.config = model.codec.config.model_copy(update={"max_length": ROOM})
    found = {
        name: [cell(model, shown, test, labels, count, options.draws) for count in options.examples]
        for name, model in models.items()
    }
    print("\n".join([*workers.head(about), "", *unseen_table(found, test, labels, options.leave), ""]))
    print("\n".join(workers.table(["family", "records", "measured", *families], known_rows(families))))
    if options.json:
        told = {"machine": about, "left out": options.leave, "asked": found, "families": families}
        Path(options.json).write_text(json.dumps(told, indent=1), encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "recipe", metavar="RECIPE", help="of task prompting, its readers with a family each, a test part too"
    )
    made.add_argument("--out", required=True, help="the folder of both runs")
    made.add_argument("--leave", required=True, metavar="FAMILY", help="whose targets are labels")
    made.add_argument("--examples", type=int, nargs="+", default=[0, 4, 16], help="how many examples (0 4 16)")
    made.add_argument("--draws", type=int, default=5, help="of examples (5)")
    made.add_argument("--records", type=int, default=500, help="of each family's test part at most (500)")
    made.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes of the recipe")
    made.add_argument("--json", help="also write the figures to this file")
    return made


def check(recipe: Recipe, family: str) -> None:
    """Leave with the families there are, if none is called so."""
    there = {one.family for one in (*recipe.corpus.train, *recipe.corpus.test)}  # type: ignore[attr-defined]
    if family not in there:
        raise SystemExit(f"--leave {family}: the recipe's families are {', '.join(sorted(map(str, there)))}")


def without(recipe: Recipe, family: str) -> Recipe:
    """The recipe without the readers of a family."""
    return narrowed(recipe, lambda other: other != family)


def narrowed(recipe: Recipe, keeps: Any) -> Recipe:
    """The recipe with the readers of some families alone."""
    corpus = recipe.corpus
    parts = {
        name: tuple(one for one in getattr(corpus, name) if keeps(one.family)) for name in ("train", "valid", "test")
    }
    return recipe.model_copy(update={"corpus": corpus.model_copy(update=parts)})


def trained(recipe: Recipe, folder: Path) -> Model:
    """The model of a run, which is made if it is not there."""
    if not (folder / "model").exists():
        train(recipe, folder)
    return Model.load(folder)


def part(recipe: Recipe, name: Part, family: str) -> list[Record]:
    """The records of a family, each source once."""
    corpus = Corpus(narrowed(recipe, lambda other: other == family).corpus, name)
    return list({one.source: one for one in corpus}.values())


def cell(
    model: Model, shown: Sequence[Record], test: Sequence[Record], labels: Sequence[str], count: int, draws: int
) -> dict[str, Any]:
    """How well a model tells labels by so many examples: a figure a draw, in percent."""
    found: dict[str, Any] = {"examples": count, "chosen": [], "macro": [], "written": [], "of_labels": []}
    sources, right = [one.source for one in test], [one.target for one in test]
    for draw in range(draws if count else 1):
        few = random.Random(draw).sample(list(shown), count)
        pairs = [(one.source, one.target) for one in few]
        kept = model.encode_examples(pairs) if pairs else ()
        scores = [model.score(sources, [label] * len(test), examples=kept) for label in labels]
        best = [labels[max(range(len(labels)), key=of.__getitem__)] for of in zip(*scores, strict=True)]
        written = model.answer(list(test), examples=kept, beam=1)
        told = answered(best, right)
        found["chosen"].append(100 * scorer("accuracy").value(told))
        found["macro"].append(100 * scorer("macro_f1").value(told))
        found["written"].append(100 * scorer("accuracy").value(answered(written, right)))
        found["of_labels"].append(100 * sum(one in labels for one in written) / len(written))
    return found


def unseen_table(
    found: dict[str, list[dict[str, Any]]], test: Sequence[Record], labels: Sequence[str], family: str
) -> Iterator[str]:
    """Medians over the draws, with their range, beside a guess and the label that is most frequent."""
    yield f"{family}: {len(test)} records, {len(labels)} labels; medians (and range) over draws of examples, in percent"
    yield ""
    rows = []
    for name, cells in found.items():
        for one in cells:
            figures = (workers.Spread(tuple(one[key])).show(1) for key in ("chosen", "macro", "written", "of_labels"))
            rows.append([name, str(one["examples"]), *figures])
    [(most, times)] = Counter(one.target for one in test).most_common(1)
    always = 100 * scorer("macro_f1").value(answered([most] * len(test), [one.target for one in test]))
    rows.append(["a guess", "", f"{100 / len(labels):.1f}", "", "", ""])
    rows.append([f"always {most}", "", f"{100 * times / len(test):.1f}", f"{always:.1f}", "", ""])
    head = ["trained on the mixture", "examples", "chosen: accuracy", "macro F1", "written: accuracy", "wrote a label"]
    yield from workers.table(head, rows)


def known(recipe: Recipe, model: Model, models: Sequence[Model], records: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of each family that both have learned the figures of what a model writes, with no and with `joins` examples.

    Of its test part those records are asked for that no model finds too long.
    """

    def fits(*texts: str) -> bool:
        return all(one.codec.fits(" ".join(texts)) for one in models)

    for family in dict.fromkeys(one.family for one in recipe.corpus.test):  # type: ignore[attr-defined]
        test = [one for one in part(recipe, "test", family) if fits(one.source)][:records]
        shown = [one for one in part(recipe, "train", family)[:DRAWS_FROM] if fits(one.source, one.target)]
        pairs = [(one.source, one.target) for one in random.Random(0).sample(shown, recipe.joins)]
        metric = "accuracy" if len({one.target for one in test}) * FEW < len(test) else "chrf"
        figures = []
        for given in ((), pairs):
            written = model.answer(test, examples=given, beam=1)
            value = scorer(metric).value(answered(written, [one.references for one in test]))
            figures.append(100 * value if metric == "accuracy" else value)
        yield family, {"records": len(test), "metric": metric, "figures": figures}


def known_rows(families: dict[str, dict[str, Any]]) -> Iterator[list[str]]:
    """A row a family: what each model makes of it without examples, and with."""
    for family, first in next(iter(families.values())).items():
        cells = [" / ".join(f"{value:.1f}" for value in of[family]["figures"]) for of in families.values()]
        yield [family, str(first["records"]), first["metric"], *cells]


if __name__ == "__main__":
    main()
