"""Hidden states in, links out: similarity, plans, extraction, the pointer loss. Pure functions of tensors."""
