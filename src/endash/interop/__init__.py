"""Models from elsewhere and for elsewhere: Marian checkpoints of transformers in, CTranslate2 out."""
