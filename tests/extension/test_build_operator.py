# SPDX-License-Identifier: Apache-2.0
"""The build operator of the installed extension: what it builds from each source, what it refuses, and what it leaves behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from PIL import Image

from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.depth_map import DepthMap
from depthbridge.engines.export.npz import write_npz
from support.blend_data import contents
from support.known_depth import picture

PHOTO = Path(__file__).resolve().parents[2] / "models" / "samples" / "photo.jpg"


@pytest.fixture
def settings() -> Any:
    found = bpy.context.scene.depthbridge
    found.max_vertices = 4000
    return found


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small picture without EXIF."""
    path = tmp_path / "meadow.png"
    Image.fromarray(picture(120, 80)).save(path)
    return path


def refused() -> str:
    """The report of a build that is refused, and proof that it left nothing in the file."""
    before = contents()
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.depthbridge.build()
    assert contents() == before
    told = str(caught.value)
    assert "Traceback" not in told and "should not" not in told, told
    return told


def camera_of(built: Any) -> CameraIntrinsics:
    return CameraIntrinsics.from_json(json.loads(built["depthbridge_camera"]))


def stored_photo(built: Any) -> np.ndarray:
    """The photo packed with an object, uint8 (H,W,3), top row first."""
    image = built["depthbridge_photo"]
    pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return np.rint(pixels.reshape(image.size[1], image.size[0], 4)[::-1, :, :3] * 255).astype(np.uint8)


# ---- what it builds ----------------------------------------------------------------------------------------------------


def test_a_path_and_build_are_enough(settings: Any) -> None:
    bpy.ops.mesh.primitive_cube_add()  # and is selected
    settings.filepath = str(PHOTO)
    assert bpy.ops.depthbridge.build() == {"FINISHED"}
    built = bpy.context.view_layer.objects.active
    assert built.name == "photo" and built.select_get() and built["depthbridge_unit"] == "m"
    assert built["depthbridge_camera_source"] == "assumed" and built["depthbridge_model"] == "depthbridge-mini"
    assert bpy.context.scene.camera.parent == built
    assert [item for item in bpy.context.selected_objects] == [built]


def test_one_undo_step_takes_everything_back(settings: Any, photo: Path) -> None:
    settings.filepath = str(photo)
    bpy.ops.ed.undo_push(message="before")
    before = contents()
    bpy.ops.depthbridge.build("EXEC_DEFAULT", True)
    assert contents() != before
    bpy.ops.ed.undo()
    assert contents() == before


def test_the_operators_own_path_comes_before_the_settings(settings: Any, photo: Path) -> None:
    settings.source = "RENDER"
    bpy.ops.depthbridge.build(filepath=str(photo))
    assert bpy.context.view_layer.objects.active.name == "meadow"


def test_it_builds_from_edit_mode(settings: Any, photo: Path) -> None:
    bpy.ops.mesh.primitive_cube_add()
    edited = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    settings.filepath = str(photo)
    bpy.ops.depthbridge.build()
    assert edited.mode == "OBJECT" and bpy.context.mode == "OBJECT" and bpy.context.view_layer.objects.active.name == "meadow"


@pytest.mark.parametrize(
    ("mode", "values", "fov"),
    [
        ("FOV_VERTICAL", {"fov": np.radians(60)}, ("vertical", 60.0)),
        ("FOV_HORIZONTAL", {"fov": np.radians(70)}, ("horizontal", 70.0)),
        ("FOCAL_MM", {"focal_mm": 50.0, "sensor_width_mm": 36.0}, ("horizontal", 2 * np.degrees(np.arctan(18 / 50)))),
    ],
)
def test_angles_are_degrees_and_lenses_millimetres(settings: Any, photo: Path, mode: str, values: dict[str, float], fov: tuple[str, float]) -> None:
    settings.filepath, settings.camera_mode = str(photo), mode
    for name, value in values.items():
        setattr(settings, name, value)
    bpy.ops.depthbridge.build()
    built = bpy.context.view_layer.objects.active
    assert getattr(camera_of(built), f"fov_{fov[0]}_deg") == pytest.approx(fov[1], rel=1e-5)
    assert built["depthbridge_camera_source"] == "given"


