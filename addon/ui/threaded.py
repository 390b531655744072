# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators share that let a thread work while the window goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from ..jobs.worker import Done, Failed, Worker
from .build_operators import redraw_sidebars

_POLL_S = 0.1
_LAST_WAIT_S = 1.0


class Threaded:
    """A modal operator whose :meth:`ended` is called with what a thread returned. Esc drops it.

    The thread gets nothing of Blender's. Whoever starts it remembers objects by name: they may be gone when it is done.
    """

    def begin(self: Any, context: bpy.types.Context, what: str, job: Callable[[], Any]) -> set[str]:
        """Start ``job``; ``what`` is for the status bar."""
        self._worker: Worker[Any] = Worker()
        self._worker.start(lambda report, cancel: job())
        self._timer = context.window_manager.event_timer_add(_POLL_S, window=context.window)
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set(f"Depthbridge: {what} ...   (Esc stops)")
        return {"RUNNING_MODAL"}

    def modal(self: Any, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type == "ESC" and event.value == "PRESS":
            self._worker.cancel()
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        end = next((event for event in self._worker.poll() if isinstance(event, Done | Failed)), None)
        if end is None:
            return {"PASS_THROUGH"}
        self._leave(context)
        return set(self.ended(context, end))

    def cancel(self: Any, context: bpy.types.Context) -> None:
        """Blender quits or loads a file."""
        if getattr(self, "_timer", None) is not None:
            self._worker.cancel()
            self._worker.join(_LAST_WAIT_S)
            self._leave(context)

    def ended(self, context: bpy.types.Context, end: Done[Any] | Failed) -> set[str]:
        """Report what came of it."""
        raise NotImplementedError

    def _leave(self: Any, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)
        self._timer = None
        if context.workspace is not None:
            context.workspace.status_text_set(None)
        redraw_sidebars(context)
