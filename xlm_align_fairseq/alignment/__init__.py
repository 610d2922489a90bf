"""The pure room: links, plans and measures; sets and tensors in, sets and tensors out, no fairseq anywhere."""
