"""`python child.py ARGUMENTS`: the command line as a child that ends with the test that started it, however that ends.

A statement that takes hours would burn a core until somebody notices. And a shell's background jobs ignore Ctrl-C, and
so do their children: a test about Ctrl-C must not depend on who started it.
"""

import ctypes
import signal
import sys


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    from penstock.cli.main import main as penstock

    penstock()


main()
