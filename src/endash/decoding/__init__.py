"""Search: from scores, one step at a time, to the hypotheses that are worth reading. It knows no module's type."""
