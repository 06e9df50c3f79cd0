"""`make demo`: sixty TPD requests from the broker to the answer back, on this machine."""