def _scene_camera(*, shift: tuple[float, float] = (0.13, -0.07), lens: float = 40.0) -> Any:
    camera = bpy.data.objects.new("shot", bpy.data.cameras.new("shot"))
    camera.data.lens, camera.data.shift_x, camera.data.shift_y = lens, *shift
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    bpy.context.view_layer.update()
    return camera


def test_a_scene_camera_is_matched_with_its_shift(settings: Any, photo: Path) -> None:
    _scene_camera()
    settings.filepath, settings.camera_mode = str(photo), "SCENE"
    bpy.ops.depthbridge.build()
    camera = camera_of(bpy.context.view_layer.objects.active)
    assert camera.fx == pytest.approx(40 / 36 * 120, rel=1e-5) and camera.fx == pytest.approx(camera.fy, rel=1e-5)
    assert (camera.cx, camera.cy) == pytest.approx((60 - 0.13 * 120, 40 - 0.07 * 120), abs=1e-3)


def test_a_render_is_built_with_its_own_camera_and_its_scene_left_alone(settings: Any) -> None:
    camera, scene = _scene_camera(), bpy.context.scene
    render = scene.render
    render.engine, scene.cycles.samples = "CYCLES", 1
    render.resolution_x, render.resolution_y, render.pixel_aspect_y = 96, 64, 1.5
    render.image_settings.file_format, render.image_settings.color_mode = "OPEN_EXR", "RGBA"
    scene.view_settings.view_transform = "Raw"
    bpy.ops.render.render()
    settings.source = "RENDER"
    bpy.ops.depthbridge.build()
    built = bpy.context.view_layer.objects.active
    found = camera_of(built)
    assert (found.width, found.height) == (96, 64)
    assert found.fx == pytest.approx(40 / 36 * 96, rel=1e-5) and found.fx / found.fy == pytest.approx(1.5, rel=1e-5)
    assert found.cx == pytest.approx(48 - 0.13 * 96, abs=1e-3)
    assert scene.camera == camera and scene.view_settings.view_transform == "Raw" and render.pixel_aspect_y == 1.5
    assert (render.image_settings.file_format, render.image_settings.color_mode) == ("OPEN_EXR", "RGBA")


def test_what_a_viewer_of_the_compositor_shows_is_not_taken_for_the_render(settings: Any) -> None:
    scene = bpy.context.scene
    _scene_camera()
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.render.resolution_x, scene.render.resolution_y = 96, 64
    if hasattr(scene, "compositing_node_group"):
        scene.compositing_node_group = bpy.data.node_groups.new("seen", "CompositorNodeTree")
        tree = scene.compositing_node_group
    else:
        scene.use_nodes = True
        tree = scene.node_tree
    tree.nodes.clear()
    tree.links.new(tree.nodes.new("CompositorNodeRLayers").outputs["Image"], tree.nodes.new("CompositorNodeViewer").inputs["Image"])
    bpy.ops.render.render()
    seen = bpy.data.images.get("Viewer Node")
    if seen is None:
        pytest.skip("this Blender fills viewers only where it has a graphics card")
    assert tuple(seen.size) != (96, 64)
    settings.source, settings.image = "IMAGE", seen
    bpy.ops.depthbridge.build()
    found = camera_of(bpy.context.view_layer.objects.active)
    assert (found.width, found.height) == tuple(seen.size)


def _rotated(path: Path) -> np.ndarray:
    """A JPEG that is stored on its side; what it shows upright."""
    upright = np.repeat(np.repeat(picture(10, 15), 8, axis=0), 8, axis=1)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(upright, 1)).save(path, quality=95, subsampling=0, exif=exif.tobytes())
    return upright


@pytest.mark.parametrize("how", ["file", "image", "packed"])
def test_a_photo_on_its_side_stands_upright_from_every_source(settings: Any, tmp_path: Path, how: str) -> None:
    path = tmp_path / "side.jpg"
    upright = _rotated(path)
    settings.filepath = str(path)
    if how != "file":
        settings.source, settings.image = "IMAGE", bpy.data.images.load(str(path))
    if how == "packed":
        settings.image.pack()
        path.unlink()
    bpy.ops.depthbridge.build()
    shown = stored_photo(bpy.context.view_layer.objects.active)
    assert shown.shape == upright.shape
    assert np.abs(shown.astype(int) - upright).mean() < 4, "JPEG alone is off by this much"


