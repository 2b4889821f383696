"""Text to token ids and back: tokenizers, placeholders kept whole, splitting at sentences."""

from endash.text.codec import Codec, EncodedSource
from endash.text.config import TextConfig
from endash.text.imported import ImportedTokenizer
from endash.text.labels import FIRST_LABEL, Labels
from endash.text.placeholders import cut_at_placeholders, find_placeholders
from endash.text.sentences import split_text
from endash.text.tokenizer import BOS, EOS, PAD, SEP, UNK, Tokenizer
from endash.text.windows import Window, token_windows, word_windows
from endash.text.words import Words

__all__ = [
    "BOS",
    "EOS",
    "FIRST_LABEL",
    "PAD",
    "SEP",
    "UNK",
    "Codec",
    "EncodedSource",
    "ImportedTokenizer",
    "Labels",
    "TextConfig",
    "Tokenizer",
    "Window",
    "Words",
    "cut_at_placeholders",
    "find_placeholders",
    "split_text",
    "token_windows",
    "word_windows",
]
