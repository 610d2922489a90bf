"""Text, pieces and labels as datasets: the room between `alignment/` and the model (which it never sees)."""
