"""The engine: one model that answers many callers, text in and text out, as a service needs it. PyTorch has no part in it.

>>> from endash import Engine
>>> with Engine("runs/demo", precision="int8", beam=4) as engine:             # doctest: +SKIP
...     answer = engine.submit("The door is open.")
...     for piece in answer.stream():
...         print(piece, end="")
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

from endash.decoding.hypothesis import Hypothesis
from endash.decoding.pieces import Piece, append, check_prefixes, pieces, prefixes_of, split, translate
from endash.errors import ModelError, TextError
from endash.native import Ticket
from endash.served import NotServedError, Served
from endash.text.codec import Codec

if TYPE_CHECKING:
    from endash.model import Model

_UNFINISHED = "\N{REPLACEMENT CHARACTER}"  # bytes that do not make up a character yet


class Answer:
    """What is being written for one text; its sentences, where it is too long for the model, are under way together."""

    def __init__(self, codec: Codec, parts: list[tuple[Piece, Ticket | None, tuple[str, ...]]]) -> None:
        self._codec, self._parts = codec, parts

    def result(self, timeout: float | None = None) -> list[Hypothesis]:
        """Up to `n_best` hypotheses, best first. Raises CancelledError, ModelError, or TimeoutError after so many seconds."""
        found: list[Hypothesis] = []
        for piece, ticket, placeholders in self._parts:
            some = [Hypothesis(piece.text, 0.0, ())]
            if ticket is not None:
                some = [Hypothesis.of(one, self._codec, placeholders) for one in ticket.result(timeout)]
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
                text = self._codec.decode_target(tokens, placeholders)
                if text.startswith(told) and not text.endswith(_UNFINISHED):
                    yield text[len(told) :]
                    told = text
            whole = piece.text
            if ticket is not None:
                whole = self._codec.decode_target(ticket.result()[0].tokens, placeholders)
            yield whole[len(told) :] + piece.separator

    def cancel(self) -> None:
        """Give it up; `result` then raises CancelledError, unless it was done already."""
        for _, ticket, _ in self._parts:
            if ticket is not None:
                ticket.cancel()


class Engine:
    """Continuous batching over the native core: callers from any thread share its threads, and new texts join at each step.

    The parameters are packed once: what is done to a model afterwards changes nothing here. A text is taken as it stands, as by
    `Model.translate`: what a task leaves out of one that is too long, `Model.answer` does.
    """

    def __init__(
        self,
        model: Model | str | os.PathLike[str],
        *,
        threads: int | None = None,
        room: int | None = None,
        **decoding: Any,
    ) -> None:
        """`model` is a folder, which is read without PyTorch, or a model that was loaded; `decoding` changes its ``[decoding]``.

        It has a thread for each CPU unless `threads` or ``OMP_NUM_THREADS`` says otherwise; `room` is how many sentences may
        wait before `submit` waits too. Raises ModelError, of the class NotServedError where the native core cannot decode this
        model so: `Model.translate` can.
        """
        served = Served.load(model) if isinstance(model, str | os.PathLike) else _served(model, decoding)
        self.codec, self._served = served.codec, served
        self.config = served.decoding.replace(**decoding)
        if lacking := self.config.beyond_core:
            raise NotServedError(f"the native core has no {lacking}")
        self._core = served.core(self.config, threads=threads, room=room)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return self._core.describe(self.config)

    @property
    def memory(self) -> int:
        """Bytes that the sentences under way take, beside the parameters."""
        return self._core.memory

    def translate(
        self,
        texts: Sequence[str],
        *,
        prefixes: Sequence[str] | None = None,
        alignment: bool = False,
        scored: bool = True,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Hypothesis]]:
        """Up to `n_best` hypotheses for each text, in their order; as `Model.translate`."""
        check_prefixes(texts, prefixes)

        def decode(some: list[Piece]) -> Iterator[tuple[list[int], list[list[Hypothesis]]]]:
            begun = prefixes_of(some, prefixes)
            how = {"alignment": alignment, "scored": scored}
            return self._served.decode(self._core, some, self.config, prefixes=begun, **how)

        return translate(texts, self._served.cut, decode, progress=progress)

    def check(self, texts: Sequence[str]) -> None:
        """Raise LongTextError for the first text that `translate` would refuse, before anything is translated."""
        split(texts, self._served.cut)

    def submit(self, text: str, *, prefix: str = "", stream: bool = False, wait: bool = True) -> Answer:
        """Begin to translate a text; its target begins with `prefix`.

        Raises TextError for a text or sentence that is longer than the model takes, ModelError where too many wait and `wait` is False.
        """
        if not isinstance(text, str):
            raise TextError(f"a text is needed, and this is a {type(text).__name__}: submit one text after the other")
        parts: list[tuple[Piece, Ticket | None, tuple[str, ...]]] = []
        answer = Answer(self.codec, parts)
        try:
            some = list(pieces(0, self._served.cut(text)))
            prefixes_of(some, [prefix])
            for piece in some:
                source = self.codec.encode_source(piece.text)
                ticket = None
                if piece.text.strip():
                    begun = self.codec.encode_prefixes([prefix], [source.placeholders])[0] if prefix else ()
                    ticket = self._served.submit(
                        self._core, source.tokens, self.config, prefix=begun, stream=stream, wait=wait
                    )
                parts.append((piece, ticket, source.placeholders))
        except ModelError:
            answer.cancel()
            raise
        return answer

    def close(self) -> None:
        """End its threads; what is not done is cancelled."""
        self._core.close()


def _served(model: Model, decoding: dict[str, Any]) -> Served:
    config = model.decoding(**decoding)
    if not model.path.reads_sources(config):
        raise NotServedError(
            f"the engine needs the native core, and {model.path.describe(config)}: use model.translate"
        )
    return model.path.served
