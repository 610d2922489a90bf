"""Binarised bitext and its labels: fairseq's indexed format, read and written without fairseq."""
