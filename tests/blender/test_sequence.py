# SPDX-License-Identifier: Apache-2.0
"""One object plays a sequence: at every frame of the scene it has that frame's depth, its tears and its photo."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from depthbridge.addon.apply import apply_mesh, apply_points
from depthbridge.addon.nodes.inputs import set_input
from depthbridge.addon.options import BuildAs, BuildOptions, SkyMode
from depthbridge.addon.provenance import NotBuiltError, read_provenance
from depthbridge.addon.render import render_still
from depthbridge.addon.samples.truth import render_depth
from depthbridge.addon.sequences.build import BuiltSequence, build_sequence
from depthbridge.addon.sequences.files import SequenceFiles, estimate_sequence, read_sequence
from depthbridge.addon.sequences.frame import FrameGrid
from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.errors import DepthKindError, ImageError
from depthbridge.engines.frames import open_frames
from depthbridge.engines.grid_mesh import grid_positions
from support.evaluated import attribute, evaluated_mesh, faces
from support.known_depth import depth_map
from support.known_sequence import CAMERA, HEIGHT, WIDTH, KnownEngine, film
from support.movies import index_of, marked_frame, slow_down, turn_movie, write_folder, write_movie

COUNT = 6
PICTURES, DEPTHS = film(COUNT)
EVERYTHING = BuildOptions(tear=1e12)
"""No face is torn: 1e9 stands for a corner without depth."""


def estimate(source: Path, out: Path, known: KnownEngine | None = None, stride: int = 1) -> SequenceFiles:
    known = known or KnownEngine(PICTURES, DEPTHS, DepthKind.METRIC)
    return estimate_sequence(open_frames(source), known, CAMERA, BuildOptions(stride=stride), out, progress=lambda _: None, cancel=CancelToken())


@pytest.fixture
def room(tmp_path: Path) -> Path:
    write_folder(tmp_path / "room", PICTURES)
    return tmp_path / "room"


def at(frame: int, subframe: float = 0.0) -> None:
    bpy.context.scene.frame_set(frame, subframe=subframe)


def expected(grid: FrameGrid, stride: int) -> npt.NDArray[np.float32]:
    """World positions of the grid's pixels, float32 (V,3), from the definition of a camera."""
    rows, columns = grid_positions(HEIGHT, stride), grid_positions(WIDTH, stride)
    x = (columns[None, :] + 0.5 - CAMERA.cx) / CAMERA.fx * grid.depth
    y = (rows[:, None] + 0.5 - CAMERA.cy) / CAMERA.fy * grid.depth
    return np.stack([x, grid.depth, -y], axis=-1).reshape(-1, 3).astype(np.float32)


@pytest.mark.parametrize("stride", [1, 3, 4])
def test_every_vertex_lies_at_its_frames_depth_along_its_ray(stride: int, room: Path, tmp_path: Path) -> None:
    files = estimate(room, tmp_path / "out", stride=stride)
    built = build_sequence(files, "room", EVERYTHING)
    assert (built.vertices, built.faces) == (files.header.rows * files.header.columns, (files.header.rows - 1) * (files.header.columns - 1))
    for frame in (1, 2, 3, 6, 4, 1):
        at(frame)
        found = attribute(evaluated_mesh(built.object), "position")
        np.testing.assert_allclose(found, expected(files.frame(frame - 1), stride), rtol=1e-6, atol=1e-6)


def test_it_stands_still_before_and_after_and_between_two_frames_shows_the_earlier(room: Path, tmp_path: Path) -> None:
    files = estimate(room, tmp_path / "out", stride=3)
    built = build_sequence(files, "room", EVERYTHING, start_frame=10)

    def shown() -> int:
        depth = attribute(evaluated_mesh(built.object), "position")[:, 1]
        return int(np.argmin([np.abs(depth - files.frame(index).depth.ravel()).max() for index in range(COUNT)]))

    for frame, subframe, wanted in [
        (-20, 0, 0),
        (9, 0.9, 0),
        (10, 0, 0),
        (10, 0.99, 0),
        (11, 0, 1),
        (13, 0.5, 3),
        (15, 0, 5),
        (16, 0, 5),
        (999, 0, 5),
    ]:
        at(frame, subframe)
        assert shown() == wanted, (frame, subframe)
    set_input(built.object.modifiers["Depthbridge"], "Start Frame", 2)
    at(4)
    assert shown() == 2


