"""Poll: sends, receives and sweeps for each tenant, every minute."""
