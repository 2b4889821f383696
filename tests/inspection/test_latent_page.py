import re

import numpy as np
import pytest
from test_page import EVIL, Reader

from endash.errors import TextError
from endash.inspection import write_latent_page, write_latent_png
from endash.inspection.latent_page import latent_page, spread_out
from endash.inspection.latent_space import LatentSpace, latent_space, principal


def space(texts=("one", "two", "three"), **fields):
    draw = np.random.default_rng(0)
    given = {
        "places": draw.normal(size=(len(texts), 2)).astype(np.float32),
        "shares": (0.5, 0.25),
        "kl": np.array([0.1, 2.0, 0.0], dtype=np.float32),
        "variance": np.array([0.02, 0.9, 0.001], dtype=np.float32),
        "model": "runs/vae",
    }
    return LatentSpace(texts=tuple(texts), **(given | fields))


def test_the_page_holds_all_texts_and_places():
    one = space()
    data = Reader(latent_page(one)).data
    assert data["texts"] == list(one.texts)
    np.testing.assert_allclose(data["places"], one.places, atol=1e-4)
    np.testing.assert_allclose(data["kl"], one.kl, atol=1e-4)
    assert data["active"] == [True, True, False]
    assert "3 texts; KL 2.1 nats a text; 2 of 3 dimensions active" in latent_page(one)


def test_the_page_is_self_contained_and_no_text_is_taken_for_markup():
    text = latent_page(space(EVIL, model="<i>"))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|\b(src|href)\s*=", latent_page(space()))
    found, plain = Reader(text), Reader(latent_page(space()))
    assert [tag for tag, *_ in found.elements] == [tag for tag, *_ in plain.elements]
    assert tuple(found.data["texts"]) == EVIL


def test_page_and_picture_are_written(tmp_path):
    many = space([f"text {n} $x_1$" for n in range(60)])
    assert write_latent_page(many, tmp_path / "space.html").read_text(encoding="utf-8") == latent_page(many)
    assert write_latent_png(many, tmp_path / "space.png").read_bytes()[:4] == b"\x89PNG"


def test_the_principal_lines_are_those_of_the_widest_spread():
    draw = np.random.default_rng(1)
    turn, _ = np.linalg.qr(draw.normal(size=(3, 3)))
    vectors = draw.normal(size=(4000, 3)) * (0.1, 3.0, 1.0) @ turn + 5
    places, shares = principal(vectors)
    np.testing.assert_allclose(places.std(0), (3.0, 1.0), rtol=0.05)  # 4 standard errors of 4,000 draws
    np.testing.assert_allclose(shares, (9 / 10.01, 1 / 10.01), rtol=0.06)
    assert abs(np.corrcoef(places.T)[0, 1]) < 1e-9
    flipped, _ = principal(-vectors)
    np.testing.assert_allclose(flipped, -places, atol=1e-9)


def test_one_number_and_equal_vectors_have_places_too():
    places, shares = principal(np.array([[1.0], [2.0], [6.0]]))
    np.testing.assert_allclose(places, [[-2, 0], [-1, 0], [3, 0]])
    assert shares == (1.0, 0.0)
    places, shares = principal(np.ones((3, 4)))
    assert not places.any()
    assert shares == (0.0, 0.0)


def test_labels_go_to_texts_that_lie_apart():
    places = np.array([[0, 0], [0.1, 0], [9, 0], [9, 0.1], [0, 8]], dtype=np.float32)
    assert sorted(spread_out(space("abcde", places=places), 3)) in ([0, 3, 4], [1, 3, 4])
    assert spread_out(space("abc"), 3) == [0, 1, 2]


def test_two_texts_are_too_few():
    class Model:
        class network:  # noqa: N801
            class variational:  # noqa: N801
                width = 4

    with pytest.raises(TextError, match="2 texts make no picture of a latent space: give at least 3"):
        latent_space(Model, ["a", "b"])
