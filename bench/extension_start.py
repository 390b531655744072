# SPDX-License-Identifier: Apache-2.0
"""What the extension costs when it is installed, and at each start of Blender after that.

    python bench/extension_start.py                          Blender's module of this environment
    python bench/extension_start.py --blender /path/blender --python 3.13   a real Blender, and the Python inside it

Every figure is the best of ``--rounds`` processes, with and without the extension by turns, each profile in a temporary folder. Wall
time is what a user waits; processor time says the same on a machine that does other things meanwhile.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from depthbridge.packaging.extension import Variant, build, default_cache

INSTALL_LIMIT_S = 5.0
START_LIMIT_S = 0.3


@dataclass(frozen=True)
class Spent:
    """Seconds of one process and those it started."""

    wall: float
    processor: float


def best(spent: list[Spent]) -> Spent:
    """The least of each, for what else a machine does only ever adds."""
    return Spent(min(one.wall for one in spent), min(one.processor for one in spent))


def main() -> int:
    """Print the figures; 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blender", default="", help="command of a real Blender instead of this environment's module")
    parser.add_argument("--python", default=f"{sys.version_info.major}.{sys.version_info.minor}", help="the Python that Blender has")
    parser.add_argument("--platform", default="linux-x64")
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        zips = {"one Python": Variant(wanted.platform, python=wanted.python)}
        if wanted.python in ("3.11", "3.13"):
            zips["as downloaded"] = Variant(wanted.platform)
        start = _module if not wanted.blender else _program(shlex.split(wanted.blender))
        passed = True
        for name, variant in zips.items():
            archive = build(variant, Path(folder), default_cache(), untracked=True)
            print(f"{name}: {archive.name}, {archive.stat().st_size / 2**20:.1f} MiB")
            passed &= _measure(archive, start, wanted.rounds, Path(folder, name))
        return 0 if passed else 1


def _measure(archive: Path, start: Callable[[Path, str], Spent], rounds: int, folder: Path) -> bool:
    install = (
        f"import bpy; bpy.ops.extensions.package_install_files(filepath={str(archive)!r}, repo='user_default', enable_on_install=True);"
        "assert 'bl_ext.user_default.depthbridge' in bpy.context.preferences.addons; bpy.ops.wm.save_userpref()"
    )
    enabled_at_start = "import sys; assert 'bl_ext.user_default.depthbridge.addon' in sys.modules"
    plain, enabled = folder / "plain", folder / "enabled"
    for place in (plain, enabled):
        place.mkdir(parents=True)
    start(plain, "import bpy")
    installs = []
    for number in range(rounds):
        place = folder / f"install-{number}"
        place.mkdir()
        installs.append(start(place, install))
    start(enabled, install)
    pairs = [(start(plain, "import bpy"), start(enabled, enabled_at_start)) for _ in range(rounds)]
    without, with_it = best([pair[0] for pair in pairs]), best([pair[1] for pair in pairs])
    installing = best(installs).wall - without.wall
    added = with_it.wall - without.wall
    size = sum(path.stat().st_size for path in enabled.rglob("*") if path.is_file() and not path.is_symlink())
    print(f"  install and enable      {installing:.2f} s (limit {INSTALL_LIMIT_S:.0f}), {size / 2**20:.0f} MiB on disk")
    print(f"  start without / with    {without.wall:.2f} s / {with_it.wall:.2f} s, ratio {with_it.wall / without.wall:.2f}")
    print(f"  added to each start     {added:.2f} s (limit {START_LIMIT_S}), {with_it.processor - without.processor:.2f} s of it processor time")
    return installing <= INSTALL_LIMIT_S and added <= START_LIMIT_S


def _module(profile: Path, code: str) -> Spent:
    # The module starts with factory preferences; a program reads the user's, and so enables what is switched on there.
    return _seconds([sys.executable, "-c", f"import bpy; bpy.ops.wm.read_userpref()\n{code}"], profile)


def _program(command: list[str]) -> Callable[[Path, str], Spent]:
    return lambda profile, code: _seconds([*command, "-b", "--python-exit-code", "3", "--python-expr", code], profile)


def _seconds(command: list[str], profile: Path) -> Spent:
    began, before = time.perf_counter(), os.times()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}  # compiled modules are kept, as at a user's
    done = subprocess.run(command, env={**kept, "BLENDER_USER_RESOURCES": str(profile)}, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    after = os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return Spent(time.perf_counter() - began, processor)


if __name__ == "__main__":
    sys.exit(main())