@pytest.mark.parametrize("tear", [0.02, 0.1, 0.5])
def test_no_face_stays_whose_corners_are_farther_apart_than_the_threshold(tear: float, room: Path, tmp_path: Path) -> None:
    files = estimate(room, tmp_path / "out", stride=2)
    built = build_sequence(files, "room", BuildOptions(tear=tear))
    for frame in range(1, COUNT + 1):
        at(frame)
        mesh = evaluated_mesh(built.object)
        corners = attribute(mesh, "position")[:, 1][faces(mesh)]
        kept = corners.max(axis=1) / corners.min(axis=1) - 1
        assert kept.max() <= tear * (1 + 1e-5)
        assert len(kept) == (files.frame(frame - 1).tear[:-1, :-1] <= np.float32(tear)).sum(), "and all others do"


def with_sky() -> KnownEngine:
    sky = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
    sky[:15] = 0.9
    valid = sky < 0.3
    valid[60:, :10] = False
    return KnownEngine(PICTURES, DEPTHS, DepthKind.METRIC, valid=valid, sky=sky)


def test_the_sliders_cut_every_frame_alike(room: Path, tmp_path: Path) -> None:
    files = estimate(room, tmp_path / "out", with_sky())
    built = build_sequence(files, "room", EVERYTHING)
    modifier = built.object.modifiers["Depthbridge"]
    at(3)
    depth = DEPTHS[2]
    gone = np.zeros(depth.shape, dtype=np.bool_)
    gone[:15] = gone[60:, :10] = True

    def kept(where: npt.NDArray[np.bool_]) -> int:
        return int((where[:-1, :-1] & where[1:, :-1] & where[1:, 1:] & where[:-1, 1:]).sum())

    assert len(evaluated_mesh(built.object).polygons) == kept(~gone)
    set_input(modifier, "Sky Cut", 1.0)
    gone[:15] = False
    assert len(evaluated_mesh(built.object).polygons) == kept(~gone), "the sky stays, holes do not"
    set_input(modifier, "Depth Max", 4.0)
    assert len(evaluated_mesh(built.object).polygons) == kept(~gone & (depth <= 4))
    set_input(modifier, "Depth Min", 1.8)
    assert len(evaluated_mesh(built.object).polygons) == kept(~gone & (depth <= 4) & (depth >= 1.8))
    set_input(modifier, "Scale", 0.5)
    set_input(modifier, "Depth Min", 0.9)
    set_input(modifier, "Depth Max", 2.0)
    mesh = evaluated_mesh(built.object)
    assert len(mesh.polygons) == kept(~gone & (depth <= 4) & (depth >= 1.8))
    assert attribute(mesh, "position")[:, 1].max() <= 2.0 + 1e-6


def test_a_far_sky_lies_on_its_plane_in_every_frame(room: Path, tmp_path: Path) -> None:
    files = estimate(room, tmp_path / "out", with_sky())
    built = build_sequence(files, "room", BuildOptions(tear=1e12, sky=SkyMode.FAR))
    for frame in (1, 5):
        at(frame)
        depth = attribute(evaluated_mesh(built.object), "position")[:, 1]
        assert depth.max() == pytest.approx(files.farthest * 1.5)
        assert (np.abs(depth - files.farthest * 1.5) < 1e-4).sum() == 15 * WIDTH


