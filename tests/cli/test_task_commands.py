"""Commands on models of other tasks than translation: what each answers, and what each refuses by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endash.corpora import Record
from endash.tasks.generation import GenerationTask
from task_models import LABELS, SIGNALS, TEXTS, sound, write

Cli = Callable[..., Any]

COMMANDS = {
    "translate": ("translate", "MODEL"),
    "translate-file": ("translate", "MODEL", "--in", "pairs.tsv", "--out", "out.tsv"),
    "look": ("look", "MODEL", "a.wav"),
    "latent": ("look", "MODEL", "--latent"),
    "sample": ("sample", "MODEL"),
    "between": ("sample", "MODEL", "--between", "a", "b"),
    "quicken": ("quicken", "MODEL", "pairs.tsv"),
    "export": ("export", "MODEL", "--to", "ctranslate2", "--out", "exported"),
    "distill": ("distill", "student.toml", "--teacher", "MODEL", "--out", "student"),
}
OF_TEXT_ALONE = {
    "score": ("score", "MODEL"),
    "encode": ("encode", "MODEL", "--out", "it.memory"),
    "store": ("encode", "MODEL", "--store", "memories"),
    "decode": ("decode", "MODEL", "it.memory"),
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, recipe_file: Path) -> None:
    Path("pairs.tsv").write_text("en\tde\n" + "".join(f"{text}\t{text}\n" for text in TEXTS), encoding="utf-8")
    Path("student.toml").write_text(
        recipe_file.read_text(encoding="utf-8").replace("pairs.tsv", str(recipe_file.parent / "pairs.tsv")),
        encoding="utf-8",
    )
    Path("a.wav").write_bytes(sound())
    Path("broken.wav").write_bytes(sound()[:30])


def refused(cli: Cli, command: tuple[str, ...], model: Path, stdin: bytes) -> str:
    done = cli(*(model if word == "MODEL" else word for word in command), stdin=stdin)
    assert (done.code, done.out, "Traceback" in done.err) == (2, "", False), done.err
    assert not any(map(Path.exists, map(Path, ("out.tsv", "exported", "look.html"))))
    return str(done.err.splitlines()[-1])


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("command", [*COMMANDS.values(), *OF_TEXT_ALONE.values()], ids=[*COMMANDS, *OF_TEXT_ALONE])
def test_a_labeller_is_refused_by_what_needs_texts(
    command: tuple[str, ...], kind: str, cli: Cli, tmp_path: Path, memory_of_another: Path
) -> None:
    message = refused(cli, command, write(kind, tmp_path / "it"), b"the door\tthe lamp\n")
    if command[0] == "distill":
        assert f"is a model of task.kind = '{kind}', and a teacher writes a text for each text" in message
    else:
        assert f"this is a model of task.kind = '{kind}', which writes no text" in message
        assert "ask it by endash predict" in message


@pytest.fixture
def memory_of_another(cli: Cli, tmp_path: Path) -> Path:
    """A memory file, that another model wrote."""
    other = write("generation", tmp_path / "other")
    assert cli("encode", other, "--out", "it.memory", stdin="the door\n").code == 0
    return Path("it.memory")


@pytest.mark.parametrize("kind", SIGNALS)
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("translate", "whose source is not a text as it stands: ask it by endash predict"),
        ("translate-file", "whose source is not a text as it stands: ask it by endash predict"),
        ("look", "a look shows the words that a model reads, and this one reads"),
        ("latent", "has no latent vector to write from"),
        ("sample", "has no latent vector to write from"),
        ("between", "has no latent vector to write from"),
        ("quicken", "reads none as they stand: set decoding.precision"),
        ("export", "CTranslate2 cannot express sources that are"),
        ("distill", "and a teacher writes a text for each text"),
    ],
)
def test_what_reads_no_text_is_refused_by_what_needs_texts(
    kind: str, command: str, message: str, cli: Cli, tmp_path: Path
) -> None:
    told = refused(cli, COMMANDS[command], write(kind, tmp_path / "it"), b"a.wav\na.wav\na.wav\n")
    assert message in told


def test_a_task_that_makes_its_source_of_a_line_is_asked_by_predict(cli: Cli, tmp_path: Path) -> None:
    model = write("dialogue", tmp_path / "it")
    line = "customer: the door is red ⏎ agent: the lamp is blue\n"
    for command in ("translate", "quicken"):
        assert "task.kind = 'dialogue'" in refused(cli, COMMANDS[command], model, line.encode())
    answered = cli("predict", model, stdin=line)
    turns = cli("predict", model, stdin=line.replace(" ⏎ ", "⏎"))
    assert (answered.code, len(answered.out.splitlines())) == (0, 1)
    assert turns.out == answered.out
    assert cli("score", model, stdin=line.strip() + "\tthe lamp\n").code == 0


def test_a_text_to_a_text_is_translated_whatever_the_task_is_called(cli: Cli, tmp_path: Path) -> None:
    model = write("generation", tmp_path / "it")
    translated = cli("translate", model, stdin="the door is red\n\n")
    assert translated.code == 0
    assert translated.out == cli("predict", model, stdin="the door is red\n\n").out


def test_a_file_is_not_translated_without_the_prompt_that_the_model_learned_with(cli: Cli, tmp_path: Path) -> None:
    prompted = "corpus.train={kind='tsv',path='a.tsv',source='en',target='de',prompt='say: {source}'}"
    told = refused(cli, COMMANDS["translate-file"], write("generation", tmp_path / "it", prompted), b"")
    assert "learned from sources with a prompt, 'say: {source}'" in told
    assert f"endash predict {tmp_path / 'it'} --in pairs.tsv" in told
    assert cli("predict", tmp_path / "it", "--in", "pairs.tsv").code == 0


def test_a_corpus_is_encoded_with_the_prompt_that_the_model_learned_with(cli: Cli, tmp_path: Path) -> None:
    prompted = "corpus.train={kind='tsv',path='a.tsv',source='en',target='de',prompt='say: {source}'}"
    model = write("generation", tmp_path / "it", prompted)
    assert cli("encode", model, "pairs.tsv", "--store", "memories").code == 0
    lines = "".join(f"say: {text}\n" for text in TEXTS)
    assert "memories: 0 memories added, 4 in " in cli("encode", model, "--store", "memories", stdin=lines).err


def test_sounds_are_scored_encoded_and_kept(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    model = write("speech-recognition", tmp_path / "it")
    answer = cli("predict", model, stdin="a.wav\n").out
    scored = cli("score", model, stdin="a.wav\tthe door\n")
    assert (scored.code, len(scored.out.splitlines())) == (0, 1)
    assert cli("encode", model, "--out", "it.memory", stdin="a.wav\n").code == 0
    assert cli("decode", model, "it.memory").out == answer
    assert cli("encode", model, "--store", "memories", stdin="a.wav\n").code == 0
    assert cli("decode", model, "--store", "memories", stdin="a.wav\n").out == answer
    wrong = cli("score", model, stdin="a.wav\tthe door\ngone.wav\tthe door\n")
    assert wrong.code == 2
    assert wrong.err.startswith("endash: error: standard input, line 2: no file 'gone.wav' in .")


@pytest.mark.parametrize(
    ("kind", "lines", "message"),
    [
        ("inference", "a\tb\n\n", "line 2: '' is no pair: give (premise, hypothesis)"),
        ("inference", "a\tb\ta\n", r"line 1: 'a\tb\ta' is no pair"),
        ("inference", "a\tb\na\t" + "door " * 50 + "\n", "line 2: a text of "),
        ("generation", "the door\n" + "door " * 50 + "\n", "line 2: "),
        ("speech-recognition", "a.wav\n\n", "line 2: '' names no file: give the path of one"),
        ("speech-recognition", "a.wav\nbroken.wav\n", "line 2: broken.wav cannot be read as audio"),
        ("captioning", "a.wav\n", "line 1: a.wav is no picture that can be read"),
    ],
)
def test_a_line_that_is_no_source_is_named(kind: str, lines: str, message: str, cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    pytest.importorskip("PIL")
    done = cli("predict", write(kind, tmp_path / "it"), stdin=lines)
    assert (done.code, done.out) == (2, "")
    assert f"endash: error: standard input, {message}" in done.err


@pytest.mark.parametrize("kind", [*LABELS, "generation", "dialogue"])
def test_no_line_gets_no_answer_and_an_empty_one_gets_one(kind: str, cli: Cli, tmp_path: Path) -> None:
    model = write(kind, tmp_path / "it")
    assert (cli("predict", model).code, cli("predict", model).out) == (0, "")
    if kind != "inference":
        done = cli("predict", model, stdin="\nthe door\n\n")
        assert (done.code, len(done.out.splitlines())) == (0, 3)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("classification", ("predict", "MODEL", "--beam", "2"), "labels, and decodes nothing: leave beam out"),
        (
            "classification",
            ("predict", "MODEL", "--files", "x"),
            "--files x is where the files are that a corpus names",
        ),
        ("classification", ("predict", "MODEL", "--examples", "x"), "labels, and reads no examples"),
        ("generation", ("predict", "MODEL", "--probabilities", "2"), "--probabilities are those of labels"),
        ("classification", ("evaluate", "MODEL", "given.tsv", "--beam", "2"), "leave beam out"),
        ("classification", ("evaluate", "MODEL", "given.tsv", "--language", "de"), "--language is that of texts"),
        ("classification", ("evaluate", "MODEL", "given.tsv", "--files", "x"), "reads text: leave it out"),
        ("classification", ("evaluate", "MODEL", "--files", "x"), "that a CORPUS names: name one"),
    ],
)
def test_no_option_is_ignored(kind: str, arguments: tuple[str, ...], message: str, cli: Cli, tmp_path: Path) -> None:
    Path("x").mkdir()
    Path("given.tsv").write_text("text\tlabel\nthe door\tyes\n", encoding="utf-8")
    model = write(kind, tmp_path / "it")
    done = cli(*(model if word == "MODEL" else word for word in arguments), stdin="the door\n")
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_a_recipe_without_a_test_part_is_told(cli: Cli, tmp_path: Path) -> None:
    model = write("classification", tmp_path / "it", "corpus.split.valid=0.5")
    done = cli("evaluate", model)
    assert (done.code, done.err) == (
        2,
        f"endash: error: the recipe of {model} has no test part: name a CORPUS to evaluate on\n",
    )


def test_models_of_one_kind_are_compared_whatever_they_read_of_a_source(cli: Cli, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    Path("pictures").mkdir()
    image.new("RGB", (40, 30)).save("pictures/a.png")
    Path("given.tsv").write_text("file\tcaption\na.png\tthe door\n", encoding="utf-8")
    one, other = (write("captioning", tmp_path / side, f"task.side={side}") for side in ("32", "64"))
    done = cli("evaluate", one, "given.tsv", "--files", "pictures", "--against", other, "--json")
    assert done.code == 0, done.err


def test_models_of_other_tasks_or_schemes_are_not_compared(cli: Cli, tmp_path: Path) -> None:
    plain, bio = write("tagging", tmp_path / "plain"), write("tagging", tmp_path / "bio", "task.scheme=bio")
    text = write("generation", tmp_path / "text")
    for other, told in ((bio, "task.kind = 'tagging', scheme = 'bio'"), (text, "task.kind = 'generation'")):
        done = cli("evaluate", plain, "given.jsonl", "--against", other)
        assert (done.code, done.out) == (2, "")
        assert f"{other} is a model of {told} and {plain} of task.kind = 'tagging', scheme = 'plain'" in done.err


def test_labels_that_the_model_has_not_are_told_beside_the_figures(cli: Cli, tmp_path: Path) -> None:
    Path("given.tsv").write_text("text\tlabel\nthe door\tyes\nthe lamp\tmaybe\nthe roof\tmaybe\n", encoding="utf-8")
    done = cli("evaluate", write("classification", tmp_path / "it"), "given.tsv", "--json")
    assert done.code == 0
    assert "2 of the labels are none of the model's 2, and count as wrong: 'maybe'" in done.out


def test_the_last_tab_of_a_line_is_before_the_target_where_a_source_has_tabs(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write("generation", tmp_path / "it")
    assert "line 1: 2 tabs, where one" in refused(cli, ("score", "MODEL"), model, b"a\tb\tc\n")
    monkeypatch.setattr(GenerationTask, "record", lambda self, given: Record(given.replace("\t", " "), ""))
    assert cli("score", model, stdin="the door\tis red\tthe lamp\n").code == 0
    assert "line 1: 0 tabs, where one" in refused(cli, ("score", "MODEL"), model, b"a b\n")
