"""Models from elsewhere: Marian checkpoints of transformers."""