def test_points_are_those_of_the_frame(room: Path, tmp_path: Path) -> None:
    files = estimate(room, tmp_path / "out", with_sky(), stride=2)
    build_sequence(files, "room", BuildOptions(as_=BuildAs.POINTS))
    for frame in (1, 4):
        at(frame)
        graph = bpy.context.evaluated_depsgraph_get()
        clouds = [item.object.data for item in graph.object_instances if item.object.type == "POINTCLOUD"]
        assert len(clouds) == 1
        grid = files.frame(frame - 1)
        found = attribute(clouds[0], "position")
        np.testing.assert_allclose(found, expected(grid, 2)[grid.ground.ravel()], rtol=1e-6, atol=1e-6)


def test_cycles_sees_each_frames_depth_through_the_matched_camera(room: Path, tmp_path: Path) -> None:
    build_sequence(estimate(room, tmp_path / "out"), "room")
    for frame in (2, 5):
        at(frame)
        seen = render_depth()
        hit = seen > 0
        error = np.abs(seen[hit] / DEPTHS[frame - 1][hit] - 1)
        assert np.median(error) <= 1e-5 and np.percentile(error, 99) <= 1e-4
        assert hit[1:-1, 1:-1].mean() > 0.95


# ---- the photo ---------------------------------------------------------------------------------------------------------


def still(folder: Path) -> npt.NDArray[np.uint8]:
    render_still(folder / "still.png", samples=1, overwrite=True)
    with Image.open(folder / "still.png") as image:
        return np.asarray(image.convert("RGB"))


class FlatEngine(KnownEngine):
    """Everything at depth 2, whatever is shown."""

    def __init__(self) -> None:
        super().__init__([], [], DepthKind.METRIC)

    def estimate(self, image: Any, camera: Any = None, *, cancel: Any = None) -> Any:
        return depth_map(np.full(image.shape[:2], 2, dtype=np.float32), camera)


def play_marked(source: Path, out: Path, **more: Any) -> BuiltSequence:
    files = estimate_sequence(open_frames(source), FlatEngine(), None, BuildOptions(), out, progress=lambda _: None, cancel=CancelToken())
    return build_sequence(files, "marked", EVERYTHING, **more)


def marked_source(kind: str, folder: Path) -> Path:
    frames = [marked_frame(index) for index in range(12)]
    if kind == "numbered":
        write_folder(folder / "room", frames, "f{:03d}.png", first=8)
    elif kind == "copied":
        write_folder(folder / "room", frames, "frame {} of 12.png")
        (folder / "room" / "frame 5 of 12.png").rename(folder / "room" / "frame 4b of 12.png")
    else:
        movie = write_movie(folder / kind.replace("uneven", "clip"), frames, fps=12.5)
        if kind.startswith("uneven"):
            slow_down(movie, 5)
        return movie
    return folder / "room"


@pytest.mark.parametrize("kind", ["numbered", "copied", "clip.mp4", "clip.avi", "clip.mkv", "uneven.mp4"])
def test_the_photo_is_that_of_the_frame(kind: str, tmp_path: Path) -> None:
    built = play_marked(marked_source(kind, tmp_path), tmp_path / "out")
    for frame in (1, 2, 7, 12, 3, 40, -5):
        at(frame)
        seen = still(tmp_path)
        assert index_of(seen) == min(max(frame - 1, 0), 11), frame
        assert seen[4, 4, 0] > 150 > 60 > seen[4, 4, 2], "upright, and red is red"
    set_input(built.object.modifiers["Depthbridge"], "Start Frame", 5)
    at(7)
    assert index_of(still(tmp_path)) == 2, "the photo follows the same slider as the depth"


@pytest.mark.parametrize("kind", ["numbered", "clip.avi"])
def test_points_wear_the_photo_of_the_frame(kind: str, tmp_path: Path) -> None:
    built = play_marked(marked_source(kind, tmp_path), tmp_path / "out")
    set_input(built.object.modifiers["Depthbridge"], "As Points", True)
    for frame in (2, 9):
        at(frame)
        seen = still(tmp_path)
        assert index_of(seen) == frame - 1
        assert seen[4, 4, 0] > 150 > 60 > seen[4, 4, 2]


