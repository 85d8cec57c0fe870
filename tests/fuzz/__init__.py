"""Random plays against plain models: state machines and properties (hypothesis).

What can be driven by hand is: tasks, clocks and full sockets move when a machine says so, so
that a play is the same each time. The suite runs a short form with fixed examples. `FUZZ=100`
in the environment asks for a hundred times as many, and for other ones at each run, for example
`FUZZ=100 python -m pytest tests/fuzz --numprocesses 2`; what falsifies is kept in `.hypothesis`.
"""
