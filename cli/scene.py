# SPDX-License-Identifier: Apache-2.0
"""``depthbridge scene``: a picture as a Blender scene, with the camera that took it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..engines.camera import CameraIntrinsics, CameraSource
from ..engines.depth_map import DepthKind, DepthMap
from ..engines.engine import DepthEngine
from ..engines.errors import DepthKindError, OutputError
from ..engines.images import DecodedImage, decode_image
from .blender import addon_module
from .camera_options import camera_options, resolve_camera


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="X.blend", help="The .blend file to write.")
@click.option("--as", "as_", type=click.Choice(["mesh", "points"]), default="mesh", show_default=True, help="What to build.")
@click.option("--model", default="depthbridge-mini", show_default=True, metavar="ID|FILE", help="Catalogue id, or an ONNX file.")
@camera_options
@click.option("--max-vertices", type=click.IntRange(min=4), help="Build from every 2nd, 3rd, ... pixel to stay under this number.")
@click.option("--device", default="auto", show_default=True, help="Where the model runs: auto, cpu, cuda, ...")
@click.option("--force", is_flag=True, help="Overwrite the output file.")
def command(
    image: Path,
    out: Path,
    as_: str,
    model: str,
    fov_v: float | None,
    fov_h: float | None,
    intrinsics: Path | None,
    max_vertices: int | None,
    device: str,
    force: bool,
) -> None:
    """Build a textured mesh (or points) from IMAGE, in metres where the model gives them, and save it as a .blend file.

    The scene's camera is the picture's: the one given here, else EXIF's, else the model's. Without any, 50 degrees vertical is
    assumed and the scene says so. Prints one JSON line.
    """
    _check_output(out, force)
    builder = addon_module("scene")
    picture = decode_image(image)
    for note in picture.notes:
        click.echo(f"depthbridge: {note}", err=True)
    camera = resolve_camera(fov_v, fov_h, intrinsics, picture.width, picture.height)
    with DepthEngine.open(model, device=device) as engine:
        depth = estimate_for_scene(engine, picture, camera)
    builder.start_empty_file()
    limit = {} if max_vertices is None else {"max_vertices": max_vertices}
    built = builder.build_scene(depth, picture.rgb, as_=as_, name=image.stem, **limit)
    builder.save_blend(out, overwrite=force)
    click.echo(json.dumps(_summary(image, out, built)))


def estimate_for_scene(engine: DepthEngine, picture: DecodedImage, camera: CameraIntrinsics | None) -> DepthMap:
    """Depth to build from. A model that needs the focal length for its metres gets the assumed camera when none is known, so that the
    scene is in metres under the same assumption its camera is built with. Raises :class:`DepthKindError` for disparity models."""
    if engine.spec.kind is DepthKind.DISPARITY:
        raise DepthKindError(
            f"{engine.model_id} gives disparity, which has no shape until its scale and shift are known; choose a model of metric or "
            "relative depth (depthbridge models list)."
        )
    if camera is not None:
        return engine.estimate(picture, camera)
    if picture.exif_camera is None and engine.spec.canonical_focal_px is not None:
        assumed = CameraIntrinsics.assumed(picture.width, picture.height)
        return engine.estimate(picture, assumed, camera_source=CameraSource.ASSUMED)
    return engine.estimate(picture)


def _check_output(out: Path, force: bool) -> None:
    """Refuse early what would be refused late, after the estimate."""
    if out.suffix.lower() != ".blend":
        raise OutputError(f"Cannot write {out}: a scene is a Blender file; give a name that ends in .blend.")
    if not out.parent.is_dir():
        raise OutputError(f"Cannot write {out}: the folder does not exist; create it or check the path.")
    if out.exists() and not force:
        raise OutputError(f"Cannot write {out}: it exists already; choose another name or add --force.")


def _summary(image: Path, out: Path, built: Any) -> dict[str, Any]:
    depth: DepthMap = built.depth
    assert depth.camera is not None
    return {
        "image": str(image),
        "file": str(out),
        "object": built.object.name,
        "vertices": built.vertices,
        "faces": built.faces,
        "stride": built.stride,
        "model": depth.model_id,
        "kind": str(depth.kind),
        "unit": depth.kind.unit,
        "camera_source": str(depth.camera_source),
        "fov_vertical_deg": round(depth.camera.fov_vertical_deg, 3),
    }
