"""`make demo`: sends sixty TPD requests through a relay on this machine, and shows the answers."""
