"""Text to token ids and back: tokenizers, placeholders kept whole, splitting at sentences."""
