# SPDX-License-Identifier: Apache-2.0
"""How long the window stands still while a build estimates depth. Runs inside a Blender that has a window and the extension:

    blender --python bench/window_gap.py

A timer is set to tick every 20 ms, and the worst time between two ticks is what a user feels. Four spells of one run: idle, idle while the
sidebar is drawn twice a second, estimating in a thread with nothing drawn, and the real build operator (a folder of frames) with its
progress bar. What the window does after the last estimate (adding the objects) is not part of the last spell.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np

NAME = "bl_ext.user_default.depthbridge"
TICK_S = 0.02
SPELL_S = 8.0
FRAMES = 24
LIMIT_S = 0.1
LIMIT_RATIO = 2.5


def module(name: str) -> ModuleType:
    """A module of the installed extension."""
    import importlib

    return importlib.import_module(f"{NAME}.{name}")


class Gaps:
    """Times between ticks, in seconds."""

    def __init__(self) -> None:
        self.all: list[float] = []
        self._last = time.perf_counter()

    def tick(self) -> None:
        now = time.perf_counter()
        self.all.append(now - self._last)
        self._last = now

    def told(self) -> str:
        gaps = np.array(self.all[1:]) * 1e3
        most = np.percentile(gaps, 99)
        return f"worst {gaps.max():5.0f} ms   99 % below {most:5.0f} ms   median {np.median(gaps):4.0f} ms   ({len(gaps)} ticks)"

    @property
    def worst(self) -> float:
        return max(self.all[1:])


def frames_folder(folder: Path) -> Path:
    """Pictures of noise and ramps: what they show does not matter to the time."""
    cv2 = __import__("cv2")
    folder.mkdir()
    noise = np.random.default_rng(0)
    for index in range(FRAMES):
        coarse = noise.integers(0, 256, (18, 32, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"frame_{index:04}.png"), cv2.resize(coarse, (1280, 720), interpolation=cv2.INTER_CUBIC))
    return folder


def estimate_until(stop: threading.Event) -> None:
    """One estimate after the other, in a thread."""
    picture = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    with module("engines.engine").DepthEngine.open() as engine:
        while not stop.is_set():
            engine.estimate(picture)


def spell(seconds: float, every: Any = None) -> Iterator[float | Gaps]:
    """Ticks for some seconds; ``every`` is called twice a second. Ends with its gaps."""
    gaps, until, turn = Gaps(), time.perf_counter() + seconds, time.perf_counter()
    while time.perf_counter() < until:
        gaps.tick()
        if every is not None and time.perf_counter() >= turn:
            turn += 0.5
            every()
        yield TICK_S
    yield gaps


def building(folder: Path) -> Iterator[float | Gaps]:
    """Ticks while the real operator estimates. Ends with its gaps."""
    operators = module("addon.ui.build_operators")
    settings = bpy.context.scene.depthbridge
    settings.source, settings.folder, settings.frames_folder = "FOLDER", str(frames_folder(folder / "in")), str(folder / "out")
    for _ in range(100):
        yield 0.05  # other settings make other panels, which slide into their places
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.depthbridge.build("INVOKE_DEFAULT")
    gaps = Gaps()
    while operators.Build.running is not None:
        gaps.tick()
        yield TICK_S
    yield gaps


def run(report: list[str]) -> Iterator[float]:
    area = next(area for area in bpy.context.window_manager.windows[0].screen.areas if area.type == "VIEW_3D")
    area.spaces.active.show_region_ui = True
    yield 2.0
    next(region for region in area.regions if region.type == "UI").active_panel_category = "Depthbridge"
    yield 2.0

    def draw() -> None:
        module("addon.ui.build_operators").redraw_sidebars(bpy.context)
        bpy.context.workspace.status_text_set(f"{time.perf_counter():.1f}")

    idle = yield from measured(spell(SPELL_S))
    drawn = yield from measured(spell(SPELL_S, draw))
    bpy.context.workspace.status_text_set(None)
    stop = threading.Event()
    thread = threading.Thread(target=estimate_until, args=(stop,))
    thread.start()
    busy = yield from measured(spell(SPELL_S))
    stop.set()
    thread.join()
    with tempfile.TemporaryDirectory() as folder:
        built = yield from measured(building(Path(folder)))
    ratio = built.worst / drawn.worst
    report += [
        f"idle                          {idle.told()}",
        f"idle, sidebar drawn 2 a second {drawn.told()}",
        f"estimating, nothing drawn     {busy.told()}   at most {LIMIT_S * 1e3:.0f} ms: {_kept(busy.worst <= LIMIT_S)}",
        f"building, progress bar        {built.told()}   {ratio:.2f} x idle drawn, at most {LIMIT_RATIO}: {_kept(ratio <= LIMIT_RATIO)}",
    ]


def _kept(limit: bool) -> str:
    return "yes" if limit else "NO"


def measured(ticks: Iterator[float | Gaps]) -> Any:
    for value in ticks:
        if isinstance(value, Gaps):
            return value
        yield value
    raise RuntimeError("a spell ends with its gaps")


def main() -> None:
    if bpy.app.background:
        sys.exit("This needs a Blender with a window: blender --python bench/window_gap.py")
    bpy.context.preferences.view.show_splash = False
    report: list[str] = []
    steps = run(report)

    def tick() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            print("\n".join(report), flush=True)
        except Exception as error:
            print(f"failed: {error!r}", flush=True)
        bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(tick, first_interval=3.0)


main()
