"""How fast this project is, beside others and beside what the kernel allows.

    make bench                                     everything; most of an hour
    python -m benchmarks --peers floor,ours --scenarios paced,burst --runs 5
    python -m benchmarks.brokers sqlite:////tmp/bench.db

Linux only: processor time and memory come from /proc. Nothing here is part of the wheel.
"""
