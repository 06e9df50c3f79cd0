"""The functions' targets: an envelope in, one use case, a verdict out."""
