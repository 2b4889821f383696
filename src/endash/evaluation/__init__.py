"""How good a model's translations are: metrics comparisons, alignments, and a run over a corpus."""
