"""What a message is and what may happen to it. The domain has no I/O, clock or randomness."""
