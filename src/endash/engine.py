"""The engine: one model that answers many callers, text in and text out, as a service needs it.

>>> from endash import Engine, load
>>> with Engine(load("runs/demo"), precision="int8", beam=4) as engine:      # doctest: +SKIP
...     answer = engine.submit("The door is open.")
...     for piece in answer.stream():
...         print(piece, end="")
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from endash.decoding.hypothesis import Found, Hypothesis
from endash.decoding.pieces import Piece, append, pieces
from endash.errors import ModelError, TextError
from endash.model import Model
from endash.native import Ticket

_UNFINISHED = "\N{REPLACEMENT CHARACTER}"  # bytes that do not make up a character yet


class Answer:
    """What is being written for one text; its sentences, where it is too long for the model, are under way together."""

    def __init__(self, model: Model, parts: list[tuple[Piece, Ticket | None, tuple[str, ...]]]) -> None:
        self._model, self._parts = model, parts

    def result(self, timeout: float | None = None) -> list[Hypothesis]:
        """Up to `n_best` hypotheses, best first. Raises CancelledError, ModelError, or TimeoutError after so many seconds."""
        found: list[Hypothesis] = []
        for piece, ticket, placeholders in self._parts:
            some = (
                [Hypothesis(piece.text, 0.0, ())]
                if ticket is None
                else self._read(ticket.result(timeout), placeholders)
            )
            found = append(found, some, piece)
        return found

    def stream(self) -> Iterator[str]:
        """The text of the best hypothesis in stretches, each as soon as nothing that is under way could change it.

        Together they are the first result's text, if it was submitted with ``stream=True``; else the text comes at once.
        """
        for piece, ticket, placeholders in self._parts:
            told, tokens = "", []
            for token in ticket.tokens() if ticket is not None else ():
                tokens.append(token)
                text = self._model.codec.decode_target(tokens, placeholders)
                if text.startswith(told) and not text.endswith(_UNFINISHED):
                    yield text[len(told) :]
                    told = text
            whole = piece.text if ticket is None else self._read(ticket.result(), placeholders)[0].text
            yield whole[len(told) :] + piece.separator

    def cancel(self) -> None:
        """Give it up; `result` then raises CancelledError, unless it was done already."""
        for _, ticket, _ in self._parts:
            if ticket is not None:
                ticket.cancel()

    def _read(self, found: list[Found], placeholders: tuple[str, ...]) -> list[Hypothesis]:
        return [self._model.hypothesis(one, placeholders) for one in found]


class Engine:
    """Continuous batching over the native core: callers from any thread share its threads, and new texts join at each step.

    The model's parameters are packed once: what is done to the model afterwards changes nothing here.
    """

    def __init__(self, model: Model, *, room: int | None = None, **decoding: Any) -> None:
        """`decoding` changes the model's ``[decoding]``; `room` is how many sentences may wait before `submit` waits too.

        Raises ModelError where the native core cannot decode this model: `Model.translate` can.
        """
        self.model, self.config = model, model.decoding(**decoding)
        if not model.path.reads_sources(self.config):
            raise ModelError(
                f"the engine needs the native core, and {model.path.describe(self.config)}: use model.translate"
            )
        self._core = model.path.new_core(self.config, room=room)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return str(self._core)

    @property
    def memory(self) -> int:
        """Bytes that the sentences under way take, beside the parameters."""
        return self._core.memory

    def submit(self, text: str, *, stream: bool = False, wait: bool = True) -> Answer:
        """Begin to translate a text.

        Raises TextError for a sentence that is longer than the model takes, ModelError where too many wait and `wait` is False.
        """
        if not isinstance(text, str):
            raise TextError(f"a text is needed, and this is a {type(text).__name__}: submit one text after the other")
        parts: list[tuple[Piece, Ticket | None, tuple[str, ...]]] = []
        answer = Answer(self.model, parts)
        try:
            for piece in pieces(0, self.model.codec.split_source(text)):
                source = self.model.codec.encode_source(piece.text)
                ticket = None
                if piece.text.strip():
                    ticket = self.model.path.submit(self._core, source.tokens, self.config, stream=stream, wait=wait)
                parts.append((piece, ticket, source.placeholders))
        except ModelError:
            answer.cancel()
            raise
        return answer

    def close(self) -> None:
        """End its threads; what is not done is cancelled."""
        self._core.close()
