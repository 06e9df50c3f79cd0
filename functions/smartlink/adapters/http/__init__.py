"""What is reached over HTTP: RAC and Smart Link Server."""
