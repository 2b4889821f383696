"""The vocabulary of a pretrained encoder, in which a source is spelled as that encoder learned it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from endash.errors import TextError
from endash.text.words import Around, Words, check_words


class ForeignTokenizer:
    """The tokenizer.json of a Hugging Face model, which encodes sources and writes nothing.

    Ids are those of the model, but that 0 and its padding's id have changed places. The special tokens that the model expects
    around a text, such as ``[CLS]`` and ``[SEP]``, are put there, and nothing else: there are no slots for placeholders.
    """

    slots = 0
    end: tuple[int, ...] = ()  # what follows a source's tokens; here it is among them

    def __init__(self, model: bytes) -> None:
        """The vocabulary in `model`, the bytes of a tokenizer.json that says its padding. Raises TextError if it is not one."""
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise TextError(
                "the vocabulary of a pretrained encoder needs the library tokenizers, which is not installed: "
                'pip install "endash[pretrained]"'
            ) from None
        self.model = model
        try:
            tokenizer: Any = Tokenizer.from_str(model.decode())
            self._tokenizer = tokenizer
            self._padding = int(tokenizer.padding["pad_id"])
        except Exception as error:  # the library raises nothing more special
            raise TextError(f"this is not a tokenizer.json that says its padding ({error})") from None
        self._tokenizer.no_padding()
        self.around = self._around()

    @classmethod
    def of_folder(cls, folder: str | Path | None, *, padding: int) -> ForeignTokenizer:
        """The vocabulary in the folder of a model, whose padding has this id; nothing is cut, whatever it says of lengths.

        Raises TextError where there is none.
        """
        path = Path(folder or "") / "tokenizer.json"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TextError(
                f"{path}: the vocabulary of the pretrained encoder cannot be read ({error}): name the folder of a model "
                "with a tokenizer.json, which transformers writes for its fast tokenizers"
            ) from None
        return cls(_whole(text, padding, path))

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def __reduce__(self) -> tuple[type[ForeignTokenizer], tuple[bytes]]:
        return ForeignTokenizer, (self.model,)

    def encode_parts(self, texts: Sequence[Sequence[str | int]]) -> list[list[int]]:
        """The ids of each text, which is one part: there are no slots that could stand between parts."""
        encoded = self._tokenizer.encode_batch(["".join(map(str, parts)) for parts in texts])
        return [[self._swapped(token) for token in one.ids] for one in encoded]

    def encode_words(self, words: Sequence[str]) -> Words:
        """The tokens of words, which are those of a text with a space between them, as far as the model tells words apart.

        A word that the model drops whole, such as a control character, is its unknown token. Raises TextError for an empty word.
        """
        check_words(words)
        spaced = [f" {word}" if number else word for number, word in enumerate(words)]
        encoded = self._tokenizer.encode(spaced, is_pretokenized=True)
        pieces: list[list[int]] = [[] for _ in words]
        for token, word in zip(encoded.ids, encoded.word_ids, strict=True):
            if word is not None:  # that of a special token around the text
                pieces[word].append(self._swapped(token))
        return Words.of(
            (one or [self._unknown(word)] for one, word in zip(pieces, words, strict=True)), around=self.around
        )

    def pieces(self, ids: Sequence[int], slots: Sequence[str] = ()) -> list[str]:
        """The name of each token in the model's vocabulary, for pictures and tables."""
        return [self._tokenizer.id_to_token(self._swapped(token)) for token in ids]

    def save(self, path: Path | str) -> None:
        """Write the vocabulary to a file, a tokenizer.json."""
        Path(path).write_bytes(self.model)

    @classmethod
    def load(cls, path: Path | str) -> ForeignTokenizer:
        """The vocabulary that `save` wrote. Raises TextError if the file is missing or another thing."""
        try:
            return cls(Path(path).read_bytes())
        except OSError as error:
            raise TextError(f"no vocabulary at {path}: {error.strerror}; copy the whole folder of the model") from None
        except TextError as error:
            raise TextError(f"{path}: {error}") from None

    def _around(self) -> Around:
        """What the model expects before and after the tokens of a text."""
        encoded = self._tokenizer.encode("a 1 . 的")  # of which every vocabulary knows something
        own = [place for place, word in enumerate(encoded.word_ids) if word is not None] or [len(encoded.ids)]
        ids = [self._swapped(token) for token in encoded.ids]
        return tuple(ids[: own[0]]), tuple(ids[own[-1] + 1 :])

    def _unknown(self, word: str) -> int:
        """The token of what is not known, for a word without any. Raises TextError where the model has none."""
        model = json.loads(self.model)["model"]
        names = (model.get("unk_token"), "[UNK]", "<unk>")
        known = (self._tokenizer.token_to_id(name) for name in names if name)
        token = next((one for one in known if one is not None), model.get("unk_id"))
        if token is None:
            raise TextError(f"the word {word!r} has no token in the vocabulary of the pretrained encoder: leave it out")
        return self._swapped(int(token))

    def _swapped(self, token: int) -> int:
        return {0: self._padding, self._padding: 0}.get(token, token)


def _whole(text: str, padding: int, path: Path) -> bytes:
    """A tokenizer.json that says its padding, and cuts nothing."""
    try:
        told = json.loads(text)
        told["padding"] = {
            "strategy": "BatchLongest",
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": padding,
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        }
        told["truncation"] = None
    except (ValueError, TypeError):
        raise TextError(f"{path} is no tokenizer.json: copy the folder of the model again") from None
    return json.dumps(told, ensure_ascii=False).encode()
