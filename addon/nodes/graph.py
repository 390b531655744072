# SPDX-License-Identifier: GPL-3.0-or-later
"""A short way to write node groups: each call makes a node, connects what it is given, and answers with its output.

Groups are built in Python and not shipped in a .blend: one saved by a newer Blender does not open in 4.2, and nobody can review it.
"""

from __future__ import annotations

from typing import Any

import bpy

Value = Any
"""An output socket of a node, or a plain number, text or bool for an input's own field."""


class Graph:
    """A Geometry Nodes group under construction. Inputs and outputs appear in the order they are declared."""

    def __init__(self, name: str) -> None:
        self.group: Any = bpy.data.node_groups.new(name, "GeometryNodeTree")
        self.group.is_modifier = True
        self._inputs: Any = None
        self._panel: Any = None
        self._column = 0

    def panel(self, name: str | None) -> None:
        """Inputs declared from now on lie in this panel; None ends it."""
        self._panel = None if name is None else self.group.interface.new_panel(name)

    def input(
        self,
        name: str,
        kind: str,
        default: Any = None,
        *,
        minimum: float | None = None,
        maximum: float | None = None,
        unit: str | None = None,
        tip: str = "",
        hidden: bool = False,
    ) -> None:
        """Declare an input; ``kind`` such as ``Float``, ``unit`` a socket subtype such as ``DISTANCE``."""
        socket = self.group.interface.new_socket(
            name, description=tip, in_out="INPUT", socket_type=f"NodeSocket{kind}", **({"parent": self._panel} if self._panel else {})
        )
        if unit is not None:
            socket.subtype = unit
        if default is not None:
            socket.default_value = default
        if minimum is not None:
            socket.min_value = minimum
        if maximum is not None:
            socket.max_value = maximum
        socket.hide_in_modifier = hidden

    def output(self, name: str, kind: str) -> None:
        self.group.interface.new_socket(name, in_out="OUTPUT", socket_type=f"NodeSocket{kind}")

    def given(self, name: str) -> Value:
        """The declared input ``name``."""
        if self._inputs is None:
            self._inputs = self.group.nodes.new("NodeGroupInput")
        return self._inputs.outputs[name]

    def node(self, kind: str, inputs: dict[str | int, Value] | None = None, **settings: Any) -> Any:
        """A node with its settings made and its inputs connected or filled in."""
        node = self.group.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        for key, value in (inputs or {}).items():
            self.connect(value, _enabled(node.inputs, key))
        node.location = (200 * (self._column // 6), -160 * (self._column % 6))
        self._column += 1
        return node

    def connect(self, value: Value, socket: Any) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self.group.links.new(value, socket)
        else:
            socket.default_value = value

    def attribute(self, name: str, kind: str = "FLOAT") -> Value:
        """A named attribute of the geometry; 0 where there is none."""
        node = self.node("GeometryNodeInputNamedAttribute", data_type=kind)
        node.inputs["Name"].default_value = name
        return _first_enabled(node.outputs)

    def math(self, operation: str, *values: Value) -> Value:
        """A float operation, also the comparing ones (``GREATER_THAN``: 1 or 0)."""
        return self.node("ShaderNodeMath", dict(enumerate(values)), operation=operation).outputs[0]

    def scaled(self, vector: Value, factor: Value) -> Value:
        node = self.node("ShaderNodeVectorMath", {0: vector}, operation="SCALE")
        self.connect(factor, node.inputs["Scale"])
        return node.outputs[0]

    def any_of(self, *conditions: Value) -> Value:
        """1 where one of the 0-or-1 values is 1."""
        result = conditions[0]
        for condition in conditions[1:]:
            result = self.math("MAXIMUM", result, condition)
        return result

    def all_of(self, *conditions: Value) -> Value:
        """1 where all of the 0-or-1 values are 1."""
        result = conditions[0]
        for condition in conditions[1:]:
            result = self.math("MULTIPLY", result, condition)
        return result

    def switch(self, kind: str, condition: Value, off: Value, on: Value) -> Value:
        node = self.node("GeometryNodeSwitch", input_type=kind)
        self.connect(condition, _enabled(node.inputs, "Switch"))
        self.connect(off, _enabled(node.inputs, "False"))
        self.connect(on, _enabled(node.inputs, "True"))
        return _first_enabled(node.outputs)

    def of_points(self, value: Value) -> Value:
        """A float reckoned for every vertex, whatever asks for it: a face then gets the mean of its corners."""
        node = self.node("GeometryNodeFieldOnDomain", data_type="FLOAT", domain="POINT")
        self.connect(value, _enabled(node.inputs, "Value"))
        return _first_enabled(node.outputs)

    def finish(self, **outputs: Value) -> Any:
        """Connect the group's outputs and return it."""
        end = self.node("NodeGroupOutput")
        for name, value in outputs.items():
            self.connect(value, end.inputs[name])
        return self.group


def _enabled(sockets: Any, key: str | int) -> Any:
    """The socket of this name that the node's settings show: several of one name, for each type, lie behind each other."""
    if isinstance(key, int):
        return [socket for socket in sockets if socket.enabled][key]
    return next(socket for socket in sockets if socket.name == key and socket.enabled)


def _first_enabled(sockets: Any) -> Any:
    return next(socket for socket in sockets if socket.enabled)
