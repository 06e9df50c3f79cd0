"""The local stack starts and stops emulators, functions and the minute tick together."""
