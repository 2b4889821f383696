"""Text to token ids and back: tokenizers, placeholders kept whole, splitting at sentences."""

from endash.text.codec import Codec, EncodedSource
from endash.text.config import TextConfig
from endash.text.imported import ImportedTokenizer
from endash.text.placeholders import cut_at_placeholders, find_placeholders
from endash.text.sentences import split_text
from endash.text.tokenizer import BOS, EOS, PAD, SEP, UNK, Tokenizer

__all__ = [
    "BOS",
    "EOS",
    "PAD",
    "SEP",
    "UNK",
    "Codec",
    "EncodedSource",
    "ImportedTokenizer",
    "TextConfig",
    "Tokenizer",
    "cut_at_placeholders",
    "find_placeholders",
    "split_text",
]