def test_a_movie_held_upright_plays_upright(tmp_path: Path) -> None:
    # Blender 4.2 shows a movie lying that 4.5 shows upright.
    movie = marked_source("clip.mp4", tmp_path)
    turn_movie(movie)
    play_marked(movie, tmp_path / "out")
    at(4)
    seen = still(tmp_path)
    assert seen.shape == (64, 48, 3)
    assert index_of(seen) == 3
    assert seen[4, 40, 0] > 150 > 60 > seen[4, 40, 2] and seen[4, 4, 2] > 30


def test_every_pixel_wears_its_own_colour(room: Path, tmp_path: Path) -> None:
    built = build_sequence(estimate(room, tmp_path / "out", stride=3), "room", EVERYTHING)
    at(4)
    seen = still(tmp_path).astype(int)
    # Within blocks of one colour, away from their borders and the box, whose stretched faces cover some of the wall.
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    inside = (np.abs(rows % 12 - 5.5) < 3.5) & (np.abs(columns % 12 - 5.5) < 3.5) & (rows > 54) & (rows < HEIGHT - 3) & (columns > 2)
    assert np.abs(seen - PICTURES[3])[inside & (columns < WIDTH - 4)].max() == 0
    assert built.photo.source == "SEQUENCE"


def test_every_vertex_knows_its_pixel_of_the_photo(room: Path, tmp_path: Path) -> None:
    built = build_sequence(estimate(room, tmp_path / "out", stride=3), "room")
    columns, rows = np.meshgrid(np.arange(1, WIDTH, 3), np.arange(1, HEIGHT, 3))
    wanted = np.stack([(columns + 0.5) / WIDTH, 1 - (rows + 0.5) / HEIGHT], axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(attribute(built.object.data, "photo_uv"), wanted, atol=1e-6)
    np.testing.assert_allclose(attribute(built.object.data, "UVMap"), wanted[faces(built.object.data).ravel()], atol=1e-6)


def test_the_cameras_background_plays_along(tmp_path: Path) -> None:
    built = play_marked(marked_source("numbered", tmp_path), tmp_path / "out")
    for frame in (1, 5, 99):
        at(frame)
        camera = built.camera.evaluated_get(bpy.context.evaluated_depsgraph_get())
        user = camera.data.background_images[0].image_user
        assert user.frame_offset + 1 == 8 + min(frame - 1, 11)
    assert built.camera.data.background_images[0].image == built.photo


# ---- the file and the scene --------------------------------------------------------------------------------------------


def test_a_saved_file_plays_after_it_is_opened_again(room: Path, tmp_path: Path) -> None:
    files = estimate(room, tmp_path / "out")
    build_sequence(files, "room", EVERYTHING)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "room.blend"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "room.blend"))
    for frame in (5, 2):
        at(frame)
        found = attribute(evaluated_mesh(bpy.data.objects["room"]), "position")
        np.testing.assert_allclose(found, expected(files.frame(frame - 1), 1), rtol=1e-6, atol=1e-6)


def test_it_remembers_what_it_is_and_is_not_built_again_from_one_frame(room: Path, tmp_path: Path) -> None:
    built = build_sequence(estimate(room, tmp_path / "out"), "room")
    known = read_provenance(built.object)
    assert (known.model, known.kind, known.unit, known.camera) == ("known depth", DepthKind.METRIC, "m", CAMERA)
    assert read_sequence(Path(built.object["depthbridge_sequence"])).count == COUNT
    with pytest.raises(NotBuiltError, match="plays a sequence"):
        known.depth_map()


def test_the_scenes_time_is_set_only_when_asked_and_free(tmp_path: Path) -> None:
    scene = bpy.context.scene
    movie = marked_source("clip.mp4", tmp_path)
    play_marked(movie, tmp_path / "out")
    assert (scene.frame_start, scene.frame_end, scene.render.fps) == (1, 250, 24)
    cube = bpy.data.objects.new("moves", None)
    scene.collection.objects.link(cube)
    cube.keyframe_insert("location", frame=3)
    kept = play_marked(movie, tmp_path / "out", set_time=True)
    assert scene.frame_end == 250 and any("animated already" in note for note in kept.notes)
    bpy.data.objects.remove(cube)
    # What plays already is no animation of the user's.
    free = play_marked(movie, tmp_path / "out", set_time=True, start_frame=5)
    assert (scene.frame_start, scene.frame_end) == (5, 16) and not free.notes
    assert scene.render.fps / scene.render.fps_base == pytest.approx(12.5)


