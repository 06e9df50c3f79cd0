"""The ports that are reached over HTTP: RAC and Smart Link Server."""
