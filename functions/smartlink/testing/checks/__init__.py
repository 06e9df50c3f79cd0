"""The checks of an examination. Each returns what it saw, or raises FailedError or NotRunError."""
