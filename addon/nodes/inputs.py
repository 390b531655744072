# SPDX-License-Identifier: GPL-3.0-or-later
"""The sliders of an object: inputs of its Geometry Nodes modifier, by the name the user reads.

Up to Blender 5.1 they are custom properties of the modifier, keyed by the socket's identifier; from 5.2 they have a place of their own
(and the old way raises). Asked for by feature, once, here.
"""

from __future__ import annotations

from typing import Any

import bpy

MODIFIER_NAME = "Depthbridge"


def carrier_modifier(item: bpy.types.Object | None) -> Any:
    """The modifier with the sliders, or None when the object has none of ours."""
    modifier = item.modifiers.get(MODIFIER_NAME) if item is not None else None
    return modifier if modifier is not None and modifier.type == "NODES" and modifier.node_group is not None else None


def input_names(modifier: Any) -> list[str]:
    """The names of the sliders, in the order of the group; the geometry itself is none."""
    return [socket.name for socket in _sockets(modifier)]


def get_input(modifier: Any, name: str) -> Any:
    """The value of the slider ``name``. Raises KeyError when there is none."""
    identifier = _identifier(modifier, name)
    if _has_inputs(modifier):
        return getattr(modifier.properties.inputs, identifier).value
    return modifier[identifier]


def set_input(modifier: Any, name: str, value: Any) -> None:
    """Set the slider ``name``, and have the object evaluated anew. Raises KeyError when there is none."""
    identifier = _identifier(modifier, name)
    if _has_inputs(modifier):
        getattr(modifier.properties.inputs, identifier).value = value
    else:
        modifier[identifier] = value
    modifier.id_data.update_tag()  # without it a script goes on seeing the old shape


def input_data_path(modifier: Any, name: str) -> str:
    """The path of the slider from its object, for keyframes and drivers."""
    identifier = _identifier(modifier, name)
    own = f'modifiers["{bpy.utils.escape_identifier(modifier.name)}"]'
    return f"{own}.properties.inputs.{identifier}.value" if _has_inputs(modifier) else f'{own}["{identifier}"]'


def draw_input(layout: bpy.types.UILayout, modifier: Any, name: str, text: str = "") -> None:
    """The slider in a panel, labelled ``text`` or its own name."""
    identifier = _identifier(modifier, name)
    if _has_inputs(modifier):
        layout.prop(getattr(modifier.properties.inputs, identifier), "value", text=text or name)
    else:
        layout.prop(modifier, f'["{identifier}"]', text=text or name)


def _has_inputs(modifier: Any) -> bool:
    return hasattr(modifier, "properties") and hasattr(modifier.properties, "inputs")


def _sockets(modifier: Any) -> list[Any]:
    items = modifier.node_group.interface.items_tree
    return [item for item in items if item.item_type == "SOCKET" and item.in_out == "INPUT" and item.socket_type != "NodeSocketGeometry"]


def _identifier(modifier: Any, name: str) -> str:
    for socket in _sockets(modifier):
        if socket.name == name:
            return str(socket.identifier)
    raise KeyError(f"{modifier.node_group.name} has no input {name!r}; it has {', '.join(input_names(modifier))}")
