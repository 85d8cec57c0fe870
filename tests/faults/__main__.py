"""`python -m tests.faults`: has the package found as the test suite finds it, and runs it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.command import main  # it is found only now

if __name__ == "__main__":
    sys.exit(main())
