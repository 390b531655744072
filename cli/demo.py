# SPDX-License-Identifier: Apache-2.0
"""``depthbridge demo``: both doors once, on sample data, with the embedded model. What it prints is what anyone can check."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ..engines.errors import OutputError
from .blender import addon_module
from .engine_options import EngineOptions, engine_options, open_engine

if TYPE_CHECKING:
    from rich.console import Console

    from ..engines.depth_map import DepthMap
    from ..engines.engine import DepthEngine
    from ..unity_bridge.captures.reader import LoadedFrame
    from ..unity_bridge.results import FrameResult

_PACKAGE = Path(__file__).resolve().parent.parent
SAMPLE_PICTURE = _PACKAGE / "models" / "samples" / "room.jpg"
SAMPLE_CAPTURE = _PACKAGE / "tests" / "data" / "capture"

# How far the still's camera steps aside, as a share of the scene's median depth: enough to see that it is geometry.
_STEP_ASIDE = 0.12
_MAX_VERTICES = 250_000


@dataclass(frozen=True, slots=True)
class Row:
    """One object of the table: distances are medians over its mask, planar, in metres."""

    image: str
    id: int
    category: str
    estimated_m: float | None
    true_m: float
    fitted_m: float | None = None
    known: bool = False

    @property
    def error(self) -> float | None:
        return None if self.estimated_m is None else self.estimated_m / self.true_m - 1

    @property
    def fitted_error(self) -> float | None:
        return None if self.fitted_m is None else self.fitted_m / self.true_m - 1


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder for the results; missing or empty.")
@click.option("--seed", type=int, help="Render a fresh capture with this seed in place of the shipped one.")
@click.option("--model", default="depthbridge-mini", show_default=True, metavar="ID|FILE", help="A metric model.")
@engine_options
@click.option("--force", is_flag=True, help="Overwrite the results of an earlier demo in DIR.")
def command(out: Path, seed: int | None, model: str, options: EngineOptions, force: bool) -> None:
    """A picture becomes a Blender scene, a capture becomes distances.

    Writes preview.png, scene.blend, scene.glb, still.png (from a camera that stepped aside) and distances.json into DIR.
    """
    from rich.console import Console

    from ..engines.atomic import make_folder

    started = time.perf_counter()
    scene_module = addon_module("scene")  # before anything is written: without bpy there is no demo
    if out.is_dir() and any(out.iterdir()) and not force:
        raise OutputError(f"Cannot write into {out}: it is not empty; choose another folder or add --force.")
    make_folder(out)
    console = Console(stderr=True, highlight=False)
    with open_engine(model, options) as engine:
        console.print(f"[bold]Model[/bold]  {engine.model_id} on {engine.info.runtime}, {engine.info.device}, {engine.info.precision}")
        depth = _picture(engine, scene_module, out, force, console)
        capture = _capture_folder(out, seed, console)
        rows = list(_distances(engine, capture, console))
    rows = fit_one_known_distance(rows)
    _print_table(rows, console)
    summary = summarise(rows)
    _write_distances(out / "distances.json", rows, summary, force)
    console.print(f"[bold]Done[/bold]   in {time.perf_counter() - started:.0f} s; everything is in {out}")
    click.echo(json.dumps({"out": str(out), "model": depth.model_id, "camera_source": str(depth.camera_source), **summary}))


def _picture(engine: DepthEngine, scene_module: Any, out: Path, force: bool, console: Console) -> DepthMap:
    """The artist's door: the sample picture as preview, .blend, .glb, and a still from beside its camera."""
    from ..addon.backfill_layer import prepare_backfill
    from ..addon.jobs.pipeline import Picture, estimate_for_build
    from ..addon.options import BuildOptions
    from ..addon.prepare import prepare
    from ..engines.export.glb import write_glb
    from ..engines.export.preview import write_preview
    from ..engines.images import decode_image

    picture = decode_image(SAMPLE_PICTURE)
    depth: DepthMap = estimate_for_build(engine, Picture(picture.rgb, picture.exif_camera))
    assert depth.stage_ms is not None
    median = float(np.median(depth.values[depth.valid]))
    console.print(
        f"[bold]Picture[/bold] {SAMPLE_PICTURE.name}: {depth.kind} depth, median {median:.2f} {depth.kind.unit}, camera {depth.camera_source}, "
        f"{depth.stage_ms.total_ms:.0f} ms"
    )
    write_preview(out / "preview.png", depth, overwrite=force)
    write_glb(out / "scene.glb", depth, picture.rgb, max_vertices=_MAX_VERTICES, overwrite=force)
    scene_module.start_empty_file()
    prepared = prepare(depth, picture.rgb, BuildOptions(max_vertices=_MAX_VERTICES))
    built = addon_module("build").build_objects(prepared, SAMPLE_PICTURE.stem)
    layer = prepare_backfill(prepared)
    if layer is not None:
        addon_module("backfill").add_backfill(built.object, layer)
    scene_module.save_blend(out / "scene.blend", overwrite=force)
    render = addon_module("render")
    aside = render.add_shifted_camera(built.camera, right=_STEP_ASIDE * median, up=_STEP_ASIDE * median / 2, look_at_depth=median)
    render.render_still(out / "still.png", camera=aside, percentage=75, overwrite=force)
    console.print(f"[bold]Scene[/bold]   {built.vertices:,} vertices: scene.blend, scene.glb, still.png")
    return depth


