"""Simulates Smart Link Server, RAC, and a TPD that makes requests, all in memory.

`python -m infra.simulator` serves it alone; `infra.simulator.running.running_simulator` serves it
inside a test.
Each module's docstring marks with (A) what we assume because no public source says it.
"""
