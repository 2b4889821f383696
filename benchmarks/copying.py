"""A head that copies beside one that does not: BLEU, and whether placeholders and names come out as they went in.

    endash train recipes/demo.toml --out runs/pointer
    endash train recipes/demo.toml --out runs/plain --set head.pointer=false
    python benchmarks/copying.py runs/pointer runs/plain

A name is a word of the source, but not its first, that has a capital letter or a digit and stands in the reference too.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter

import workers

from endash import Model
from endash.corpora import Corpus
from endash.evaluation.evaluate import evaluate_translator


def main() -> None:
    """Translate the test part of the runs' corpus with each, and print a Markdown table."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("runs", metavar="RUN", nargs="+")
    options = made.parse_args()
    print("\n".join([*workers.head(workers.machine()), "", *workers.table(_HEADER, map(row, options.runs))]))


_HEADER = ("", "pointer", "BLEU", "chrF", "strings with all placeholders", "names copied")


def row(run: str) -> list[str]:
    """The figures of one run."""
    model = Model.load(run)
    pairs = [(record.source, record.target) for record in Corpus(model.recipe.corpus, "test")]
    found = evaluate_translator(model, pairs, language=None)
    wanted, copied = 0, 0
    for (source, target), output in zip(pairs, found.answers, strict=True):
        expected = names(source) & Counter(words(target))
        wanted += expected.total()
        copied += (expected & Counter(words(output))).total()
    return [
        run,
        "yes" if model.recipe.head.pointer else "no",
        f"{found['bleu'].value:.1f}",
        f"{found['chrf'].value:.1f}",
        f"{found.placeholders.kept / found.placeholders.lines:.1%}",
        f"{copied / wanted:.1%} of {wanted:,}",
    ]


def names(source: str) -> Counter[str]:
    """The words that are likely to be names."""
    return Counter(word for word in words(source)[1:] if re.search(r"[A-Z\d]", word))


def words(text: str) -> list[str]:
    """Runs of letters, digits and what joins them within a word."""
    return re.findall(r"\w[\w.:/-]*\w|\w", text)


if __name__ == "__main__":
    main()
