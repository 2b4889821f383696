"""A sentencepiece model that was trained elsewhere, with its own ids, as the vocabulary of both sides of a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from endash.errors import TextError
from endash.text.tokenizer import BOS, EOS, PAD, UNK, Tokenizer, open_processor


class ImportedTokenizer(Tokenizer):
    """A vocabulary that spells text just as its sentencepiece model does, whatever that normalises or does not know.

    Its ids are the model's own, of which 0 to 3 are pad, unk, bos and eos as everywhere here. It has no sep and no slots: all
    ids from 4 on are words of the model. So a text need not come back as it was, and a character may be unk, also in what is
    written.
    """

    never_written = (PAD, BOS)

    def __init__(self, model: bytes) -> None:
        """The vocabulary in `model`, the bytes of a sentencepiece model. Raises TextError if its special ids are others."""
        self.model = model
        self._processor, self._pieces = open_processor(model)
        self.slots = 0
        found = {name: getattr(self._processor, f"{name}_id")() for name in ("pad", "unk", "bos", "eos")}
        wanted = {"pad": PAD, "unk": UNK, "bos": BOS, "eos": EOS}
        if found != wanted:
            told = " and ".join(f"{name}_id = {found[name]}" for name in wanted if found[name] != wanted[name])
            raise TextError(
                f"this sentencepiece model has {told}, and a vocabulary here has pad 0, unk 1, bos 2 and eos 3: name one that "
                "was trained with --pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3"
            )

    def encode_parts(self, texts: Sequence[Sequence[str | int]]) -> list[list[int]]:
        """The ids of each text, which is one part: there are no slots that could stand between parts."""
        return self._spell(["".join(map(str, parts)) for parts in texts], texts)

    def decode(self, ids: Iterable[int], slots: Sequence[str] = ()) -> str:
        """The text of `ids` as sentencepiece puts it together; special ids give nothing, but unk its sign `⁇`."""
        text: str = self._processor.decode(list(ids))
        return text
