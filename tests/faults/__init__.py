"""What goes wrong, done to real servers on purpose: the figures that reliability is measured by.

    make soak                                      every scenario in full length
    python -m tests.faults --scale short --only kill,reload --out build/soak

The test suite runs the short form of each. Linux only; nothing here is part of the wheel.
"""
