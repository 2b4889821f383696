"""The page's script, run by a browser where there is one."""

import shutil
import subprocess

import numpy as np
import pytest
from test_page import EVIL, Reader

from endash.inspection import write_page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs chromium or google-chrome, to run the page's script"),
]
QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@pytest.fixture
def drawn(tmp_path):
    """A function: the elements of a look's page after its script has run."""

    def draw(look):
        path = write_page(look, tmp_path / "look.html")
        command = [BROWSER, "--headless", "--no-sandbox", *QUIET, f"--user-data-dir={tmp_path / 'user'}"]
        command += ["--virtual-time-budget=2000", "--dump-dom", path.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return Reader(done.stdout)

    return draw


def classes(found, tag):
    return [attrs.get("class", "").split() for _, attrs in found.all(tag)]


def test_every_token_and_every_head_is_drawn(make_look, drawn):
    look = make_look()
    found = drawn(look)
    tokens = [text for text, attrs in found.all("button") if "token" in attrs["class"].split()]
    assert sorted(tokens) == sorted(["A", "girl", "climb", "s", "</s>", "Ein", "Mädchen", "klettert", "</s>"])
    assert sum("thumb" in names for names in classes(found, "button")) == look.layers * look.heads
    assert sum("plate" in names for names in classes(found, "rect")) == 2 + look.layers * look.heads
    radios = [attrs["value"] for _, attrs in found.all("input")]
    assert radios == ["mean", "0", "1", "mean", "0", "1", "2"]
    curves = [attrs for _, attrs in found.all("path") if "stroke-width" in attrs]
    assert len(curves) >= len(look.target_tokens)
    texts = [text for text, _ in found.all("b") + found.all("dd")]
    assert "2 layers × 3 heads" in texts


def test_no_text_runs_as_a_script(make_look, drawn):
    found = drawn(make_look(EVIL, source=EVIL[1]))
    assert len(found.all("script")) == 2
    assert found.all("img") == []
    assert found.all("title")[0][0].startswith("▁<img src=x onerror=alert(1)>")


def test_joined_passages_stand_apart(make_look, drawn):
    found = drawn(make_look(segments=(0, 0, 0, 1, 1), passages=("a <b>match</b>",)))
    assert sum("framed" in names for names in classes(found, "div")) == 2
    assert "a <b>match</b>" in [text for text, _ in found.all("span")]
    assert any(text.endswith("% of the weight") for text, _ in found.all("b"))


def test_a_link_without_weights_still_has_a_page(make_look, drawn):
    found = drawn(make_look(weights=np.zeros((0, 0, 4, 5)), link="state"))
    assert any("A link of kind state has no weights" in text for text, _ in found.all("p"))
    assert sum("cells" in names for names in classes(found, "g")) == 1
