# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer behind torn edges as an object of its own: a child of the surface, in its collections, whose sliders follow the surface's."""

from __future__ import annotations

from typing import Any

import bpy

from ..engines.backfill import OVERLAP_BEHIND
from .backfill_layer import PreparedBackfill, prepare_backfill
from .build import add_carrier_object
from .nodes.inputs import carrier_modifier, get_input, input_data_path, input_names, set_input
from .pictures import add_photo
from .prepare import Prepared
from .provenance import NotBuiltError
from .transaction import all_or_nothing

_REACH = "depthbridge_backfill_reach_px"

# A little more than the surface's own, or the two planes would flicker.
_FACTORS = {"Sky Distance": 1 + OVERLAP_BEHIND}


def add_backfill(built: bpy.types.Object, prepared: PreparedBackfill) -> bpy.types.Object:
    """Add the layer of ``built``, in place of the one it has. Main thread only.

    ``prepared`` is :func:`~.backfill_layer.prepare_backfill` of what ``built`` was built from, or of ``prepare_again(built,
    options_of(built))``. Raises :class:`~.provenance.NotBuiltError` when ``built`` has no sliders; nothing is changed then.
    """
    front = carrier_modifier(built)
    if front is None:
        raise NotBuiltError(f"{built.name} has no sliders that a layer could follow; select an object as Depthbridge built it.")
    before = backfill_of(built)
    name = f"{built.name} backfill"
    with all_or_nothing():
        assert prepared.layer.photo is not None
        layer = add_carrier_object(prepared.layer, add_photo(prepared.layer.photo, f"{name} photo"), name)
        layer.parent = built
        layer[_REACH] = prepared.reach_px
        for collection in built.users_collection:
            collection.objects.link(layer)
        _follow(layer, built)
    if before is not None:
        _take_out(before)
        layer.name = name
    return layer


def backfill_of(built: bpy.types.Object) -> bpy.types.Object | None:
    """The layer behind ``built``, or None when it has none."""
    return next((child for child in built.children if _REACH in child), None)


def surface_of(item: bpy.types.Object | None) -> bpy.types.Object | None:
    """The object that ``item`` is the layer of; any other object is its own."""
    return item.parent if item is not None and _REACH in item and item.parent is not None else item


def remove_backfill(built: bpy.types.Object) -> bool:
    """Take the layer of ``built`` out of the file, with its mesh, picture and materials; whether it had one."""
    layer = backfill_of(built)
    if layer is not None:
        _take_out(layer)
    return layer is not None


def rebuild_backfill(built: bpy.types.Object, prepared: Prepared) -> bpy.types.Object | None:
    """After ``built`` was built anew from ``prepared``: its layer too, when it has one, with the same reach. None when it had none, or nothing
    is torn any more."""
    layer = backfill_of(built)
    if layer is None:
        return None
    made = prepare_backfill(prepared, reach_px=float(layer[_REACH]))
    if made is None or carrier_modifier(built) is None:
        remove_backfill(built)
        return None
    name = layer.name
    anew = add_backfill(built, made)
    anew.name = name
    return anew


def release_backfill(built: bpy.types.Object) -> bpy.types.Object | None:
    """The layer stops following the sliders of ``built``, which is about to lose them, and keeps their values; the layer, if there is one."""
    layer = backfill_of(built)
    back, front = carrier_modifier(layer), carrier_modifier(built)
    if layer is None or back is None:
        return layer
    for name in _followed(back):
        layer.driver_remove(input_data_path(back, name))
        if front is not None and name in input_names(front):
            set_input(back, name, _as_type_of(get_input(back, name), get_input(front, name), _FACTORS.get(name, 1.0)))
    return layer


def _take_out(layer: bpy.types.Object) -> None:
    modifier = carrier_modifier(layer)
    materials = [slot.material for slot in layer.material_slots if slot.material]
    if modifier is not None and "Point Material" in input_names(modifier) and get_input(modifier, "Point Material"):
        materials.append(get_input(modifier, "Point Material"))
    mesh: Any = layer.data
    bpy.data.objects.remove(layer)
    if mesh.users == 0:
        bpy.data.meshes.remove(mesh)
    for material in dict.fromkeys(materials):
        if material.users:
            continue
        images = [node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE" and node.image]
        bpy.data.materials.remove(material)
        for image in images:
            if image.users == 0:
                bpy.data.images.remove(image)


def _followed(modifier: Any) -> list[str]:
    return [name for name in input_names(modifier) if isinstance(get_input(modifier, name), bool | int | float)]


def _as_type_of(own: Any, value: Any, factor: float) -> Any:
    return value if factor == 1.0 else type(own)(value * factor)


def _follow(layer: bpy.types.Object, built: bpy.types.Object) -> None:
    """A driver on each slider of ``layer`` that reads the slider of the same name of ``built``."""
    back, front = carrier_modifier(layer), carrier_modifier(built)
    for name in _followed(back):
        if name not in input_names(front):
            continue
        driver: Any = layer.driver_add(input_data_path(back, name)).driver
        variable = driver.variables.new()
        variable.name = "front"
        variable.targets[0].id = built
        variable.targets[0].data_path = input_data_path(front, name)
        # A sum of one, and arithmetic that Blender knows itself, also drive where scripts in files are not allowed to run.
        if name in _FACTORS:
            driver.expression = f"front * {_FACTORS[name]!r}"
        else:
            driver.type = "SUM"
