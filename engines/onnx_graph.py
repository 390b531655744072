# SPDX-License-Identifier: Apache-2.0
"""Reads the structure of an ONNX file (not its weights): inputs, outputs, nodes, metadata, external files.

A reader of Protocol Buffers' wire format and of the few fields of ``onnx.proto`` that are needed. The ``onnx`` package would do it too, but it
loads every weight to get there, is far larger than the rest of this project, and has no place in a Blender extension. The file is
memory-mapped and weights are skipped, so that a gigabyte costs milliseconds.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import ModelError

_DTYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64", 16: "bfloat16"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SCALAR_FORMATS = {1: "<f", 6: "<i", 7: "<q", 10: "<e", 11: "<d"}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output of a graph. A dimension that is not fixed is None; ``shape`` is None when the file gives no rank."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: its type and the names of the values it reads and makes."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """What a file says of itself. ``constants`` maps every constant's name to its value when it has one element, else to None."""

    ir_version: int
    opset: int
    metadata: dict[str, str]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    nodes: tuple[Node, ...]
    constants: dict[str, float | None]
    external_files: tuple[str, ...]


def read_onnx_graph(path: Path) -> OnnxGraph:
    """The structure of the ONNX file at ``path``. Raises :class:`ModelError` when there is none or it is not ONNX."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            view = memoryview(mapped)
            try:
                return _read_model(view)
            finally:
                view.release()
    except FileNotFoundError as error:
        raise ModelError(f"The model file {path} does not exist; check the path, or see `depthbridge models list`.") from error
    except IsADirectoryError as error:
        raise ModelError(f"{path} is a folder; name the .onnx file inside it.") from error
    except (ValueError, IndexError, struct.error, UnicodeDecodeError, BufferError) as error:
        raise ModelError(
            f"{path} is not an ONNX model (or it is cut short); download it again, or check that it is the .onnx file."
        ) from error
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read ({error.strerror}).") from error


def external_data_files(path: Path) -> tuple[str, ...]:
    """Names, relative to the model's folder, of the files that hold weights of the ONNX file at ``path``."""
    return read_onnx_graph(path).external_files


# ---- onnx.proto ---------------------------------------------------------------------------------------------------


def _read_model(view: memoryview) -> OnnxGraph:
    ir_version, opset, metadata, graph = 0, 0, {}, None
    for field, value in _fields(view):
        if field == 1 and isinstance(value, int):
            ir_version = value
        elif field == 7 and isinstance(value, memoryview):
            graph = value
        elif field == 8 and isinstance(value, memoryview):
            domain, version = "", 0
            for number, part in _fields(value):
                if number == 1:
                    domain = _text(part)
                elif number == 2 and isinstance(part, int):
                    version = part
            if domain in ("", "ai.onnx"):
                opset = version
        elif field == 14 and isinstance(value, memoryview):
            key, text = _string_pair(value)
            metadata[key] = text
    if graph is None or not 1 <= ir_version < 1000:
        raise ValueError("no graph")
    return _read_graph(graph, ir_version, opset, metadata)


def _read_graph(graph: memoryview, ir_version: int, opset: int, metadata: dict[str, str]) -> OnnxGraph:
    nodes: list[Node] = []
    constants: dict[str, float | None] = {}
    external: dict[str, None] = {}
    inputs: list[TensorInfo] = []
    outputs: list[TensorInfo] = []
    for field, value in _fields(graph):
        if not isinstance(value, memoryview):
            continue
        if field == 1:
            node, tensor = _read_node(value)
            nodes.append(node)
            if node.op == "Constant" and node.outputs:
                constants[node.outputs[0]] = tensor.value if tensor else None
                if tensor and tensor.external:
                    external[tensor.external] = None
        elif field == 5:
            weight = _read_tensor(value)
            constants[weight.name] = weight.value
            if weight.external:
                external[weight.external] = None
        elif field == 11:
            inputs.append(_read_value_info(value))
        elif field == 12:
            outputs.append(_read_value_info(value))
    # Before IR 4 weights were listed as inputs as well.
    real_inputs = tuple(info for info in inputs if info.name not in constants)
    if not real_inputs or not outputs:
        raise ValueError("no inputs or outputs")
    return OnnxGraph(ir_version, opset, metadata, real_inputs, tuple(outputs), tuple(nodes), constants, tuple(external))


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: str
    value: float | None
    external: str | None


