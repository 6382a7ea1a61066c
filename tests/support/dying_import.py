"""A module whose import ends the process, as a broken native library does."""

import os
import sys

print("undefined symbol: made_up", file=sys.stderr, flush=True)
os._exit(1)
