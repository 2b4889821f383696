"""A vocabulary of subwords: every string becomes token ids and comes back as it was.

Subwords are sentencepiece's (Kudo & Richardson 2018; unigram: Kudo 2018, BPE: Sennrich et al. 2016), over text as it is:
no normalisation, no spaces removed. A text is spelled with one space put before it, so that its first word is the same
token as in the middle of a sentence. A character that is not in the vocabulary is spelled as its UTF-8 bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from endash.errors import TextError
from endash.text.config import TextConfig
from endash.text.words import Around, Words, check_words

PAD, UNK, BOS, EOS, SEP = range(5)
SPECIALS = ("<pad>", "<unk>", "<s>", "</s>", "<sep>")
FIRST_SLOT = len(SPECIALS)
SLOTS = 32

_SPACE = "\u2581"  # sentencepiece's sign for a space
_SPELLED = re.compile("([\0\u2581]+)")  # what sentencepiece would lose or take for a space: spelled in bytes
_UNLEARNED = re.compile("[\0\t\n\r\u2581\u2585]+")  # never inside a subword: a byte or three spell each of them
_LEARN_FROM = 1_000_000  # stretches of text kept in memory to learn from; of more, a fixed sample
_LONGEST = 1_000  # characters of such a stretch: sentencepiece leaves out what takes more than 4,192 bytes


class Tokenizer:
    """A vocabulary: ids 0 to 4 are pad, unk, bos, eos, sep; the slots, if it has any, follow from 5 on."""

    end: tuple[int, ...] = (EOS,)  # what follows a source's tokens
    around: Around = ((), end)
    never_written: tuple[int, ...] = (PAD, UNK, BOS, SEP)  # of the special tokens, those that no target may hold

    def __init__(self, model: bytes) -> None:
        """The vocabulary in `model`, the bytes of a sentencepiece model. Raises TextError if it is not one of ours."""
        self.model = model
        self._processor, self._pieces = open_processor(model)
        self.slots = SLOTS if _slot_names() == self._pieces[FIRST_SLOT : FIRST_SLOT + SLOTS] else 0
        self._first_byte = FIRST_SLOT + self.slots
        bytes_256 = [f"<0x{byte:02X}>" for byte in range(256)]
        if (*self._pieces[:FIRST_SLOT],) != SPECIALS or self._pieces[self._first_byte :][:256] != bytes_256:
            raise TextError(
                "this sentencepiece model was not made here: it must begin with "
                f"{' '.join(SPECIALS)}, slots or none, and 256 bytes; train a vocabulary with `endash train`"
            )
        self._spellings = [b""] * self._first_byte + [bytes([byte]) for byte in range(256)]
        self._spellings += [piece.replace(_SPACE, " ").encode() for piece in self._pieces[self._first_byte + 256 :]]

    @classmethod
    def train(cls, texts: Iterable[str], config: TextConfig) -> Tokenizer:
        """A vocabulary of at most `config.size` tokens: fewer when the texts hold no more subwords.

        `texts` is read once, as a stream. The same texts and settings give the same bytes.
        Raises TextError if there is no text, or if `config.size` has no room for the characters of the texts.
        """
        from sentencepiece import SentencePieceTrainer

        model, failures = io.BytesIO(), list[BaseException]()
        try:
            SentencePieceTrainer.train(
                sentence_iterator=_remember_failure(_stretches(texts), failures),
                model_writer=model,
                model_type=config.model,
                vocab_size=config.size,
                hard_vocab_limit=False,
                byte_fallback=True,
                character_coverage=0.9999,
                normalization_rule_name="identity",
                remove_extra_whitespaces=False,
                add_dummy_prefix=False,
                split_digits=True,
                input_sentence_size=_LEARN_FROM,
                shuffle_input_sentence=True,
                num_threads=16,  # sums of floats depend on it, so it is not the machine's
                minloglevel=2,
                pad_id=PAD,
                unk_id=UNK,
                bos_id=BOS,
                eos_id=EOS,
                pad_piece=SPECIALS[PAD],
                unk_piece=SPECIALS[UNK],
                bos_piece=SPECIALS[BOS],
                eos_piece=SPECIALS[EOS],
                control_symbols=[SPECIALS[SEP], *(_slot_names() if config.placeholders else ())],
            )
        except RuntimeError as error:
            raise failures[0] if failures else _training_error(error, config) from None
        return cls(model.getvalue())

    def __len__(self) -> int:
        return len(self._pieces)

    def __reduce__(self) -> tuple[type[Tokenizer], tuple[bytes]]:
        return type(self), (self.model,)

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, without bos or eos; none of an empty text. Raises TextError if it is not Unicode text."""
        return self.encode_parts([[text]])[0]

    def encode_parts(self, texts: Sequence[Sequence[str | int]]) -> list[list[int]]:
        """The ids of each text, given in parts: text to be encoded, and ids that stand between as they are."""
        stretches: list[str] = []
        plans: list[list[list[int] | int]] = []  # ids, or the place of a stretch
        for parts in texts:
            plan: list[list[int] | int] = []
            for place, part in enumerate(parts):
                if isinstance(part, int):
                    plan.append([part])
                elif part:
                    spelled = _SPELLED.split(part if place else " " + part)
                    for odd, stretch in enumerate(spelled):
                        if odd % 2:
                            plan.append([self._first_byte + byte for byte in stretch.encode()])
                        elif stretch:
                            plan.append(len(stretches))
                            stretches.append(stretch)
            plans.append(plan)
        encoded = self._spell(stretches, texts)
        return [
            [token for step in plan for token in (encoded[step] if isinstance(step, int) else step)] for plan in plans
        ]

    def encode_words(self, words: Sequence[str]) -> Words:
        """The tokens of words, each spelled as it is after a space, so that they are those of a text with a space between words.

        A word that the vocabulary drops whole is unk. Raises TextError for an empty word, and as `encode` does.
        """
        check_words(words)
        return Words.of((one or [UNK] for one in self.encode_parts([[word] for word in words])), around=self.around)

    def _spell(self, stretches: list[str], texts: Sequence[Sequence[str | int]]) -> list[list[int]]:
        """The ids that sentencepiece gives each stretch of `texts`. Raises TextError for what is not Unicode text."""
        try:
            return self._processor.encode(stretches, num_threads=1) if stretches else []
        except (RuntimeError, TypeError):
            for text in (part for parts in texts for part in parts if isinstance(part, str)):
                check_unicode(text)
            raise

    def decode(self, ids: Iterable[int], slots: Sequence[str] = ()) -> str:
        """The text of `ids`: slot k becomes `slots[k]`, other special ids nothing, bytes that are not UTF-8 U+FFFD."""
        spellings, filled = self._spellings, dict(enumerate((slot.encode() for slot in slots), FIRST_SLOT))
        text = b"".join(filled.get(token) or spellings[token] for token in ids).decode(errors="replace")
        return text.removeprefix(" ")

    def pieces(self, ids: Iterable[int], slots: Sequence[str] = ()) -> list[str]:
        """The name of each token, for pictures and tables: ``▁Open``, ``</s>``, ``<0x41>``; slot k is `slots[k]`."""
        filled = dict(enumerate(slots, FIRST_SLOT))
        return [filled.get(token, self._pieces[token]) for token in ids]

    def save(self, path: Path | str) -> None:
        """Write the vocabulary to a file, a sentencepiece model."""
        Path(path).write_bytes(self.model)

    @classmethod
    def load(cls, path: Path | str) -> Tokenizer:
        """The vocabulary that `save` wrote. Raises TextError if the file is missing or another thing."""
        try:
            return cls(Path(path).read_bytes())
        except OSError as error:
            raise TextError(f"no vocabulary at {path}: {error.strerror}; copy the whole folder of the model") from None
        except TextError as error:
            raise TextError(f"{path}: {error}") from None