def _read_tensor(view: memoryview) -> _Tensor:
    name, dtype, count, data = "", 0, 1, None
    location, is_external = None, False
    for field, value in _fields(view):
        if field == 1:
            for dim in [value] if isinstance(value, int) else _packed_varints(value):
                count *= dim
        elif field == 2 and isinstance(value, int):
            dtype = value
        elif field in (4, 9, 10) and isinstance(value, (memoryview, bytes)) and len(value) <= 8:
            data = bytes(value)  # one element, be it raw or packed
        elif field == 8:
            name = _text(value)
        elif field == 13 and isinstance(value, memoryview):
            key, text = _string_pair(value)
            if key == "location":
                location = text
        elif field == 14:
            is_external = value == 1
    scalar = None
    if count == 1 and data is not None and dtype in _SCALAR_FORMATS and len(data) == struct.calcsize(_SCALAR_FORMATS[dtype]):
        scalar = float(struct.unpack(_SCALAR_FORMATS[dtype], data)[0])
    return _Tensor(name, scalar, location if is_external else None)


def _read_node(view: memoryview) -> tuple[Node, _Tensor | None]:
    inputs: list[str] = []
    outputs: list[str] = []
    op, tensor = "", None
    for field, value in _fields(view):
        if field == 1:
            inputs.append(_text(value))
        elif field == 2:
            outputs.append(_text(value))
        elif field == 4:
            op = _text(value)
        elif field == 5 and isinstance(value, memoryview):
            for number, part in _fields(value):
                if number == 5 and isinstance(part, memoryview):
                    tensor = _read_tensor(part)
                elif number == 2 and isinstance(part, bytes):  # Constant with value_float
                    tensor = _Tensor("", float(struct.unpack("<f", part)[0]), None)
    return Node(op, tuple(inputs), tuple(outputs)), tensor


def _read_value_info(view: memoryview) -> TensorInfo:
    name, dtype, shape = "", "unknown", None
    for field, value in _fields(view):
        if field == 1:
            name = _text(value)
        elif field == 2 and isinstance(value, memoryview):
            for type_field, tensor_type in _fields(value):
                if type_field != 1 or not isinstance(tensor_type, memoryview):
                    continue
                for number, part in _fields(tensor_type):
                    if number == 1 and isinstance(part, int):
                        dtype = _DTYPES.get(part, f"type {part}")
                    elif number == 2 and isinstance(part, memoryview):
                        shape = tuple(_read_dim(dim) for field_1, dim in _fields(part) if field_1 == 1)
    return TensorInfo(name, dtype, shape)


def _read_dim(value: int | memoryview | bytes) -> int | None:
    if isinstance(value, memoryview):
        for field, part in _fields(value):
            if field == 1 and isinstance(part, int) and part > 0:
                return part
    return None


def _string_pair(view: memoryview) -> tuple[str, str]:
    key = text = ""
    for field, value in _fields(view):
        if field == 1:
            key = _text(value)
        elif field == 2:
            text = _text(value)
    return key, text


# ---- the wire format ------------------------------------------------------------------------------------------------


def _fields(view: memoryview) -> Iterator[tuple[int, int | memoryview | bytes]]:
    """Fields of one message: integers for varints, views for lengths, bytes for fixed widths. Raises ValueError when cut short."""
    position, end = 0, len(view)
    while position < end:
        key, position = _varint(view, position)
        field, wire = key >> 3, key & 7
        if field == 0:
            raise ValueError("field 0")
        if wire == _VARINT:
            number, position = _varint(view, position)
            yield field, number
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
            if position + size > end:
                raise ValueError("cut short")
            yield field, bytes(view[position : position + size])
            position += size
        elif wire == _BYTES:
            size, position = _varint(view, position)
            if position + size > end:
                raise ValueError("cut short")
            yield field, view[position : position + size]
            position += size
        else:
            raise ValueError(f"wire type {wire}")


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = view[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
        if shift > 63:
            raise ValueError("varint too long")


def _packed_varints(value: memoryview | bytes) -> Iterator[int]:
    view, position = memoryview(value), 0
    while position < len(view):
        number, position = _varint(view, position)
        yield number


def _text(value: int | memoryview | bytes) -> str:
    if isinstance(value, int):
        raise ValueError("a string was expected")
    return bytes(value).decode("utf-8")
