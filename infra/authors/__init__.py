"""The tools for authors of consumers: a new command, its payload's contract, a trial run."""
