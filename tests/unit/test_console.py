# SPDX-License-Identifier: Apache-2.0
"""A console that shows what we say and not what Blender mutters."""

from __future__ import annotations

import os
import subprocess
import sys


def test_what_c_code_prints_is_held_back_even_where_c_buffers_it() -> None:
    """Into a pipe, C keeps its lines until its buffer is full or the program ends: past the block, unless they are asked for."""
    code = (
        "import ctypes, os; from depthbridge.addon.console import quiet_console;"
        "c = ctypes.CDLL('ucrtbase' if os.name == 'nt' else None);"
        "c.printf(b'before\\n');\n"
        "with quiet_console():\n    c.printf(b'inside\\n'); print('inside'); os.write(2, b'inside')\n"
        "print('after')"
    )
    # PYTHONUNBUFFERED would switch C's buffers off, too.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.stdout.split(), done.stderr) == (["before", "after"], "")
