# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a remote engine answers: asked in a thread, for a host that does not exist takes seconds to find out."""

from __future__ import annotations

from typing import Any

import bpy

from ...engines.errors import DepthbridgeError
from ..jobs.remote import RemoteServer
from ..jobs.worker import Done, Failed, Worker, unexpected
from .preferences import remote_server

_POLL_S = 0.1
_PATIENCE_S = 5.0


class TestRemote(bpy.types.Operator):
    """Ask the remote engine who it is"""

    bl_idname = "depthbridge.test_remote"
    bl_label = "Test Remote Engine"

    address: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Address", description="Such as tcp://127.0.0.1:5577; empty for the one in the preferences", options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        server = self._server(context)
        if bpy.app.background or context.window is None or server is None:
            return self.execute(context)
        self._worker: Worker[str] = Worker()
        self._worker.start(lambda report, cancel: server.greeting(_PATIENCE_S))
        self._timer = context.window_manager.event_timer_add(_POLL_S, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        for end in self._worker.poll():
            self.cancel(context)
            return self._tell(end)
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        self._worker.cancel()
        context.window_manager.event_timer_remove(self._timer)

    def execute(self, context: bpy.types.Context) -> set[str]:
        server = self._server(context)
        if server is None:
            self.report({"ERROR"}, "No address is set; enter that of a running `depthbridge serve`, such as tcp://127.0.0.1:5577.")
            return {"CANCELLED"}
        try:
            return self._tell(Done(server.greeting(_PATIENCE_S)))
        except DepthbridgeError as error:
            return self._tell(Failed(error))
        except Exception as error:
            return self._tell(Failed(unexpected(error)))

    def _server(self, context: bpy.types.Context) -> RemoteServer | None:
        chosen = remote_server(context)
        address = str(self.address).strip()
        if not address or (chosen is not None and chosen.address == address):
            return chosen
        return RemoteServer(address)  # another one is not shown this one's token

    def _tell(self, end: Any) -> set[str]:
        if isinstance(end, Failed):
            self.report({"ERROR"}, str(end.error))
            return {"CANCELLED"}
        self.report({"INFO"}, end.result)
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (TestRemote,)
