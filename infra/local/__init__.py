"""The local stack: emulators, functions and the minute tick, started and stopped together."""
