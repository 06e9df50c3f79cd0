"""The use cases: (input, ports, now) to report. They know ports, never a vendor."""