def test_a_build_that_fails_adds_nothing(room: Path, tmp_path: Path) -> None:
    files = estimate(room, tmp_path / "out")
    before = [len(getattr(bpy.data, kind)) for kind in ("objects", "meshes", "images", "materials", "cameras", "node_groups", "collections")]
    with pytest.raises(DepthKindError, match="not as a relief"):
        build_sequence(files, "room", BuildOptions(as_=BuildAs.RELIEF))
    shutil.rmtree(room)
    with pytest.raises(ImageError, match=r"shot_0001\.png"):
        build_sequence(files, "room")
    (tmp_path / "out" / "depth_0001.exr").write_bytes(b"no picture")
    write_folder(room, PICTURES)
    with pytest.raises(ImageError, match=r"depth_0001\.exr"):
        build_sequence(files, "room")
    after = [len(getattr(bpy.data, kind)) for kind in ("objects", "meshes", "images", "materials", "cameras", "node_groups", "collections")]
    assert after == before


def test_two_sequences_share_one_group_and_play_their_own_time(room: Path, tmp_path: Path) -> None:
    files = estimate(room, tmp_path / "out", stride=4)
    first, second = build_sequence(files, "first", EVERYTHING), build_sequence(files, "second", EVERYTHING, start_frame=3)
    assert first.object.modifiers[0].node_group == second.object.modifiers[0].node_group
    at(4)
    for built, index in ((first, 3), (second, 1)):
        np.testing.assert_allclose(attribute(evaluated_mesh(built.object), "position")[:, 1], files.frame(index).depth.ravel(), rtol=1e-6)


def test_a_project_folder_plays_where_it_is_moved_to(room: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    shutil.move(room, project)
    bpy.ops.wm.save_as_mainfile(filepath=str(project / "room.blend"))
    files = estimate(project / "room", project / "depthbridge" / "room", stride=4)
    build_sequence(files, "room", EVERYTHING)
    bpy.ops.wm.save_mainfile()
    project.rename(tmp_path / "moved")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "moved" / "room.blend"))
    at(4)
    depth = attribute(evaluated_mesh(bpy.data.objects["room"]), "position")[:, 1]
    np.testing.assert_allclose(depth, DEPTHS[3][2::4, 2::4].ravel(), rtol=1e-6)
    assert Path(bpy.path.abspath(bpy.data.images["room photo"].filepath)).is_file()


@pytest.mark.parametrize("kind", ["mesh", "points"])
def test_what_is_applied_keeps_the_shape_and_photo_of_that_moment(kind: str, tmp_path: Path) -> None:
    built = play_marked(marked_source("numbered", tmp_path), tmp_path / "out")
    at(5)
    if kind == "mesh":
        done = apply_mesh(built.object)
        assert not done.modifiers
        assert attribute(done.data, "depth").shape == (48 * 64,)
    else:
        set_input(built.object.modifiers["Depthbridge"], "As Points", True)
        done = apply_points(built.object)
        assert done.type == "POINTCLOUD"
    for frame in (5, 9):
        at(frame)
        assert index_of(still(tmp_path)) == 4
        camera = built.camera.evaluated_get(bpy.context.evaluated_depsgraph_get())
        assert camera.data.background_images[0].image_user.frame_offset == 8 + 4 - 1


def test_what_is_applied_does_not_hold_the_others(tmp_path: Path) -> None:
    source = marked_source("numbered", tmp_path)
    first = play_marked(source, tmp_path / "out")
    second = play_marked(source, tmp_path / "out")
    apply_mesh(first.object)
    first.object.hide_render = True
    at(7)
    assert index_of(still(tmp_path)) == 6
    assert second.object.modifiers
