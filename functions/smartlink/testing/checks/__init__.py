"""What is examined. Each check answers what it saw, or raises FailedError or NotRunError."""
