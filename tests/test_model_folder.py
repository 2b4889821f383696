from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from endash import load
from endash.errors import EndashError, ModelError
from endash.model import Model
from endash.recipe import Recipe
from endash.retrieval import PairIndex
from endash.text import Codec

PAIRS = [(f"The {noun} is {state}.", f"Das {noun} war {state}.") for noun in "abcdefghij" for state in "klmnopqrst"]
RECIPE = """
name = "tiny"
corpus = { train = { kind = "tsv", path = "pairs.tsv" } }
text = { size = 400 }
encoder = { kind = "gru", width = 8, layers = 1 }
link = { kind = "dot" }
decoder = { kind = "gru", width = 8, layers = 1 }
retrieval = { passages = 1 }
"""


def build(*overrides: str) -> Model:
    torch.manual_seed(0)
    recipe = Recipe.parse(RECIPE, overrides)
    return Model.build(recipe, Codec.train(lambda: PAIRS, recipe.text), pairs=PairIndex.build(PAIRS))


@pytest.fixture(scope="module")
def model() -> Model:
    return build()


@pytest.fixture
def folder(model: Model, tmp_path: Path) -> Path:
    model.save(tmp_path / "model", notes=["BLEU 12.3"])
    return tmp_path / "model"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_loaded_model_gives_equal_scores(model: Model, folder: Path) -> None:
    moved = folder.rename(folder.with_name("elsewhere"))
    loaded = load(moved)
    assert loaded.score(*zip(*PAIRS[:5], strict=True)) == model.score(*zip(*PAIRS[:5], strict=True))
    assert loaded.origin == model.origin
    assert loaded.recipe == model.recipe


def test_the_folder_holds_no_code_and_a_card(folder: Path) -> None:
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} <= {
        ".safetensors", ".toml", ".json", ".spm", ".md", ".npz", ".jsonl", ".gz"
    }  # fmt: skip
    for name, content in contents(folder).items():
        assert not content.startswith(b"\x80"), f"{name} is a pickle"
    card = (folder / "README.md").read_text()
    assert "- BLEU 12.3" in card
    assert "gru encoder, dot link, gru decoder" in card


def test_the_model_of_a_run_is_found_in_it(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    with pytest.raises(
        ModelError, match=r"run is a run whose training has not written a model yet: go on with endash train"
    ):
        load(run)
    shutil.copytree(folder, run / "model")
    assert load(run).recipe.name == "tiny"


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere: there is no such model; give the folder of a model, or of a run"):
        load("nowhere")
    with pytest.raises(ModelError, match=r"has no model\.safetensors, recipe\.toml, text: it is no model's folder"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "recipe.toml", "text"])
def test_an_incomplete_folder_names_what_is_missing(folder: Path, name: str) -> None:
    path = folder / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ModelError, match=rf"model is incomplete, {name} is missing: copy the whole folder again"):
        load(folder)


def test_every_other_file_is_missed_by_name(model: Model, folder: Path) -> None:
    needed = [name for name in contents(folder) if name not in ("model.safetensors", "recipe.toml", "README.md")]
    assert len(needed) >= 3  # the vocabulary, its settings, the translation memory
    for name in needed:
        (folder / name).rename(folder / "aside")
        with pytest.raises(EndashError, match=rf"{Path(name).parent}.*copy the whole folder of the model"):
            load(folder)
        (folder / "aside").rename(folder / name)
    load(folder)


def test_broken_parameters_are_named(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(
        ModelError, match=r"model\.safetensors is not a whole file of parameters \(.*\): copy the model"
    ):
        load(folder)


def test_parts_of_two_models_do_not_fit(folder: Path, tmp_path: Path) -> None:
    build("text.placeholders=false").save(tmp_path / "slotless")
    build("encoder.layers=2").save(tmp_path / "deeper")
    shutil.rmtree(folder / "text")
    shutil.copytree(tmp_path / "slotless" / "text", folder / "text")
    with pytest.raises(
        ModelError, match=r"is \(\d+, 8\), and recipe\.toml and text/ ask for \(\d+, 8\): the vocabulary or"
    ):
        load(folder)
    shutil.copy(tmp_path / "deeper" / "recipe.toml", folder / "recipe.toml")
    with pytest.raises(
        ModelError, match=r"does not fit recipe\.toml, they differ in encoder\..*: copy the whole folder"
    ):
        load(folder)


def test_an_existing_model_survives_a_save_that_fails(
    model: Model, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model.codec, "save", full)
    with pytest.raises(ModelError, match="No space"):
        model.save(folder)
    assert contents(folder) == before
    assert os.listdir(folder.parent) == ["model"]
    monkeypatch.undo()
    model.save(folder, notes=["again"])
    assert "- again" in (folder / "README.md").read_text()


def test_what_is_no_model_is_never_replaced_by_one(model: Model, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    (tmp_path / "note").write_text("a note")
    for name in ("thesis", "note"):
        with pytest.raises(ModelError, match=rf"{name} is there already and is no model's folder: save into a new one"):
            model.save(tmp_path / name)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    model.save(tmp_path / "empty")
    load(tmp_path / "empty")


@pytest.mark.parametrize("prepared", [[], ["text"], ["text", "examples"]])
def test_a_run_that_never_came_to_train_is_no_damaged_model(tmp_path: Path, prepared: list[str]) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / "recipe.toml").touch()
    for name in prepared:
        (tmp_path / name).mkdir()
    with pytest.raises(
        ModelError, match=r"is a run whose training has not written a model yet: go on with endash train"
    ):
        load(tmp_path)
