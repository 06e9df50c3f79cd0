"""A Smart Link Server, a RAC and a TPD that asks and waits, all in memory.

`python -m infra.simulator` serves it alone; `infra.simulator.running.running_simulator` serves it
inside a test.
Each module's docstring marks with (A) what no public source states and is assumed.
"""
