"""The relay's use cases. They call ports, and never a vendor's library."""