def _capture_folder(out: Path, seed: int | None, console: Console) -> Path:
    """The shipped capture, or a fresh one in ``out``: for a seed, and where the project is installed without its tests."""
    if seed is None and (SAMPLE_CAPTURE / "annotations.json").is_file():
        return SAMPLE_CAPTURE
    folder = out / ("capture" if seed is None else f"capture-{seed}")
    if not folder.exists():
        with console.status("Rendering a capture"):
            addon_module("samples.capture").make_capture(folder, seed)
    return folder


def _distances(engine: DepthEngine, folder: Path, console: Console) -> Iterator[Row]:
    """Unity's door: every frame of the capture through a real socket, its answer beside the truth."""
    from ..unity_bridge.captures.capture import Capture
    from ..unity_bridge.client import DepthClient
    from ..unity_bridge.serving.server import BridgeServer

    capture = Capture.open(folder)
    with BridgeServer(engine, bind="tcp://127.0.0.1:0") as server, DepthClient(server.endpoint) as client:
        console.print(f"[bold]Bridge[/bold]  {server.endpoint}, {len(capture.frames)} frames of {folder.name}")
        for frame in capture.frames:
            loaded = capture.load(frame)
            # As Unity sends it: RGBA, rows from the bottom.
            rgba = np.dstack([loaded.image, np.full(loaded.image.shape[:2], 255, np.uint8)])[::-1]
            result = client.measure(rgba, loaded.camera, loaded.mask[::-1], origin="bottom_left")
            yield from _rows(frame.name, loaded, result)
    console.print("[bold]Bridge[/bold]  stopped")


def _rows(image: str, loaded: LoadedFrame, result: FrameResult) -> Iterator[Row]:
    from ..unity_bridge.captures.measured import measure_truth

    truth = measure_truth(loaded)
    if truth is None:
        raise OutputError(f"The capture has no depth for {image}; the demo compares with it.")
    estimated = {item.id: item for item in result.objects}
    for item, true in zip(loaded.objects, truth, strict=True):
        seen = estimated.get(item.mask_value)
        if true.distance is not None:
            value = seen.distance.median if seen is not None and seen.distance is not None else None
            yield Row(image, int(item.record["id"]), str(item.record.get("category", "")), value, true.distance.median)


def fit_one_known_distance(rows: Sequence[Row]) -> list[Row]:
    """Rows with ``fitted_m``: in each picture the first object's true distance is taken as known and one scale fitted to it."""
    scales: dict[str, tuple[int, float]] = {}
    for row in rows:
        if row.estimated_m and row.image not in scales:
            scales[row.image] = (row.id, row.true_m / row.estimated_m)
    fitted = []
    for row in rows:
        known_id, scale = scales.get(row.image, (-1, None))
        value = row.estimated_m * scale if row.estimated_m is not None and scale is not None else None
        fitted.append(Row(row.image, row.id, row.category, row.estimated_m, row.true_m, value, row.id == known_id))
    return fitted


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """Median |error| over objects, before and after the fit; the fitted objects themselves do not count in the second."""
    plain = [abs(row.error) for row in rows if row.error is not None]
    fitted = [abs(row.fitted_error) for row in rows if row.fitted_error is not None and not row.known]
    return {
        "objects": len(rows),
        "objects_without_distance": sum(row.estimated_m is None for row in rows),
        "median_error": round(float(np.median(plain)), 4) if plain else None,
        "median_error_after_one_known_distance": round(float(np.median(fitted)), 4) if fitted else None,
    }


def _print_table(rows: Sequence[Row], console: Console) -> None:
    from rich.table import Table

    table = Table(title="Distances in metres along the optical axis; * its true distance was given")
    for name in ("picture", "object"):
        table.add_column(name, no_wrap=True)
    for name in ("estimated", "true", "error", "one known", "error "):
        table.add_column(name, justify="right")

    def metres(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}"

    def percent(value: float | None) -> str:
        return "-" if value is None else f"{value:+.0%}"

    for row in rows:
        mark = "*" if row.known else ""
        table.add_row(
            Path(row.image).stem, f"{row.id} {row.category}", metres(row.estimated_m), metres(row.true_m), percent(row.error),
            metres(row.fitted_m) + mark, percent(row.fitted_error),
        )  # fmt: skip
    console.print(table)
    summary = summarise(rows)
    before, after = summary["median_error"], summary["median_error_after_one_known_distance"]
    console.print(
        f"Median error {'-' if before is None else f'{before:.0%}'}; "
        f"after one known distance in each picture {'-' if after is None else f'{after:.0%}'} (the known ones not counted)."
    )


def _write_distances(path: Path, rows: Sequence[Row], summary: dict[str, Any], force: bool) -> None:
    from dataclasses import asdict

    from ..engines.atomic import atomic_path

    with atomic_path(path, overwrite=force) as temporary:
        document = {**summary, "rows": [asdict(row) for row in rows]}
        temporary.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
