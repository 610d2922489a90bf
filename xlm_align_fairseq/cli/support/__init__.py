"""What commands share: flags, texts, streams, outputs."""
