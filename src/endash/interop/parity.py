"""How far a model and its counterpart elsewhere are apart, in figures.

Both are given the same sources, and the greedy translation of each by the model here as the target. Their scores of each target
token are compared, and then what each writes of its own.

Shapes: B batch, T target, V vocabulary.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from endash.errors import ModelError
from endash.model import Model
from endash.network import BOS, Batch
from endash.reading import batches
from endash.text import EOS, Codec, Tokenizer
from endash.text.tokenizer import FIRST_SLOT

_TOLERANCE = (
    1e-3  # of the largest score: sums in another order differ by a hundredth of it, a wrong parameter by far more
)


@dataclass(frozen=True)
class Parity:
    """What a comparison found.

    Attributes:
        peer: with what the model was compared.
        scores: what was compared of each target token, such as its logits.
        difference: the greatest difference between two scores.
        largest: the largest score, in absolute value.
        same: how many of the texts are translated into the same words.
        texts: how many texts there were.
    """

    peer: str
    scores: str
    difference: float
    largest: float
    same: int
    texts: int

    def __str__(self) -> str:
        return (
            f"beside {self.peer}: the {self.scores} of {self.texts} translations differ by {self.difference:.1e} at most (they "
            f"reach {self.largest:.1f}), and {self.same} of {self.texts} greedy translations are the same"
        )

    def check(self) -> Parity:
        """This parity. Raises ModelError where the difference is more than rounding."""
        if not self.difference <= _TOLERANCE * max(1.0, self.largest):
            raise ModelError(
                f"{self}: that is more than rounding, so the two are not one model, and nothing was written. Please report it "
                "with the files of the model"
            )
        return self


def drawn_texts(codec: Codec, *, count: int = 16, seed: int = 1) -> list[str]:
    """Texts of 3 to 20 subwords of the source vocabulary, drawn at random: they need no corpus, and reach all of it."""
    source, drawing = codec.source, random.Random(seed)
    assert isinstance(source, Tokenizer)
    words = [token for token, piece in enumerate(source.pieces(range(len(source)))) if not piece.startswith("<")]
    texts: list[str] = []
    while len(texts) < count:
        text = source.decode(drawing.choices(words, k=drawing.randint(3, min(20, codec.config.max_length // 2))))
        if text.strip() and codec.fits(text) and not codec.encode_source(text).placeholders:
            texts.append(text)
    return texts


@torch.no_grad()
def beside_transformers(model: Model, folder: Path, texts: Sequence[str]) -> Parity | None:
    """The model beside the Marian checkpoint that it was made of; None where transformers is not installed."""
    if find_spec("transformers") is None:
        return None
    from transformers import MarianMTModel, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    marian = MarianMTModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    compared = _Compared(model)
    for source, target in _translated(model, texts):
        source_1S, target_1T = torch.tensor([source]), torch.tensor([target])
        begun_1T = torch.tensor([[BOS, *target[:-1]]])
        theirs = marian(input_ids=source_1S, decoder_input_ids=begun_1T).logits
        written = marian.generate(
            input_ids=source_1S, num_beams=1, do_sample=False, max_new_tokens=_most(model, source)
        )
        compared.add(model.network(Batch(source_1S, target_1T)), theirs, target, written[0, 1:].tolist())
    return compared.parity(f"transformers {version('transformers')}", "logits")


@torch.no_grad()
def beside_ctranslate2(model: Model, folder: Path, texts: Sequence[str]) -> Parity:
    """The model beside the CTranslate2 model that was made of it, in float32, which needs ctranslate2.

    Texts with placeholders are left out, for CTranslate2 has no rule on how often they are written. Raises ModelError if all are.
    """
    import ctranslate2

    translator = ctranslate2.Translator(str(folder), device="cpu", compute_type="float32")
    codec, compared = model.codec, _Compared(model)
    texts = [text for text in texts if not codec.encode_source(text).placeholders]
    if not texts:
        raise ModelError(
            "every text to compare with has placeholders, on which CTranslate2 has no rule: give some without"
        )
    slots = range(FIRST_SLOT, FIRST_SLOT + codec.target.slots)
    never = [[piece] for piece in codec.target.pieces([*codec.target.never_written, *slots])]
    ids = {piece: token for token, piece in enumerate(codec.target.pieces(range(len(codec.target))))}
    for source, target in _translated(model, texts):
        pieces = [codec.source.pieces(source[:-1])]
        [scored] = translator.score_batch(pieces, [codec.target.pieces(target[:-1])])
        memory = model.network.encode(torch.tensor([source]))
        ours = model.network.score(memory, torch.tensor([target]))
        [written] = translator.translate_batch(
            pieces, beam_size=1, max_decoding_length=_most(model, source), suppress_sequences=never
        )
        tokens = [ids[piece] for piece in written.hypotheses[0]]
        compared.add(ours, torch.tensor([scored.log_probs]), target, tokens)
    return compared.parity(f"ctranslate2 {version('ctranslate2')} in float32", "log-probabilities")


class _Compared:
    """What was found of each text so far."""

    def __init__(self, model: Model) -> None:
        self.codec, self.texts, self.same = model.codec, 0, 0
        self.difference, self.largest = 0.0, 0.0

    def add(self, ours: Tensor, theirs: Tensor, target: list[int], written: list[int]) -> None:
        """The scores of one text's target by both, of one shape, and what the other wrote of its own."""
        assert ours.shape == theirs.shape
        apart = torch.where(ours == theirs, 0.0, (ours - theirs).abs())  # also where both are infinite
        self.difference = max(self.difference, apart.max().item())
        self.largest = max(self.largest, theirs[theirs.isfinite()].abs().max().item())
        self.texts += 1
        self.same += self.codec.decode_target(target, ()) == self.codec.decode_target(written, ())

    def parity(self, peer: str, scores: str) -> Parity:
        return Parity(peer, scores, self.difference, self.largest, self.same, self.texts)


def _translated(model: Model, texts: Sequence[str]) -> Iterator[tuple[list[int], list[int]]]:
    """The tokens of each source, and those of its greedy translation, both with eos."""
    memory, config = model.encode(texts), model.recipe.decoding
    greedy = config.replace(**config.quick())
    sources = [source.tokens for source in model.codec.encode_sources(texts)]
    for rows in batches([len(source) for source in sources], config.batch_tokens):
        for row, [best] in zip(rows, model.search(memory.select(rows).trim(), greedy), strict=True):
            yield sources[row], [*best.tokens, EOS]


def _most(model: Model, source: list[int]) -> int:
    """The most tokens that search here writes for a source."""
    return model.recipe.decoding.max_length(len(source))
