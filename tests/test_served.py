"""A saved model without PyTorch: the same text as with it, and what is broken or not for the core is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

import task_models
import tiny_model
from endash import Engine, native
from endash.errors import ModelError, TextError
from endash.model import Model
from endash.served import FILE, NotServedError, Served

pytestmark = pytest.mark.skipif(native.why_absent() is not None, reason="the native core is not built here")
TEXTS = ["The door is on.", "The fan is off.", " ", "The lamp is on. The door is off.", ""]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_model.build(tiny_model.trained_codec()).save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize(
    "search", [{"beam": 1}, {"beam": 3, "n_best": 2}, {"search": "sample", "n_best": 2, "seed": 7}]
)
def test_a_folder_is_decoded_as_the_model_is(folder: Path, search: dict[str, object]) -> None:
    with Engine(folder, **search) as engine:
        assert engine.translate(TEXTS) == Model.load(folder).translate(TEXTS, **search)


def test_torch_is_not_imported(folder: Path) -> None:
    program = (
        "import sys, endash\n"
        "from endash.cli import main\n"
        f"with endash.Engine({str(folder)!r}) as engine: engine.submit('The door is on.').result(60)\n"
        f"sys.argv = ['endash', 'translate', {str(folder)!r}]\n"
        "code = main()\n"
        "assert not code, code\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, input="The door is on.\n", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1


def test_other_models_are_not_served(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotServedError, match="mask-predict"):
        Engine(folder, search="mask-predict")
    recipe = folder / "recipe.toml"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("layers = 1", "layers = 2"), encoding="utf-8")
    with pytest.raises(NotServedError, match="was changed"):
        Engine(folder)
    recipe.write_text(text.replace("beam = ", "beam = -"), encoding="utf-8")
    with pytest.raises(NotServedError, match="beam"):
        Engine(folder)
    tiny_model.build(tiny_model.trained_codec(), "head.pointer=true").save(tmp_path / "pointer")
    with pytest.raises(NotServedError, match=FILE):
        Engine(tmp_path / "pointer")
    brief = tiny_model.build(tiny_model.trained_codec())
    brief.network.bfloat16()
    brief.save(tmp_path / "brief")
    with pytest.raises(NotServedError, match=FILE):
        Engine(tmp_path / "brief")
    monkeypatch.setenv("ENDASH_NATIVE", "off")
    with pytest.raises(NotServedError, match="ENDASH_NATIVE=off"):
        Engine(folder)


def test_what_is_no_translation_is_refused_where_it_is_too_long(tmp_path: Path) -> None:
    turns = "\n".join(f"customer: {text}" for text in task_models.TEXTS * 3)
    model = task_models.build("dialogue", "corpus.train.path=/given.jsonl")
    model.save(tmp_path / "dialogue")
    for given in (model, tmp_path / "dialogue"):
        with Engine(given) as engine:
            assert engine.translate(["customer: the door"]) == Model.load(tmp_path / "dialogue").translate(
                ["customer: the door"]
            )
            for ask in (engine.submit, lambda text: engine.check([text]), lambda text: engine.translate([text])):
                with pytest.raises(TextError, match=r"\d+ tokens, and this model takes 40: .*; shorten it"):
                    ask(turns)


def test_of_a_model_saved_before_only_a_translation_is_split(folder: Path) -> None:
    told = json.loads((folder / FILE).read_text(encoding="utf-8"))
    assert told.pop("by_sentence") is True
    (folder / FILE).write_text(json.dumps(told), encoding="utf-8")
    assert Served.load(folder).by_sentence
    recipe = folder / "recipe.toml"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace('kind = "translation"', 'kind = "dialogue"'), encoding="utf-8")
    assert not Served.load(folder).by_sentence


def test_a_broken_folder_is_named(folder: Path) -> None:
    parameters = load_file(folder / "model.safetensors")
    name = sorted(parameters)[0]
    save_file({**parameters, name: parameters[name][:-1].copy()}, folder / "model.safetensors")
    with pytest.raises(ModelError, match=name):
        Engine(folder)
    save_file(parameters, folder / "model.safetensors")
    told = json.loads((folder / FILE).read_text(encoding="utf-8"))
    for key, value in (("heads", 0), ("heads", 5), ("layers", 3), ("width", -16), ("positions", "none")):
        broken = {**told["settings"], "decoder": {**told["settings"]["decoder"], key: value}}
        (folder / FILE).write_text(json.dumps({**told, "settings": broken}), encoding="utf-8")
        with pytest.raises(ModelError, match="do not fit"):
            Engine(folder)
    for key, value in (
        ("bos", 9999),
        ("never", [-1]),
        ("slots", 9999),
        ("link_heads", 3),
        ("memory_width", 7),
        ("source_size", 3),
    ):
        (folder / FILE).write_text(json.dumps({**told, "settings": {**told["settings"], key: value}}), encoding="utf-8")
        with pytest.raises(ModelError, match="do not fit"):
            Engine(folder)
    (folder / FILE).write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match=rf"{FILE} is broken"):
        Engine(folder)
