"""What the author of a consumer runs: a new command, its payload's contract, a trial."""
