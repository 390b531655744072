# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer behind torn edges, added to and removed from an object that is built already."""

from __future__ import annotations

import sys
from typing import Any

import bpy

from ...engines.errors import CancelledError
from ..backfill import add_backfill, backfill_of, remove_backfill
from ..backfill_layer import PreparedBackfill, prepare_backfill
from ..jobs.worker import Failed
from ..nodes.inputs import carrier_modifier
from ..prepare import Prepared
from ..provenance import NotBuiltError
from ..rebuild import options_of, prepare_again
from .result_operators import OnBuilt, attempt, is_playing, require_built
from .threaded import Threaded
from .work import select_alone


class Backfill(Threaded, OnBuilt, bpy.types.Operator):
    """Add or remove the layer behind torn edges, which closes the gaps that show when the camera moves a little"""

    bl_idname = "depthbridge.backfill"
    bl_label = "Backfill"

    action: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Action",
        description="What to do with the layer",
        items=[
            ("TOGGLE", "Toggle", "Add the layer, or remove the one that is there"),
            ("ADD", "Add", "Add the layer, in place of the one that is there"),
            ("REMOVE", "Remove", "Remove the layer"),
        ],
        options={"SKIP_SAVE"},
    )

    @classmethod
    def why_not(cls, built: Any) -> str:
        if backfill_of(built) is not None:
            return ""
        if is_playing(built):
            return "An object that plays has no layer behind its edges"
        return "" if carrier_modifier(built) is not None else "It is final already; add the layer before it is applied"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background or context.window is None or self._is_removal(require_built(context)):
            return self.execute(context)
        found: list[Prepared] = []

        def read() -> str:
            built = require_built(context)
            self._name, self._mesh = built.name, built.data.name
            found.append(prepare_again(built, options_of(built)))
            return f"Looking behind the edges of {built.name}"

        if attempt(self, read) != {"FINISHED"}:
            return {"CANCELLED"}
        return self.begin(context, "filling what lies behind torn edges", lambda: prepare_backfill(found[0]))

    def ended(self, context: bpy.types.Context, end: Any) -> set[str]:
        if isinstance(end, Failed):
            if end.trace:
                print(end.trace, file=sys.stderr)
            stopped = isinstance(end.error, CancelledError)
            self.report({"INFO"} if stopped else {"ERROR"}, "Stopped; no layer was added." if stopped else str(end.error))
            return {"CANCELLED"}

        def add() -> str:
            built = context.view_layer.objects.get(self._name)
            if built is None or built.data.name != self._mesh or context.mode != "OBJECT":
                raise NotBuiltError(f"{self._name} was changed meanwhile; add its layer again.")
            return _add(built, end.result)

        return attempt(self, add)

    def execute(self, context: bpy.types.Context) -> set[str]:
        def work() -> str:
            built = require_built(context)
            if not self._is_removal(built):
                return _add(built, prepare_backfill(prepare_again(built, options_of(built))))
            if not remove_backfill(built):
                raise NotBuiltError(f"{built.name} has no layer behind its edges to remove.")
            context.view_layer.update()
            select_alone(context, built)
            return f"Removed the layer behind {built.name}."

        return attempt(self, work)

    def _is_removal(self, built: bpy.types.Object) -> bool:
        return self.action == "REMOVE" or (self.action == "TOGGLE" and backfill_of(built) is not None)


def _add(built: bpy.types.Object, prepared: PreparedBackfill | None) -> str:
    if prepared is None:
        raise NotBuiltError(f"No edge of {built.name} is torn, so nothing lies behind one; lower Tear, or leave it as it is.")
    layer = add_backfill(built, prepared)
    return f"Added {layer.name}: {len(layer.data.vertices):,} vertices behind torn edges."


CLASSES: tuple[type, ...] = (Backfill,)
