"""Imports what workers need, in the server that they are forked from, which imports this.

What cannot be imported is left to the worker that misses it, whose parent can tell.
"""

import gc
import os
from contextlib import suppress
from importlib import import_module

gc.disable()  # to collect garbage meanwhile takes a fifth of the time; each worker turns it on
for each in os.environ.get("MICROMIME_IMPORTS", "").split():
    with suppress(Exception):
        import_module(each)
