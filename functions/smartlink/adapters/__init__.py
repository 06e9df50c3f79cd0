"""The ports' implementations: one vendor a file, and the in-memory ones beside them."""
