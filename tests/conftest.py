"""For all tests."""

import os
import signal

os.environ["SMARTLINK_LANG"] = "en"  # the tests read what the command line says

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in its background so, and every child inherits it: Ctrl-C, which
    # some tests send to programs, would never arrive.
    signal.signal(signal.SIGINT, signal.default_int_handler)
