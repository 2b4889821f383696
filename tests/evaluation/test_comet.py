import sys
from types import ModuleType, SimpleNamespace

import pytest

from endash.errors import CorpusError, EndashError, RecipeError
from endash.evaluation import comet
from endash.evaluation.comet import Comet
from endash.evaluation.evaluate import evaluate


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "wmt" / "checkpoints").mkdir(parents=True)
    (tmp_path / "wmt" / "checkpoints" / "model.ckpt").touch()
    return str(tmp_path / "wmt")


@pytest.fixture
def fake_comet(monkeypatch):
    """Stands for the package: scores a translation by how many letters it has, and keeps what it was asked."""
    asked = []

    class Fake:
        def predict(self, rows, **settings):
            asked.append((rows, settings))
            return SimpleNamespace(scores=[len(row["mt"]) / 10 for row in rows])

    module = ModuleType("comet")
    module.load_from_checkpoint = lambda path: Fake()
    monkeypatch.setitem(sys.modules, "comet", module)
    monkeypatch.setattr(comet.importlib.util, "find_spec", lambda name: object())
    return asked


def test_comet_reads_sources_answers_and_references(folder, fake_comet):
    found = evaluate(["ab", "abcd"], ["x", ["y", "z"]], sources=["s", "t"], metrics=[Comet(folder)])
    assert found["comet"].value == pytest.approx(0.3)
    assert found["comet"].signature.startswith("comet|model:wmt|")
    ((rows, settings),) = fake_comet
    assert rows[1] == {"src": "t", "mt": "abcd", "ref": "y"}
    assert settings["gpus"] == 0
    with pytest.raises(CorpusError, match="COMET reads the sources too"):
        evaluate(["ab"], ["x"], metrics=[Comet(folder)])


@pytest.mark.usefixtures("fake_comet")
def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(EndashError, match=r"is no folder of a COMET model: .*model\.ckpt is missing"):
        Comet(str(tmp_path))


def test_without_the_package_it_says_what_to_install(folder, monkeypatch):
    monkeypatch.setattr(comet.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EndashError, match="COMET is not installed: pip install unbabel-comet"):
        Comet(folder)


def test_it_has_no_name_for_it_is_made_of_a_folder():
    with pytest.raises(RecipeError, match="metric 'comet' is unknown"):
        evaluate(["a"], ["a"], metrics=["chrf", "comet"])
