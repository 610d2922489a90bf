"""Pieces in, hidden states out: vocabulary, sequences, the network and its heads. It knows no alignment."""
