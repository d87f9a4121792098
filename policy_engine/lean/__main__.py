"""`python -I -S …/policy_engine/lean/__main__.py POLICY`: one call a line on standard input, one decision a line out."""

import posix
import sys

sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0].rpartition("/")[0])

from policy_engine.lean.serving import main

try:
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
except OSError:  # whoever read the answers has gone
    code = 2
posix._exit(code)  # nothing is left to be tidied up, and tidying takes a tenth of the time
