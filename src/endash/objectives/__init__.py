"""Objectives: a batch in, a loss with its count and named parts out."""
