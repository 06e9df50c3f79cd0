"""`smartlink`: what an operator does, against the local stack and the cloud alike."""