def open_processor(model: bytes) -> tuple[Any, list[str]]:
    """The processor in the bytes of a sentencepiece model, and its pieces. Raises TextError if they are not one."""
    from sentencepiece import SentencePieceProcessor

    try:
        processor = SentencePieceProcessor(model_proto=model)
        return processor, [processor.id_to_piece(i) for i in range(len(processor))]
    except RuntimeError as error:
        raise TextError(f"this is not a sentencepiece model ({len(model)} bytes): {error}") from None


def _slot_names() -> list[str]:
    return [f"<slot{number}>" for number in range(SLOTS)]


def _stretches(texts: Iterable[str]) -> Iterator[str]:
    """What sentencepiece can learn from `texts`: no line breaks, nothing longer than it accepts."""
    for text in filter(None, texts):
        check_unicode(text)
        for stretch in _UNLEARNED.split(" " + text):
            for start in range(0, len(stretch), _LONGEST):
                yield stretch[start : start + _LONGEST]


def check_unicode(text: str) -> None:
    """Raise TextError where a text holds what is no character, and so cannot be written."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TextError(
            f"{text[error.start]!r} at character {error.start} of {text[:40]!a} is not Unicode text but half a pair or an "
            "undecoded byte: read the file in the encoding it was written in"
        ) from None


def _remember_failure(texts: Iterator[str], failures: list[BaseException]) -> Iterator[str]:
    """`texts`; sentencepiece turns whatever stops them into a RuntimeError, so the cause is put into `failures`."""
    try:
        yield from texts
    except BaseException as error:
        failures.append(error)
        raise


def _training_error(error: RuntimeError, config: TextConfig) -> Exception:
    if "sentences_.empty()" in str(error):
        return TextError("there is no text to learn a vocabulary from: is the corpus empty, or does a filter drop all?")
    if too_small := re.search(r"required_chars\. \d+ vs (\d+)", str(error)):
        return TextError(
            f"text.size = {config.size} has no room for the special tokens, 256 bytes and the characters of the corpus: "
            f"use at least {too_small[1]}, or better several times that"
        )
    return error
