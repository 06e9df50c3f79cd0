"""The targets of the functions. Each reads an envelope, calls one use case, and answers."""
