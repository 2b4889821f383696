import io
from dataclasses import replace

from rich.console import Console

from endash.evaluation.compare import Comparison, Difference, compare
from endash.evaluation.evaluate import evaluate, evaluate_translator
from endash.evaluation.report import comparison_table, evaluation_table, label_table
from endash.evaluation.scorer import Metric

PAIRS = [("The light is on", "Das Licht ist an"), ("{name} is open", "{name} ist offen")]


def printed(table):
    console = Console(width=160, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_each_evaluation_is_a_row_with_its_figures():
    good = evaluate_translator(lambda texts: [reference for _, reference in PAIRS], PAIRS, confidence=True)
    copy = evaluate_translator(lambda texts: texts, PAIRS)
    text = printed(evaluation_table({"model [1]": good, "copy": copy}))
    row = next(line for line in text.splitlines() if "model [1]" in line)
    assert "100.0 [100.0, 100.0]" in row
    assert "100.0%" in row
    assert f"{copy['chrf'].value:.1f}" in next(line for line in text.splitlines() if "copy" in line)
    assert good["bleu"].signature in text.replace("\n", "")


def test_the_share_of_kept_placeholders_is_of_the_lines_that_have_some():
    outputs = ["Das Licht ist an", "offen"]
    some, none = (evaluate_translator(lambda texts: outputs[: len(texts)], pairs) for pairs in (PAIRS, PAIRS[:1]))
    table = evaluation_table({"some": some, "none": none})
    column = next(one for one in table.columns if one.header == "placeholders")
    assert list(column.cells) == ["0.0%", "–"]


def difference(title, a, b, p, *, lower=False):
    return Difference(*(Metric(title, value, "", title=title, lower=lower) for value in (a, b)), p, "")


def test_a_comparison_names_the_better_system():
    rows = (difference("BLEU", 20.0, 24.5, 0.01), difference("chrF", 50.0, 50.2, 0.6))
    more = (difference("TER", 60.0, 55.0, 0.02, lower=True), difference("distinct-1", 0.1, 0.2, None))
    text = printed(comparison_table(Comparison((*rows, *more), 20, "sentences"), a="old", b="new"))
    assert "20 sentences" in text
    bleu, chrf, ter, distinct = (
        next(line for line in text.splitlines() if name in line) for name in ("BLEU", "chrF", "TER", "distinct")
    )
    assert "+4.5" in bleu
    assert "new" in bleu
    assert "cannot tell" in chrf
    assert "TER ↓" in ter
    assert "-5.0" in ter
    assert "new" in ter
    assert "–" in distinct


def test_a_p_value_is_never_nothing():
    rows = tuple(difference(f"metric {p}", 20.0, 24.5, p) for p in (0.0001, 0.00096, 0.001))
    lines = [line for line in printed(comparison_table(Comparison(rows, 20))).splitlines() if "metric" in line]
    assert [line.split("│")[5].strip() for line in lines] == ["<0.001", "<0.001", "0.001"]


def test_the_columns_are_the_metrics_there_are():
    found = evaluate(["yes", "no", "no"], ["yes", "no", "yes"], metrics=["accuracy", "macro_f1"], confidence=True)
    other = evaluate(["yes", "no", "no"], ["yes", "no", "yes"], metrics=["accuracy"])
    text = printed(evaluation_table({"a": found, "b": other}))
    head = next(line for line in text.splitlines() if "accuracy" in line)
    assert "macro F1 ↑" in head
    assert "records/s" in head
    assert "placeholders" not in text
    assert "0.667 [0.000, 1.000]" in text
    assert "accuracy|bs:1000|seed:12345" in text.replace("\n", "")


def test_the_best_of_a_column_is_bold_also_where_lower_is_better():
    good, bad = (
        evaluate(answers, ["a b", "c d"], metrics=["wer", "rouge-1"]) for answers in (["a b", "c d"], ["a x", "c d"])
    )
    table = evaluation_table({"good": good, "bad": bad})
    assert [list(column.cells) for column in table.columns[1:3]] == [
        ["[bold]0.0[/bold]", "25.0"],
        ["[bold]100.0[/bold]", "75.0"],
    ]


def test_every_label_is_a_row_and_so_is_every_average():
    found = evaluate(["yes", "[no]", "[no]"], ["yes", "[no]", "maybe"], metrics=["accuracy"], confidence=True)
    text = printed(label_table(found.table, name="runs/[one]"))
    assert "runs/[one]" in text
    rows = {line.split()[1]: line for line in text.splitlines() if line.startswith("│")}
    assert "0.500 [0.000, 1.000]" in rows["[no]"]
    assert rows["maybe"].split()[3:] == [
        "0.000",
        "│",
        "0.000",
        "[0.000,",
        "0.000]",
        "│",
        "0.000",
        "[0.000,",
        "0.000]",
        "│",
        "1",
        "│",
    ]
    assert rows.keys() >= {"micro", "macro", "weighted"}
    assert "over the labels that stand in the references or the answers" in text.replace("\n", "")
    assert "never answered: maybe" in text


def test_a_note_in_square_brackets_is_no_markup():
    found = replace(
        evaluate_translator(lambda texts: texts, PAIRS), notes=("pip install 'sacrebleu[ja]' for ja-mecab",)
    )
    assert "sacrebleu[ja]" in printed(evaluation_table({"a": found}))


def test_an_f1_of_tags_is_told_from_that_of_entities():
    tags = [["B-PER", "I-PER", "O"]]
    found = evaluate(tags, tags, metrics=["macro_f1", "micro_f1", "entity_f1", "accuracy"])
    heads = [str(column.header) for column in evaluation_table({"a": found}).columns]
    assert heads[1:5] == ["tags, macro F1 ↑", "tags, micro F1 ↑", "entity F1 ↑", "accuracy ↑"]
    assert label_table(found.table, name="runs/ner").columns[0].header == "runs/ner: entities"
    assert "tags, macro F1 ↑" in printed(comparison_table(compare(found, found)))
    plain = evaluate(tags, tags, metrics=["macro_f1"])
    assert evaluation_table({"a": plain}).columns[1].header == "macro F1 ↑"
    assert label_table(plain.table, name="runs/tags").columns[0].header == "runs/tags"
    assert found.to_json()["macro_f1"] == 1.0
