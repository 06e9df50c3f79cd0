"""The simulator's own tests: what it promises to those who test against it."""
