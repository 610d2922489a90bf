"""Lines, words and tagged words."""