def test_a_painted_image_is_taken_as_it_is_now(settings: Any, photo: Path) -> None:
    image = bpy.data.images.load(str(photo))
    pixels = np.ones((80, 120, 4), np.float32)
    pixels[..., :3] = np.random.default_rng(1).integers(0, 256, (80, 120, 3)) / 255
    image.pixels.foreach_set(pixels.ravel())
    settings.source, settings.image = "IMAGE", image
    bpy.ops.depthbridge.build()
    shown = stored_photo(bpy.context.view_layer.objects.active)
    assert np.array_equal(shown, np.rint(pixels[::-1, :, :3] * 255).astype(np.uint8))


def test_a_float_image_is_shown_with_the_curve_of_srgb(settings: Any) -> None:
    image = bpy.data.images.new("light", 40, 30, float_buffer=True)
    pixels = np.ones((30, 40, 4), np.float32)
    pixels[..., :3] = 0.21404  # sRGB 0.5
    pixels[:, :20, :3] = 7.0
    image.pixels.foreach_set(pixels.ravel())
    settings.source, settings.image = "IMAGE", image
    bpy.ops.depthbridge.build()
    shown = stored_photo(bpy.context.view_layer.objects.active)
    assert set(np.unique(shown[:, :20])) == {255} and set(np.unique(shown[:, 20:])) <= {127, 128}


def test_a_depth_file_needs_no_model(settings: Any, tmp_path: Path) -> None:
    bpy.context.preferences.addons["bl_ext.user_default.depthbridge"].preferences.models_folder = str(tmp_path / "none")
    camera = CameraIntrinsics.from_vertical_fov(40, 40, 30)
    write_npz(tmp_path / "wall.npz", DepthMap.exact(np.full((30, 40), 2.5, np.float32), camera, "laser"))
    settings.source, settings.depth_file = "DEPTH", str(tmp_path / "wall.npz")
    bpy.ops.depthbridge.build()
    built = bpy.context.view_layer.objects.active
    assert built["depthbridge_unit"] == "m" and camera_of(built) == camera and built["depthbridge_median_depth"] == pytest.approx(2.5)


def test_detail_becomes_the_builds_options(settings: Any, photo: Path) -> None:
    settings.filepath, settings.detail, settings.stride = str(photo), "STRIDE", 3
    settings.build_as = "points"
    bpy.ops.depthbridge.build()
    built = bpy.context.view_layer.objects.active
    assert built["depthbridge_stride"] == 3 and built["depthbridge_as"] == "points" and len(built.data.vertices) == 40 * 27


def test_backfill_comes_with_the_build(settings: Any) -> None:
    settings.filepath, settings.backfill, settings.max_vertices = str(PHOTO), True, 40_000
    bpy.ops.depthbridge.build()
    built = bpy.context.view_layer.objects.active
    assert any(child.type == "MESH" for child in built.children)


def _frames(folder: Path, count: int = 3) -> Path:
    folder.mkdir()
    for index in range(count):
        Image.fromarray(picture(48, 32, seed=index)).save(folder / f"take.{index + 1:04}.png")
    return folder


@pytest.mark.parametrize("chosen", [True, False], ids=["chosen folder", "beside the file"])
def test_a_folder_becomes_one_object_that_plays(settings: Any, tmp_path: Path, chosen: bool) -> None:
    settings.source, settings.folder = "FOLDER", str(_frames(tmp_path / "walk"))
    kept = tmp_path / "kept" if chosen else tmp_path / "depthbridge" / "walk"
    if chosen:
        settings.frames_folder = str(kept)
    else:
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 11, 400
    bpy.ops.depthbridge.build()
    built = bpy.context.view_layer.objects.active
    assert built.name == "walk" and len(list(kept.glob("*.exr"))) == 3
    assert (scene.frame_start, scene.frame_end) == (11, 13)
    settings.set_time = False
    scene.frame_end = 400
    bpy.ops.depthbridge.build()
    assert scene.frame_end == 400


