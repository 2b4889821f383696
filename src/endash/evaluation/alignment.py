"""Which source word each target word was written from, read off the attention weights.

T target tokens, S source tokens. The method is the plain one: a target token is aligned to the source token it weighs
most, the end of sentence and other special tokens aside (as fairseq's ``extract_hard_alignment``; Garg et al. 2019
compare it with trained ones). Tokens are pieces of words, so the pairs are then read at words: what whitespace
separates in the texts. In text written without spaces, such as Chinese, a run between two spaces is therefore one word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from endash.errors import EndashError

Alignment = tuple[tuple[int, int], ...]
"""Pairs (source, target) of positions from 0, sorted."""

_NO_TEXT = ("<pad>", "<unk>", "<sep>")
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def align_tokens(weights: ArrayLike, source_words: Sequence[bool], target_words: Sequence[bool]) -> Alignment:
    """The source token that each target token weighs most, for weights (T, S); tokens marked False take no part.

    Of equal weights the first wins. Raises EndashError if the marks are not S and T many.
    """
    table = np.asarray(weights, dtype=np.float64)
    if table.shape != (len(target_words), len(source_words)):
        raise EndashError(
            f"weights of shape {table.shape} for {len(target_words)} target and {len(source_words)} source tokens: "
            f"they must be (target, source) = ({len(target_words)}, {len(source_words)})"
        )
    if not any(source_words):
        return ()
    best = np.where(np.asarray(source_words, dtype=bool), table, -np.inf).argmax(axis=1)
    return tuple(sorted((int(best[t]), t) for t, real in enumerate(target_words) if real))


def align_words(weights: ArrayLike, source_pieces: Sequence[str], target_pieces: Sequence[str]) -> Alignment:
    """The alignment of whitespace words, for weights (T, S) over the pieces of both sides.

    Raises EndashError if the weights do not fit the pieces.
    """
    source, target = words_of(source_pieces), words_of(target_pieces)
    pairs = align_tokens(weights, [bool(words) for words in source], [bool(words) for words in target])
    return tuple(sorted({(i, j) for s, t in pairs for i in source[s] for j in target[t]}))


def words_of(pieces: Sequence[str]) -> list[tuple[int, ...]]:
    """The whitespace words, from 0, that each piece holds a part of: none for special tokens and pure spaces.

    ``▁`` in a piece is a space and ``<0xE4>`` a byte. A piece may hold parts of several words, as a tag with spaces does.
    ``<s>`` and ``</s>`` are special only at the two ends, for elsewhere they are tags of the text.
    """
    spelled = [_spelling(piece, first=i == 0, last=i == len(pieces) - 1) for i, piece in enumerate(pieces)]
    owners = [piece for piece, spelling in enumerate(spelled) for _ in spelling]
    found: list[list[int]] = [[] for _ in pieces]
    at, word, inside = 0, -1, False
    # A character may be spelled by several pieces, a byte each; surrogateescape keeps bytes that spell none.
    for character in b"".join(spelled).decode(errors="surrogateescape"):
        size = len(character.encode(errors="surrogateescape"))
        if character.isspace():
            inside = False
        else:
            word, inside = (word, True) if inside else (word + 1, True)
            for piece in sorted(set(owners[at : at + size])):
                if word not in found[piece]:
                    found[piece].append(word)
        at += size
    return [tuple(words) for words in found]


def _spelling(piece: str, *, first: bool, last: bool) -> bytes:
    if piece in _NO_TEXT or (first and piece == "<s>") or (last and piece == "</s>"):
        return b""
    if byte := _BYTE.fullmatch(piece):
        return bytes([int(byte[1], 16)])
    return piece.replace("▁", " ").encode()


def pharaoh(alignment: Iterable[tuple[int, int]]) -> str:
    """An alignment as a line of ``source-target`` pairs from 0, sorted: ``0-0 1-2``."""
    return " ".join(f"{i}-{j}" for i, j in sorted(alignment))
