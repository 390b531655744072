# SPDX-License-Identifier: GPL-3.0-or-later
"""A built object built anew from the depth and the photo it keeps, with other options: no model runs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import bpy

from ..engines.errors import ImageError
from ..engines.grid_mesh import tear_of_slant
from .build import add_shape_modifier, matched_camera, place_camera
from .carrier import add_carrier
from .displace import DISPLACE_NAME, remove_unused
from .nodes.inputs import MODIFIER_NAME, carrier_modifier, get_input, input_names, set_input
from .options import BuildAs, BuildOptions, SkyMode
from .pictures import read_rgb
from .prepare import Conversion, Prepared, prepare
from .provenance import NotBuiltError, Provenance, mark_metric, read_provenance, record_provenance
from .transaction import all_or_nothing

# Sliders that mean the same whatever is built, and that the user may have set by hand.
_KEPT = ("Scale", "Confidence Cut", "Radius", "Midlevel", "Point Material")
# A relief has no Scale and no points; what they were set to waits here for the next surface.
_WAITING = "depthbridge_waiting_"


def prepare_again(built: bpy.types.Object, options: BuildOptions, *, conversion: Conversion | None = None) -> Prepared:
    """The object's build with other ``options``, from its own images; disparity by ``conversion``, or as it was converted before.

    Raises :class:`~.provenance.NotBuiltError` for an object that has no memory of its making, :class:`ImageError` when its images
    were resized.
    """
    known = read_provenance(built)
    depth = known.depth_map()
    rgb = read_rgb(known.photo)
    if rgb.shape[:2] != depth.values.shape:
        raise ImageError(
            f"The photo {known.photo.name} is {rgb.shape[1]}x{rgb.shape[0]} and the depth of {built.name} {depth.width}x{depth.height}; "
            "undo its resizing or build again."
        )
    return prepare(depth, rgb, options, conversion=conversion or known.conversion, pictures=False)


def rebuild(built: bpy.types.Object, prepared: Prepared) -> bpy.types.Object:
    """Give ``built`` the shape that :func:`prepare_again` prepared for it. Its name, place, children, materials, images and other modifiers
    stay, and so do the sliders' values that still have a meaning. Raises :class:`~.provenance.NotBuiltError` for what is no mesh any more,
    and changes nothing then."""
    if built.type != "MESH":
        raise NotBuiltError(f"{built.name} became a point cloud and cannot be built again; undo its Apply, or build from the photo.")
    known = read_provenance(built)
    with all_or_nothing():
        mesh = add_carrier(prepared, built.name)
    old: Any = built.data
    for material in old.materials:
        mesh.materials.append(material)
    kept = _kept_sliders(built)
    place = _remove_own_modifiers(built)
    built.data = mesh
    if old.users == 0:
        bpy.data.meshes.remove(old)
    add_shape_modifier(built, prepared, kept.get("Point Material"))
    built.modifiers.move(len(built.modifiers) - 1, place)
    _set_sliders(built, kept)
    modifier = carrier_modifier(built)
    if prepared.options.sky is SkyMode.FAR and modifier is not None and "Scale" in input_names(modifier):
        set_input(modifier, "Sky Distance", prepared.sky_distance * get_input(modifier, "Scale"))
    measured = known.unit == "m" and prepared.shape.kind.unit != "m"
    record_provenance(built, prepared, known.photo, known.depth)
    if measured:
        mark_metric(built)
    camera = matched_camera(built)
    if camera is not None:
        place_camera(camera, prepared)
    return built


def _kept_sliders(built: bpy.types.Object) -> dict[str, Any]:
    """What the sliders are set to, or were before the object became something that has none of them."""
    modifier = carrier_modifier(built)
    now = {name: get_input(modifier, name) for name in input_names(modifier) if name in _KEPT} if modifier else {}
    waiting = {name: built[_WAITING + name] for name in _KEPT if _WAITING + name in built}
    return waiting | now


def _set_sliders(built: bpy.types.Object, values: dict[str, Any]) -> None:
    modifier = carrier_modifier(built)
    names = input_names(modifier) if modifier else []
    for name, value in values.items():
        if name in names:
            set_input(modifier, name, value)
            built.pop(_WAITING + name, None)
        else:
            built[_WAITING + name] = value


def _remove_own_modifiers(built: bpy.types.Object) -> int:
    """Where ours were in the stack."""
    ours = [index for index, modifier in enumerate(built.modifiers) if modifier.name in (MODIFIER_NAME, DISPLACE_NAME)]
    for index in reversed(ours):
        modifier: Any = built.modifiers[index]
        texture = modifier.texture if modifier.type == "DISPLACE" else None
        built.modifiers.remove(modifier)
        if texture is not None:
            remove_unused(texture)
    return ours[0] if ours else 0


def options_of(built: bpy.types.Object, **changes: Any) -> BuildOptions:
    """Options that build the object as it is, its sliders' cuts included, apart from ``changes``."""
    known = read_provenance(built)
    modifier = carrier_modifier(built)
    options = BuildOptions(as_=known.as_, stride=known.stride)
    if modifier is not None:
        names = input_names(modifier)
        options = replace(
            options,
            tear=_tear(modifier, known),
            sky=_sky_mode(modifier),
            nearest=get_input(modifier, "Depth Min") or None,
            farthest=get_input(modifier, "Depth Max") or None,
            radius=max(1e-6, get_input(modifier, "Radius")) if "Radius" in names else options.radius,
            strength=get_input(modifier, "Strength") if "Strength" in names else options.strength,
        )
        if "As Points" in names:
            options = replace(options, as_=BuildAs.POINTS if get_input(modifier, "As Points") else BuildAs.MESH)
    return _ranged(built, replace(options, **changes), {"nearest", "farthest"} - changes.keys())


def _ranged(built: bpy.types.Object, options: BuildOptions, names: set[str]) -> BuildOptions:
    """The depth limits ``names``, which are the sliders' now, as the sliders of the next shape count: a relief's know no Scale."""
    kept = _kept_sliders(built)
    now = 1.0 if read_provenance(built).as_ is BuildAs.RELIEF else kept.get("Scale", 1.0)
    then = 1.0 if options.as_ is BuildAs.RELIEF else kept.get("Scale", 1.0)
    if now == then or now <= 0:
        return options

    def brought(name: str, limit: float | None) -> float | None:
        return limit if limit is None or name not in names else limit / now * then

    return replace(options, nearest=brought("nearest", options.nearest), farthest=brought("farthest", options.farthest))


def _tear(modifier: Any, known: Provenance) -> float | None:
    """What was set by hand; None for what was chosen to fit the camera and the stride, since another stride needs another."""
    now = get_input(modifier, "Tear")
    automatic = tear_of_slant(known.camera, known.stride)
    return None if math.isclose(now, automatic, rel_tol=1e-5) else max(1e-6, now)


def _sky_mode(modifier: Any) -> SkyMode:
    if get_input(modifier, "Sky Cut") < 1.0:
        return SkyMode.OFF
    return SkyMode.FAR if get_input(modifier, "Sky Distance") > 0 else SkyMode.KEEP
