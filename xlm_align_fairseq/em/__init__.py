"""The E-step over a corpus, its labels, and the EM iterations that training goes through."""
