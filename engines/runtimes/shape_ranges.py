# SPDX-License-Identifier: Apache-2.0
"""The range of shapes that a compiled engine takes: from one small picture to a batch of large ones, tuned for one 16:9 frame."""

from __future__ import annotations

from pathlib import Path

from ..model_spec import InputPolicy
from ..network import MAX_BATCH
from ..preprocess import plan_input
from ..recognise import recognise
from ..signature import Layout, Signature
from .provider_options import ShapeRange

_FRAME = (1920, 1080)
# Width to height of what people photograph and film, upright too.
_PROPORTIONS = (1.0, 4 / 3, 3 / 2, 16 / 9, 21 / 9)
_LEAST_SIDE, _LARGEST_SQUARE = 112, 518


def shape_ranges(path: Path) -> tuple[ShapeRange, ...]:
    """Of the picture input of the ONNX file at ``path``; none where the file fixes its shape. Raises :class:`ModelError` for a file that is
    no depth model."""
    known = recognise(path)
    return ranges_of(known.signature, known.spec.input)


def ranges_of(signature: Signature, policy: InputPolicy) -> tuple[ShapeRange, ...]:
    """As :func:`shape_ranges`, for pictures resized by ``policy``."""
    shape = signature.image.shape
    if shape is None or None not in shape:
        return ()
    fixed = (signature.height, signature.width)
    sizes = [plan_input(*_picture(proportion), policy, fixed).size for each in _PROPORTIONS for proportion in (each, 1 / each)]
    width, height = plan_input(*_FRAME, policy, fixed).size
    longest = (max(_LARGEST_SQUARE, *(size[0] for size in sizes)), max(_LARGEST_SQUARE, *(size[1] for size in sizes)))
    return (
        ShapeRange(
            signature.image.name,
            _shape(signature, 1, _LEAST_SIDE, _LEAST_SIDE),
            _shape(signature, 1, width, height),
            _shape(signature, MAX_BATCH, *longest),
        ),
    )


def _picture(proportion: float) -> tuple[int, int]:
    return round(_FRAME[1] * proportion), _FRAME[1]


def _shape(signature: Signature, batch: int, width: int, height: int) -> tuple[int, ...]:
    """The input's shape; an axis that the file fixes keeps its size, and of views there is one."""
    sizes = {
        Layout.NCHW: (batch, 3, height, width),
        Layout.NHWC: (batch, height, width, 3),
        Layout.BNCHW: (batch, 1, 3, height, width),
    }[signature.layout]
    assert signature.image.shape is not None
    return tuple(size if fixed is None else fixed for size, fixed in zip(sizes, signature.image.shape, strict=True))