def test_frames_around_the_file_are_called_by_their_folders_name(settings: Any, tmp_path: Path) -> None:
    blends = _frames(tmp_path / "walk") / "blends"
    blends.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(blends / "shot.blend"))
    settings.source, settings.folder = "FOLDER", "//../"
    bpy.ops.depthbridge.build()
    assert bpy.context.view_layer.objects.active.name == "walk"
    assert len(list((blends / "depthbridge" / "walk").glob("*.exr"))) == 3


# ---- what it refuses ---------------------------------------------------------------------------------------------------


def test_nothing_chosen(settings: Any) -> None:
    assert "No picture is chosen yet" in refused()
    for source, words in (("IMAGE", "No image is chosen"), ("RENDER", "no render yet"), ("FOLDER", "No folder"), ("MOVIE", "No movie"), ("DEPTH", "No depth file")):
        settings.source = source
        assert words in refused()


def test_a_deleted_file_and_a_deleted_image(settings: Any, photo: Path) -> None:
    settings.filepath = str(photo)
    image = bpy.data.images.load(str(photo))
    settings.image = image
    photo.unlink()
    assert "meadow.png does not exist" in refused()
    settings.source = "IMAGE"
    assert "no pixels" in refused()
    bpy.data.images.remove(image)
    assert "No image is chosen, or it was deleted" in refused()


def test_what_is_no_picture(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    settings.filepath = str(tmp_path / "text.jpg")
    assert "no picture in a known format" in refused()
    shutil.copy(PHOTO, tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes(PHOTO.read_bytes()[:20_000])
    settings.filepath = str(tmp_path / "cut.jpg")
    assert "damaged or truncated" in refused()


def test_many_pictures_are_no_single_one(settings: Any, photo: Path) -> None:
    image = bpy.data.images.load(str(photo))
    image.source = "SEQUENCE"
    settings.source, settings.image = "IMAGE", image
    assert "choose Folder as the source" in refused()


def test_frames_need_a_place(settings: Any, tmp_path: Path) -> None:
    settings.source, settings.folder = "FOLDER", str(_frames(tmp_path / "walk"))
    assert "save it first, or choose a folder" in refused()
    settings.frames_folder = "//kept"
    assert "save it first, or choose a folder" in refused()
    settings.folder = str(tmp_path / "gone")
    assert "gone is no folder" in refused()
    settings.folder, settings.frames_folder, settings.build_as = str(tmp_path / "walk"), str(tmp_path / "kept"), "relief"
    assert "not as a relief" in refused()
    assert not (tmp_path / "kept").exists()


def test_no_camera_to_match(settings: Any, photo: Path) -> None:
    settings.filepath, settings.camera_mode = str(photo), "SCENE"
    assert "The scene has no camera" in refused()
    camera = _scene_camera()
    camera.data.type = "ORTHO"
    assert "not a perspective camera" in refused()


def test_an_empty_depth_range(settings: Any, photo: Path) -> None:
    settings.filepath, settings.use_range, settings.nearest, settings.farthest = str(photo), True, 5.0, 2.0
    assert "5 to 2 is empty" in refused()


@pytest.mark.parametrize("build_as", ["mesh", "relief", "points"])
def test_what_stands_around_the_camera_is_named(settings: Any, photo: Path, build_as: str, capfd: pytest.CaptureFixture[str]) -> None:
    settings.filepath, settings.build_as = str(photo), build_as
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    capfd.readouterr()
    for place, hidden, told in (((0, 0, 0), False, True), ((0, 0, 0), True, False), ((3, 0, 0), False, False)):
        cube.location = place
        cube.hide_set(hidden)
        bpy.ops.depthbridge.build()
        assert ("Cube stands in the way" in capfd.readouterr().out) == told
    assert cube.name in bpy.context.scene.objects  # and left as it is


def test_a_failure_nobody_foresaw_is_one_sentence(settings: Any, photo: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    from bl_ext.user_default.depthbridge.addon.ui import build_operators

    def fail(*_: Any, **__: Any) -> None:
        bpy.data.meshes.new("left behind")
        raise KeyError("surprise")

    settings.filepath = str(photo)
    monkeypatch.setattr(build_operators, "work", fail)
    with pytest.raises(RuntimeError, match="KeyError") as caught:
        bpy.ops.depthbridge.build()
    assert "Traceback" not in str(caught.value) and "Traceback" in capfd.readouterr().err
