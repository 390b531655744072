# SPDX-License-Identifier: Apache-2.0
"""A thousand frames from eight clients at once: each is answered once, rightly, or refused with a code, and the server stays as large as it is.

The benchmark does it, in the same words, with larger pictures and for longer.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench" / "bridge_load.py"


def crowd(**options):
    """What the benchmark prints; fails the test with that when anything was wrong."""
    arguments = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    done = subprocess.run([sys.executable, str(BENCH), *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    print(done.stdout)
    together = re.search(r"up to (\d+) in one inference", done.stdout)
    assert together is not None and (int(together[1]) > 1) == (options.get("batch_delay_ms", 0) > 0)
    return {name: int(count) for name, count in re.findall(r"'(\w+)': (\d+)", done.stdout)}


@pytest.mark.parametrize("delay_ms", [0, 5])
def test_a_thousand_frames_from_eight_clients(delay_ms):
    """A leak of one frame in ten would be 46 MB here."""
    counted = crowd(frames=1000, width=320, height=240, warm_up=300, flat_mib=20, max_in_flight=16, window=2, batch_delay_ms=delay_ms)
    assert counted == {"ok": 1000}


def test_more_than_there_are_places_for_is_refused_with_a_code():
    counted = crowd(frames=1000, width=320, height=240, warm_up=300, flat_mib=20, max_in_flight=4, window=4)
    assert counted.keys() == {"ok", "overloaded"} and sum(counted.values()) == 1000
