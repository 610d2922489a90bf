"""Word links as data: files, gold standards, measures, lexicons, projection. Sets in, sets out; no tensors."""
