"""Fingerprint of weights: a hash that identifies the model behind an output."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from xlm_align_fairseq.encoder.network import Encoder


def weights_fingerprint(encoder: Encoder, layers: int, head: nn.Module | None = None) -> str:
    """Return the SHA-256 of weights, hexadecimal: of the embeddings, the first layers, and a head if one is given."""
    digest = hashlib.sha256(f"{encoder.config.heads} heads, epsilon {encoder.config.layer_norm_eps}".encode())
    parts = [
        encoder.embed_tokens,
        encoder.embed_positions,
        encoder.layernorm_embedding,
        *encoder.layers[:layers],
        *([head] if head else []),
    ]
    for part in parts:
        for name, value in part.state_dict().items():
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
