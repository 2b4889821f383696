"""A recipe: read, checked, resolved; and the message of everything that can be wrong with one."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endash.config import apply_overrides
from endash.errors import RecipeError
from endash.recipe import Recipe

RECIPES = sorted((Path(__file__).parent.parent / "recipes").glob("*.toml"))
MINIMAL = """
name = "tiny"

[corpus.train]
kind = "tsv"
path = "pairs.tsv"

[encoder]
kind = "transformer"

[link]
kind = "cross-attention"
heads = 4

[decoder]
kind = "transformer"
"""


def complaint(*overrides: str, text: str = MINIMAL) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        Recipe.parse(text, overrides, where="tiny.toml")
    return str(caught.value).splitlines()


def test_parts_are_chosen_by_kind_and_defaults_filled_in() -> None:
    recipe = Recipe.parse(MINIMAL)
    assert (recipe.name, recipe.encoder.kind, recipe.decoder.kind) == ("tiny", "transformer", "transformer")
    assert recipe.text.size == 8000
    assert recipe.retrieval is None


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("link.kind=dot", "link={kind='dot'}"),
        ("decoding.search=sample", "decoding.top_k=5"),
        ("retrieval.passages=2", "training.max_steps=10"),
        ("corpus.train={kind='lines', source='a', target='b'}", "corpus.filters=[{kind='empty'}]"),
    ],
)
def test_the_resolved_recipe_reads_back_equal(overrides: tuple[str, ...]) -> None:
    recipe = Recipe.parse(MINIMAL, overrides, folder="/data")
    again = Recipe.parse(recipe.to_toml())
    assert again == recipe
    assert again.to_toml() == recipe.to_toml()
    assert again.fingerprint() == recipe.fingerprint()
    assert tomllib.loads(recipe.to_toml())["seed"] == 1


def test_the_fingerprint_changes_with_any_setting() -> None:
    prints = {Recipe.parse(MINIMAL, [one]).fingerprint() for one in ("seed=1", "seed=2", "encoder.layers=2", "name=x")}
    assert len(prints) == 4
    assert all(len(found) == 16 for found in prints)


def test_corpus_paths_start_from_the_recipe_s_folder(tmp_path: Path) -> None:
    path = tmp_path / "recipes" / "tiny.toml"
    path.parent.mkdir()
    valid = 'valid = { kind = "lines", source = "../a.en", target = "/elsewhere/a.de" }'
    path.write_text(MINIMAL.replace("[corpus.train]", f"[corpus]\n{valid}\n[corpus.train]"), encoding="utf-8")
    recipe = Recipe.load(path)
    assert recipe.corpus.train[0].path == str(path.parent / "pairs.tsv")  # type: ignore[attr-defined]
    assert recipe.corpus.valid[0].source == str(path.parent / "../a.en")  # type: ignore[attr-defined]
    assert recipe.corpus.valid[0].target == "/elsewhere/a.de"  # type: ignore[attr-defined]
    assert recipe.corpus.train[0].source == "source", "a column is no path"  # type: ignore[attr-defined]
    path.write_text(MINIMAL.replace("[encoder]", 'files = "sounds.tar"\n[encoder]'), encoding="utf-8")
    assert Recipe.load(path).corpus.train[0].files == str(path.parent / "sounds.tar")  # type: ignore[attr-defined]


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(MINIMAL, encoding="utf-8-sig")
    assert Recipe.load(tmp_path / "tiny.toml").name == "tiny"


def test_paths_typed_on_the_command_line_start_from_where_it_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(MINIMAL, encoding="utf-8")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for override in ("corpus.train.path=a.tsv", "corpus.train={kind='tsv', path='a.tsv'}"):
        recipe = Recipe.load("../tiny.toml", [override])
        assert recipe.corpus.train[0].path == str(tmp_path / "here" / "a.tsv")  # type: ignore[attr-defined]
    kept = Recipe.load("../tiny.toml", ["corpus.train.target=de"])
    assert kept.corpus.train[0].path == str(tmp_path / "here" / ".." / "pairs.tsv")  # type: ignore[attr-defined]


def test_overrides_are_toml_values_or_plain_strings() -> None:
    data: dict[str, object] = {"a": {"b": 1}}
    keys = apply_overrides(
        data, ["a.b=2.5", "a.c=true", "d=plain text", "e.f=[1, 2]", "g='quoted=1'", "h=", "i=2020-01-01"]
    )
    assert data == {
        "a": {"b": 2.5, "c": True},
        "d": "plain text",
        "e": {"f": [1, 2]},
        "g": "quoted=1",
        "h": "",
        "i": "2020-01-01",
    }
    assert keys == {"a.b", "a.c", "d", "e.f", "g", "h", "i"}


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_no_override_value_breaks_out_of_its_key(value: str) -> None:
    data: dict[str, object] = {}
    apply_overrides(data, [f"name={value}"])
    assert list(data) == ["name"]


def test_changed_puts_overrides_over_a_recipe() -> None:
    recipe = Recipe.parse(MINIMAL).changed(["encoder.layers=1"])
    assert recipe.encoder.layers == 1  # type: ignore[attr-defined]
    assert recipe.changed([]) == recipe


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.warmpu=3", "--set training.warmpu: unknown key; did you mean 'warmup'? allowed: accumulate, "),
        ("lnik.kind=dot", "--set lnik: unknown key; did you mean 'link'? allowed: corpus, decoder, "),
        ("training.max_steps=many", '--set training.max_steps: "many" should be a valid integer'),
        ("training.max_steps=1.5", "--set training.max_steps: 1.5 should be a valid integer"),
        ("training.max_steps=true", "--set training.max_steps: true should be a valid integer"),
        ("training.learning_rate=nan", "--set training.learning_rate: NaN should be a finite number"),
        ("encoder.layers=0", "--set encoder.layers: 0 should be greater than or equal to 1"),
        ("encoder.dropout=1", "--set encoder.dropout: 1 should be less than 1"),
        ("text.model=bep", "--set text.model: \"bep\" is unknown: did you mean 'bpe'? allowed: bpe, imported, unigram"),
        (
            "link.kind=dott",
            "--set link.kind: \"dott\" is unknown: did you mean 'dot'? allowed: additive, cross-attention, ",
        ),
        ("link={}", "--set link.kind: is missing; allowed: additive, cross-attention, dot, "),
        ("link=5", '--set link: a table is needed, such as link = { kind = "additive" }'),
        (
            "corpus.train.kind=tvs",
            "--set corpus.train.kind: \"tvs\" is unknown: did you mean 'tsv'? allowed: catalogue, ",
        ),
        (
            "corpus.train.pth=x",
            "--set corpus.train.pth: unknown key of kind 'tsv'; did you mean 'path'? allowed: family, ",
        ),
        (
            "corpus.valid=[{kind='po', path='a'}, {kind='po', path='a', pth='b'}]",
            "--set corpus.valid.1.pth: unknown key of kind 'po'; did you mean 'path'? allowed: kind, path",
        ),
        ("corpus.train=5", '--set corpus.train: a table is needed, such as reader = { kind = "catalogue" }'),
        ("corpus.train={kind='tsv'}", "--set corpus.train.path: is missing, and has no default"),
        (
            "corpus.train={kind='tsv', path='a', header=false}",
            "--set corpus.train: source = 'source' with header = false: give the column's number",
        ),
        ("training.metric=blue", "tiny.toml: training.metric = 'blue' is unknown: did you mean 'bleu'?"),
        ("corpus.filters=[{kind='emty'}]", "--set corpus.filters.0.kind: \"emty\" is unknown: did you mean 'empty'?"),
        (
            "corpus.filters=[{kind='duplicates', x=1}]",
            "--set corpus.filters.0.x: unknown key of kind 'duplicates'; allowed: by, kind",
        ),
        ("decoding.temperature=2", "tiny.toml: decoding: temperature is of search = 'sample', but search = 'beam'"),
        ("link.heads=3", "tiny.toml: link.heads = 3 does not divide width = 256: use 1, 2, 4, 8, 16, 32"),
        ("name=", '--set name: "" should have at least 1 character'),
        (
            "training.max_steps",
            "--set training.max_steps: an override is KEY=VALUE, such as --set training.max_steps=100",
        ),
        (".a=1", "--set .a=1: an override is KEY=VALUE"),
        ("name.x=1", "--set name.x=1: name is 'tiny', not a table: set name as a whole"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(override: str, message: str) -> None:
    (line,) = complaint(override)
    assert line.startswith(message)


def test_the_file_is_named_where_the_mistake_is_in_it() -> None:
    (line,) = complaint(text=MINIMAL + "hedas = 8\n")
    assert line.startswith(
        "tiny.toml: decoder.hedas: unknown key of kind 'transformer'; did you mean 'heads'? allowed: "
    )


def test_all_mistakes_are_told_at_once() -> None:
    lines = complaint("encoder.layers=x", "training.warmpu=1", "seed=-1")
    assert {line.split(":")[0] for line in lines} == {"--set encoder.layers", "--set training.warmpu", "--set seed"}


def test_a_changed_kind_leaves_no_setting_of_the_former_unsaid() -> None:
    (line,) = complaint("link.kind=additive")
    assert line == (
        "tiny.toml: link.heads: unknown key of kind 'additive'; allowed: inner, kind; "
        "to leave out what the former kind had: --set 'link={kind = \"additive\"}'"
    )
    remedy = 'link={kind = "additive"}'
    assert Recipe.parse(MINIMAL, [remedy]).to_toml().count("heads") == 2, "those of encoder and decoder"


@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_texts_longer_than_the_positions_that_are_learned_are_refused(role: str) -> None:
    overrides = [f"{role}.positions=learned", f"{role}.max_length=100"]
    (line,) = complaint(*overrides)
    assert f"text.max_length = 256 is more than the 100 positions that the {role} learns: raise the {role}'s" in line
    assert Recipe.parse(MINIMAL, [*overrides, "text.max_length=100"])
    assert Recipe.parse(MINIMAL, [f"{role}.max_length=100"]), "other positions have no end"


def test_a_wrapped_encoder_s_positions_count_too() -> None:
    inner = '{kind="transformer",positions="learned",max_length=100}'
    (line,) = complaint(
        f'encoder={{kind="variational",width=8,encoder={inner}}}', 'link={kind="state"}', "decoder={kind='gru'}"
    )
    assert "more than the 100 positions that the encoder learns" in line


def test_an_impossible_pair_is_refused_with_a_legal_one() -> None:
    (line,) = complaint("link={kind='dot'}", "encoder.width=128")
    assert line.startswith("tiny.toml: ")
    assert "dot" in line
    assert "links that fit here: 'additive'" in line


AT_ONCE = "decoder={kind='mask-predict'}"


def test_the_search_follows_the_decoder_where_it_is_not_named() -> None:
    assert Recipe.parse(MINIMAL).decoding.search == "beam"
    recipe = Recipe.parse(MINIMAL, [AT_ONCE, "decoding.max_extra=4"])
    assert (recipe.decoding.search, recipe.decoding.max_extra, recipe.decoding.lengths) == ("mask-predict", 4, 5)
    assert Recipe.parse(recipe.to_toml()) == recipe
    assert Recipe.parse(MINIMAL, [AT_ONCE, "decoding.iterations=4"]).decoding.iterations == 4
    assert recipe.changed(["decoding.iterations=3"]).decoding.iterations == 3


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            [AT_ONCE, "decoding.search=beam"],
            "decoding.search = 'beam' does not write as decoder.kind = 'mask-predict' does, at once: "
            "set decoding.search = 'mask-predict'",
        ),
        ([AT_ONCE, "decoding.search=sample"], "decoding.search = 'sample' does not write as"),
        (
            [AT_ONCE, "decoding.beam=4"],
            "decoding: beam is of search = 'beam', but search = 'mask-predict': remove it or change search",
        ),
        (
            [AT_ONCE, "decoding.no_repeat=3"],
            "decoding: no_repeat is of search = 'beam', but search = 'mask-predict': remove it",
        ),
        (
            ["decoding.search=mask-predict"],
            "decoding.search = 'mask-predict' does not write as decoder.kind = 'transformer' does, in order: "
            "set decoding.search = 'beam' or 'sample'",
        ),
    ],
)
def test_a_search_that_does_not_fit_the_decoder_is_refused(overrides: list[str], message: str) -> None:
    (line,) = complaint(*overrides)
    assert message in line


def test_what_is_not_a_recipe_at_all(tmp_path: Path) -> None:
    (tmp_path / "multi30k.toml").write_text("name = ", encoding="utf-8")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(RecipeError, match=r"mutli30k\.toml: there is no such recipe: did you mean .*/multi30k\.toml\?"):
        Recipe.load(tmp_path / "mutli30k.toml")
    with pytest.raises(RecipeError, match=r"nowhere.x\.toml: there is no such recipe: check the path"):
        Recipe.load(tmp_path / "nowhere" / "x.toml")
    with pytest.raises(RecipeError, match=r"multi30k\.toml is not TOML: Invalid value"):
        Recipe.load(tmp_path / "multi30k.toml")
    with pytest.raises(RecipeError, match=r"latin\.toml is not UTF-8 \(byte 8\)"):
        Recipe.load(tmp_path / "latin.toml")
    with pytest.raises(RecipeError, match="the recipe cannot be read: Is a directory"):
        Recipe.load(tmp_path)


def test_a_missing_section_is_named() -> None:
    lines = complaint(text='name = "x"')
    assert lines == [
        f"tiny.toml: {section}: is missing, and has no default" for section in ("corpus", "encoder", "link", "decoder")
    ]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_that_ships_is_right(path: Path) -> None:
    assert Recipe.load(path).name == path.stem
