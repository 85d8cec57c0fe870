"""The process that executes the untitled Python blocks of a page, in one namespace.

Started by `python_blocks.py`: each line of its standard input is a JSON list of a file name, a
line number and code; it is answered, on the descriptor given, with a JSON traceback or null.
"""

import json
import os
import sys
import traceback
from pathlib import Path

sys.path[0] = str(Path.cwd())
_answers = os.fdopen(int(sys.argv[1]), "w")
sys.argv = ["page"]

for _line in sys.stdin:
    _name, _number, _code = json.loads(_line)
    _answer = None
    try:
        exec(compile("\n" * (_number - 1) + _code, _name, "exec"))
    except BaseException:
        _answer = traceback.format_exc()
    print(json.dumps(_answer), file=_answers, flush=True)
