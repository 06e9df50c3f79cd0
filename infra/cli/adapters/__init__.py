"""What operators may do and the functions may not: the relay's adapters, and a few calls more."""
