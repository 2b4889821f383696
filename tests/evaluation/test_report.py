import io
from dataclasses import replace

from rich.console import Console

from endash.evaluation.compare import Comparison, Difference
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
    rows = (Difference("bleu", 20.0, 24.5, 0.01, ""), Difference("chrf", 50.0, 50.2, 0.6, ""))
    text = printed(comparison_table(Comparison((*rows, Difference("ter", 60.0, 55.0, 0.02, "")), 20), a="old", b="new"))
    bleu, chrf, ter = (next(line for line in text.splitlines() if name in line) for name in ("BLEU", "chrF", "TER"))
    assert "+4.5" in bleu
    assert "new" in bleu
    assert "cannot tell" in chrf
    assert "-5.0" in ter
    assert "new" in ter


def test_a_note_in_square_brackets_is_no_markup():
    found = replace(evaluate(lambda texts: texts, PAIRS), notes=("pip install 'sacrebleu[ja]' for ja-mecab",))
    assert "sacrebleu[ja]" in printed(evaluation_table({"a": found}))
