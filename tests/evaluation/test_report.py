import io

from rich.console import Console

from endash.evaluation.compare import compare
from endash.evaluation.evaluate import evaluate
from endash.evaluation.report import comparison_table, evaluation_table

PAIRS = [("The light is on", "Das Licht ist an"), ("{name} is open", "{name} ist offen")]


def printed(table):
    console = Console(width=160, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_each_evaluation_is_a_row_with_its_figures():
    good = evaluate(lambda texts: [reference for _, reference in PAIRS], PAIRS, confidence=True)
    copy = evaluate(lambda texts: texts, PAIRS)
    text = printed(evaluation_table({"model [1]": good, "copy": copy}))
    row = next(line for line in text.splitlines() if "model [1]" in line)
    assert "100.0 [100.0, 100.0]" in row
    assert "100.0%" in row
    assert f"{copy['chrf'].value:.1f}" in next(line for line in text.splitlines() if "copy" in line)
    assert good["bleu"].signature in text.replace("\n", "")


def test_a_comparison_names_the_better_system():
    references = [f"a sentence about number {n} here" for n in range(20)]
    text = printed(comparison_table(compare(["x y"] * 20, references, references), a="old", b="new"))
    row = next(line for line in text.splitlines() if "BLEU" in line)
    assert "new" in row
    assert "+" in row
    equal = printed(comparison_table(compare(references, references, references)))
    assert equal.count("cannot tell") == 3
