"""The engine: the same texts as the model alone, streamed, cancelled, refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import tiny_model
from endash import Engine, native
from endash.errors import ModelError, TextError
from endash.model import Model
from endash.native import CancelledError

pytestmark = pytest.mark.skipif(native.why_absent() is not None, reason="the native core is not built here")
TEXTS = ["The door is on.", "The fan is off.", " ", "The lamp is on. The door is off.", ""]


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model.build(tiny_model.trained_codec())


def test_many_callers_get_what_the_model_writes(model: Model) -> None:
    expected = model(TEXTS, beam=3)
    with Engine(model, beam=3) as engine, ThreadPoolExecutor(8) as callers:
        found = list(callers.map(lambda text: engine.submit(text).result(60)[0].text, TEXTS * 20))
        assert engine.memory == 0
    assert found == expected * 20


def test_a_stream_is_the_text_of_the_result(model: Model) -> None:
    with Engine(model, beam=3) as engine:
        for text in TEXTS:
            answer = engine.submit(text, stream=True)
            assert "".join(answer.stream()) == answer.result(60)[0].text


def test_a_cancelled_answer_says_so_and_others_go_on(model: Model) -> None:
    with Engine(model, beam=1, max_ratio=0.0, max_extra=100_000) as engine:
        given_up = engine.submit(TEXTS[0], stream=True)
        given_up.cancel()
        with pytest.raises(CancelledError):
            given_up.result(60)


def test_what_cannot_be_done_is_refused(model: Model) -> None:
    with Engine(model) as engine, pytest.raises(TextError, match="one text after the other"):
        engine.submit(TEXTS)  # type: ignore[arg-type]
    pointer = tiny_model.build(tiny_model.trained_codec(), "head.pointer=true")
    with pytest.raises(ModelError, match=r"the engine needs the native core, and PyTorch, .*pointer"):
        Engine(pointer)


def test_a_closed_engine_takes_nothing(model: Model) -> None:
    engine = Engine(model)
    engine.close()
    with pytest.raises(ModelError, match="the core was closed"):
        engine.submit(TEXTS[0])


def test_no_answer_is_kept_back_while_a_thread_waits_for_work(model: Model) -> None:
    with Engine(model, beam=1, max_ratio=0.0, max_extra=1, threads=4) as engine:
        for group in range(500):
            answers = [engine.submit(TEXTS[place % 2]) for place in range(1 + group % 23)]
            assert all(answer.result(20) for answer in answers)
