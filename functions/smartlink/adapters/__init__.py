"""The ports' implementations: one room for each vendor, and the in-memory twins beside them."""
