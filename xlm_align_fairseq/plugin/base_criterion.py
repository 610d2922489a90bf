"""What the criterions of this package share."""

import math

from fairseq.logging import metrics

BITS_PER_NAT = 1 / math.log(2)  # fairseq logs losses in bits


def total(logging_outputs, key):
    """Return the sum of what batches and ranks logged under a key."""
    return float(sum(float(log.get(key, 0)) for log in logging_outputs))


def log_loss(logging_outputs):
    """Log `loss` in bits for each of `sample_size`."""
    size = total(logging_outputs, "sample_size")
    if size:
        metrics.log_scalar("loss", total(logging_outputs, "loss") / size * BITS_PER_NAT, size, round=3)
    else:
        metrics.log_scalar("loss", None, 0)  # nothing was measured; without it fairseq counts a loss of -1
