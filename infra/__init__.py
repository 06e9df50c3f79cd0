"""The programs around the functions: local stack, simulator, command lines, deployment."""
