"""`smartlink`, the operators' command line, for the local stack and for the cloud."""
