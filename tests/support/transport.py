# SPDX-License-Identifier: Apache-2.0
"""The program that runs one case of a C# transport, the managed one or libzmq's, against a peer that the test runs."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from .mono import CORE, compile_cs, run_mono, sources

KINDS = ("managed", "libzmq")
DIFFERENCES = {
    "http": "libzmq waits for the handshake's end; ours reads what the server says",
    "mechanism": "libzmq tells a broken or an ended handshake, as it happens; ours names CURVE or PLAIN",
    "type": "libzmq sees a connection that ends; ours names the type",
    "promise": "libzmq closes; ours says why",
    "full inbox": "libzmq stops reading and misses heartbeats; ours answers in advance",
    "stuck send": "libzmq queues messages; ours returns when the system has the bytes",
}
"""Every case in which the two are meant to differ."""
LIBZMQ = Path(__file__).parents[1] / "unity" / "libzmq"
"""The real library behind the same interface, and the cases."""
CONFIG = '<configuration><dllmap dll="libzmq" target="libzmq.so.5"/></configuration>\n'

Said = dict[str, list[str]]


@functools.cache
def harness() -> Path:
    """Compiled once."""
    folder = Path(tempfile.mkdtemp(prefix="depthbridge-transport-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    program = compile_cs(folder / "harness.exe", [path for path in sources(CORE / "Transport", LIBZMQ) if not path.name.endswith("Tests.cs")])
    program.with_name("harness.exe.config").write_text(CONFIG)
    return program


def run(kind: str, case: str, endpoint: str, *numbers: int, timeout_s: float = 120.0) -> Said:
    """What the harness said, by key. It ends by itself, or the test fails: a stuck thread is a time-out here."""
    done = run_mono(harness(), kind, case, endpoint, *map(str, numbers), timeout_s=timeout_s)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    said: Said = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        said.setdefault(key, []).append(value)
    return said


def failure(said: Said) -> str:
    return said["failure"][0]


def message(said: Said) -> str:
    return said.get("message", [""])[0]
