"""What runs, watches and feeds the functions: local stack, simulator, operator's command line."""
