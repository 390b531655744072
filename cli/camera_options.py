# SPDX-License-Identifier: Apache-2.0
"""The three ways a command is told the camera of a picture: a vertical or horizontal field of view, or a file of intrinsics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..engines.camera import CameraIntrinsics
from ..engines.errors import CameraError

_Command = TypeVar("_Command", bound=Callable[..., Any])


def camera_options(fn: _Command) -> _Command:
    """Give a click command ``--fov-v``, ``--fov-h`` and ``--intrinsics``.

    The command receives ``fov_v: float | None``, ``fov_h: float | None`` (degrees) and ``intrinsics: Path | None``, to be handed to
    :func:`resolve_camera` once the picture's size is known.
    """
    fn = click.option(
        "--intrinsics",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="JSON with fx, fy, cx, cy in pixels (or a 3x3 K), measured on pictures of this size.",
    )(fn)
    fn = click.option("--fov-h", type=float, metavar="DEG", help="Horizontal field of view of the picture, in degrees.")(fn)
    return click.option("--fov-v", type=float, metavar="DEG", help="Vertical field of view of the picture, in degrees.")(fn)


def resolve_camera(fov_v: float | None, fov_h: float | None, intrinsics: Path | None, width: int, height: int) -> CameraIntrinsics | None:
    """The camera that the options name for a picture of ``width`` x ``height`` pixels, or None when they name none.

    Raises :class:`CameraError` when more than one option is given, when a value makes no camera, and when the file describes
    pictures of another size.
    """
    named = {"--fov-v": fov_v, "--fov-h": fov_h, "--intrinsics": intrinsics}
    given = [option for option, value in named.items() if value is not None]
    if len(given) > 1:
        raise CameraError(f"{' and '.join(given)} both describe the camera; give one of them.")
    if fov_v is not None:
        return CameraIntrinsics.from_vertical_fov(fov_v, width, height)
    if fov_h is not None:
        return CameraIntrinsics.from_horizontal_fov(fov_h, width, height)
    if intrinsics is None:
        return None
    camera = CameraIntrinsics.from_json(intrinsics, width, height)
    if (camera.width, camera.height) != (width, height):
        raise CameraError(
            f"{intrinsics} describes pictures of {camera.width}x{camera.height} pixels and this one has {width}x{height}; "
            "give the intrinsics of this size (scale fx, cx by the width and fy, cy by the height)."
        )
    return camera
