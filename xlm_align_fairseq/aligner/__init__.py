"""Sentences in, word links out: chunks, windows, results, and the statistical aligner."""
