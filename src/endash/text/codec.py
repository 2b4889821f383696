"""The two vocabularies of a model, and placeholders that pass through it whole.

The k-th distinct placeholder of a source becomes the special token *slot k*, in the source and wherever it stands in the
target; decoding puts the placeholder back. So a model learns one token for every ``{name}`` there will ever be, and cannot
misspell it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from pydantic import ValidationError

from endash.errors import TextError
from endash.text.config import TextConfig
from endash.text.foreign import ForeignTokenizer
from endash.text.imported import ImportedTokenizer
from endash.text.labels import Labels
from endash.text.placeholders import cut_at_placeholders
from endash.text.sentences import split_text
from endash.text.tokenizer import EOS, FIRST_SLOT, SEP, UNK, Tokenizer

_SETTINGS, _FOREIGN, _LABELS = "text.json", "source.json", "labels.json"


@dataclass(frozen=True, slots=True)
class EncodedSource:
    """A source as token ids that end in eos, and the placeholders its slots stand for: slot k is `placeholders[k]`."""

    tokens: list[int]
    placeholders: tuple[str, ...]


class Codec:
    """Text to token ids and back, for the two sides of a model."""

    def __init__(self, source: Tokenizer | ForeignTokenizer, target: Tokenizer, *, config: TextConfig) -> None:
        self.source = source
        self.target = target
        self.config = config
        imported = config.model == "imported"
        if config.joint and isinstance(target, Labels):
            raise TextError(
                "text.joint = true has one vocabulary for source and target, and the labels of this target are another: set "
                "text.joint = false"
            )
        for side in (source, target):
            if (
                isinstance(side, Tokenizer)
                and not isinstance(side, Labels)
                and isinstance(side, ImportedTokenizer) != imported
            ):
                made, fits = ("trained here", "'unigram' or 'bpe'") if imported else ("imported", "'imported'")
                raise TextError(
                    f"text.model = {config.model!r}, and the vocabulary was {made}: set text.model = {fits}"
                )

    @classmethod
    def train(
        cls,
        records: Callable[[], Iterable[tuple[str, str]]],
        config: TextConfig,
        *,
        source: Tokenizer | ForeignTokenizer | None = None,
        target: Tokenizer | None = None,
    ) -> Codec:
        """Learn the vocabularies from pairs of source and target; of those that are given nothing is learned.

        `records` is called for each vocabulary, and what it gives is read once, as a stream. Placeholders are not learned
        from when `config.placeholders` keeps them whole. Raises TextError as `Tokenizer.train` does, and where a vocabulary that
        shall be imported is not given.
        """

        def side(*sides: int) -> Iterable[str]:
            for pair in records():
                for text in (pair[side] for side in sides):
                    yield from cut_at_placeholders(text)[::2] if config.placeholders else (text,)

        if config.model == "imported" and (source is None or target is None):
            raise TextError(
                "text.model = 'imported' learns no vocabulary: name the imported model in [trained], as its encoder and its "
                'decoder, or set text.model = "unigram"'
            )
        if config.joint and source is None and target is None:
            source = target = Tokenizer.train(side(0, 1), config)
        source = source or Tokenizer.train(side(0), config)
        return cls(source, target or Tokenizer.train(side(1), config), config=config)

    @property
    def size_source(self) -> int:
        """Tokens of the source vocabulary."""
        return len(self.source)

    @property
    def size_target(self) -> int:
        """Tokens of the target vocabulary."""
        return len(self.target)

    @property
    def notes(self) -> list[str]:
        """What a user should know of the vocabularies: one that the corpus could not fill."""
        vocabularies = {"joint": self.target} if self.config.joint else {"source": self.source, "target": self.target}
        return [
            f"the {side} vocabulary has {len(vocabulary)} tokens instead of text.size = {self.config.size}: "
            "the corpus holds no more subwords"
            for side, vocabulary in vocabularies.items()
            if isinstance(vocabulary, Tokenizer)
            and not isinstance(vocabulary, Labels)
            and len(vocabulary) < self.config.size
        ]

    def encode_source(self, text: str) -> EncodedSource:
        """The tokens of a source, ending in eos, and its placeholders. Nothing is cut: `fits` tells if it is too long."""
        return self.encode_sources([text])[0]

    def encode_sources(self, texts: Sequence[str]) -> list[EncodedSource]:
        """`encode_source` of each text, several times faster than one by one."""
        cuts = [self._cut(text) for text in texts]
        slots = [tuple(dict.fromkeys(cut[1::2]))[: self.source.slots] for cut in cuts]
        encoded = self.source.encode_parts(
            [_with_slots(cut, _slots(known)) for cut, known in zip(cuts, slots, strict=True)]
        )
        return [EncodedSource([*tokens, *self.source.end], known) for tokens, known in zip(encoded, slots, strict=True)]

    def encode_target(self, text: str, placeholders: Sequence[str]) -> list[int]:
        """The tokens of a target, ending in eos, without bos.

        A placeholder that is one of `placeholders`, the source's, becomes its slot; any other is spelled as ordinary text.
        """
        return self.encode_targets([text], [placeholders])[0]

    def encode_targets(self, texts: Sequence[str], placeholders: Sequence[Sequence[str]]) -> list[list[int]]:
        """`encode_target` of each text with the placeholders of its source."""
        slots = (_slots(known[: self.target.slots]) for known in placeholders)
        cuts = zip(map(self._cut, texts), slots, strict=True)
        return [[*tokens, EOS] for tokens in self.target.encode_parts([_with_slots(*one) for one in cuts])]

    def encode_prefixes(self, texts: Sequence[str], placeholders: Sequence[Sequence[str]]) -> list[list[int]]:
        """The tokens of what each target begins with, as of `encode_targets`, but without eos and white space at the end."""
        return [tokens[:-1] for tokens in self.encode_targets([text.rstrip() for text in texts], placeholders)]

    def encode_pair(self, source: str, target: str, *, placeholders: Sequence[str]) -> list[int]:
        """A pair of the translation memory as a passage that an encoder reads: source, sep, target, eos.

        Both are in the source vocabulary. Slots stand for `placeholders`, those of the sentence that is being translated. Any
        other placeholder of the pair gets a slot that the pair leaves free, in order, so that ``Hello {user}`` serves for
        ``Hello {name}``; where none is free it is unk, which no target may hold.
        """
        return self.encode_pairs([(source, target)], [placeholders])[0]

    def encode_pairs(self, pairs: Sequence[tuple[str, str]], placeholders: Sequence[Sequence[str]]) -> list[list[int]]:
        """`encode_pair` of each pair."""
        cuts = [(self._cut(source), self._cut(target)) for source, target in pairs]
        slots = [_lent_slots(*cut, known[: self.source.slots]) for cut, known in zip(cuts, placeholders, strict=True)]
        sources, targets = (
            self.source.encode_parts([_with_slots(cut[side], known) for cut, known in zip(cuts, slots, strict=True)])
            for side in (0, 1)
        )
        return [[*source, SEP, *target, EOS] for source, target in zip(sources, targets, strict=True)]

    def decode_target(self, ids: Iterable[int], placeholders: Sequence[str]) -> str:
        """The text of a target's tokens up to its first eos, the source's placeholders put into their slots.

        A slot that the source does not fill gives nothing; bytes that are not UTF-8 give U+FFFD.
        """
        return self.target.decode(takewhile(EOS.__ne__, ids), placeholders)

    def slot_ids(self, placeholders: Sequence[str]) -> range:
        """The ids of the slots that `placeholders` fill, the same in both vocabularies."""
        return range(FIRST_SLOT, FIRST_SLOT + min(len(placeholders), self.source.slots))

    def required_slots(self, tokens: Iterable[int]) -> Counter[int]:
        """How often each slot stands in a source's tokens, and so has to stand in its target."""
        return Counter(token for token in tokens if FIRST_SLOT <= token < FIRST_SLOT + self.source.slots)

    def fits(self, text: str) -> bool:
        """True if the tokens of a source are no more than `config.max_length`."""
        if text.isascii() and len(text) + 1 + len(self.source.end) <= self.config.max_length:
            return (
                True  # a token spells a character at least, the first the space before the text; no need to encode it
            )
        return len(self.encode_source(text).tokens) <= self.config.max_length

    def split_source(self, text: str) -> list[tuple[str, str]]:
        """`text` in pieces that fit, each with what separates it from the next; the whole text if that fits.

        Raises TextError if one sentence alone does not fit.
        """

        def tell(sentence: str) -> str:
            return f"{len(self.encode_source(sentence).tokens)} tokens, but text.max_length = {self.config.max_length}"

        return split_text(text, self.fits, tell=tell)

    def whole_source(self, text: str) -> list[tuple[str, str]]:
        """`text` as one piece, for a model that is not to be asked sentence by sentence. Raises TextError if it does not fit."""
        if self.fits(text):
            return [(text, "")]
        tokens, limit = len(self.encode_source(text).tokens), self.config.max_length
        raise TextError(f"{tokens} tokens, and this model takes {limit}: it begins {text[:60]!r}; shorten it")

    def save(self, folder: Path | str) -> None:
        """Write the vocabularies and their settings into `folder`, which is made if need be."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        foreign = isinstance(self.source, ForeignTokenizer)
        names = _files(self.config, foreign=foreign, labels=isinstance(self.target, Labels))
        for name, vocabulary in zip(names, (self.source, self.target), strict=False):
            vocabulary.save(folder / name)
        settings = {"text": self.config.model_dump(mode="json"), "fingerprint": self.fingerprint()}
        (folder / _SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path | str) -> Codec:
        """The codec that `save` wrote. Raises TextError if a file is missing, of another model, or changed."""
        folder = Path(folder)
        try:
            settings = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
            config = TextConfig.model_validate_json(json.dumps(settings["text"]))
        except OSError as error:
            raise TextError(f"{folder / _SETTINGS}: {error.strerror}; copy the whole folder of the model") from None
        except (ValueError, KeyError, TypeError) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            raise TextError(f"{folder / _SETTINGS} does not hold a model's text settings: {reason}") from None
        names = _files(config, foreign=(folder / _FOREIGN).exists(), labels=(folder / _LABELS).exists())
        ours = ImportedTokenizer if config.model == "imported" else Tokenizer
        kinds: dict[str, type[Tokenizer] | type[ForeignTokenizer]] = {_FOREIGN: ForeignTokenizer, _LABELS: Labels}
        vocabularies = [kinds.get(name, ours).load(folder / name) for name in names]
        target = vocabularies[-1]
        assert isinstance(target, Tokenizer)
        codec = cls(vocabularies[0], target, config=config)
        if codec.fingerprint() != settings.get("fingerprint"):
            raise TextError(
                f"the vocabulary in {folder} is not the one its {_SETTINGS} was written with: "
                f"{' or '.join(names)} was exchanged; copy the whole folder of the model again"
            )
        return codec

    def fingerprint(self) -> str:
        """32 hexadecimal digits that are the same if and only if every text gets the same tokens."""
        told = hashlib.blake2b(digest_size=16)
        parts = [self.source.model, self.target.model, str(self.config.placeholders).encode()]
        if self.config.model == "imported":  # spells otherwise, even by a model that was trained here
            parts.append(b"imported")
        for part in parts:
            told.update(hashlib.blake2b(part).digest())
        return told.hexdigest()

    def _cut(self, text: str) -> list[str]:
        return cut_at_placeholders(text) if self.config.placeholders else [text]


def _slots(placeholders: Sequence[str]) -> dict[str, int]:
    return {placeholder: FIRST_SLOT + number for number, placeholder in enumerate(placeholders)}


def _lent_slots(source: list[str], target: list[str], known: Sequence[str]) -> dict[str, int]:
    """The slots of `known`, and for each other placeholder of a pair, given cut, one that the pair leaves free, or unk."""
    slots = _slots(known)
    own = dict.fromkeys([*source[1::2], *target[1::2]])
    others = [placeholder for placeholder in own if placeholder not in slots]
    free = [slot for placeholder, slot in slots.items() if placeholder not in own]
    return {**slots, **dict.fromkeys(others, UNK), **dict(zip(others, free, strict=False))}


def _with_slots(cut: list[str], slots: Mapping[str, int]) -> list[str | int]:
    """The parts of a text: ordinary text, and the slots of its placeholders. One without a slot joins its neighbours."""
    if len(cut) == 1:
        return [cut[0]]
    parts: list[str | int] = []
    text = ""
    for place, piece in enumerate(cut):
        if place % 2 and piece in slots:
            parts += [text, slots[piece]]
            text = ""
        else:
            text += piece
    return [*parts, text]


def _files(config: TextConfig, *, foreign: bool, labels: bool) -> tuple[str, ...]:
    if config.joint:
        return ("joint.spm",)
    return _FOREIGN if foreign else "source.spm", _LABELS if labels else "target.spm"
