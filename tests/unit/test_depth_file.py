# SPDX-License-Identifier: Apache-2.0
"""Depth of other programs is read as what it is, what was assumed is said, and what is no depth is refused in one sentence."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.depth_file import DepthMeaning, read_depth_file
from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.engines.errors import DepthbridgeError, ImageError
from depthbridge.engines.export.exr import write_exr
from depthbridge.engines.export.npz import write_npz
from depthbridge.engines.export.png16 import write_png16
from support.exr_files import write_channels, write_parts

RAMP = np.linspace(1, 9, 48, dtype=np.float32).reshape(6, 8)
CAMERA = CameraIntrinsics(9, 11, 3.5, 3.25, 8, 6)


def known(kind: DepthKind = DepthKind.METRIC) -> DepthMap:
    valid = np.ones((6, 8), bool)
    valid[2, 3] = False
    return DepthMap(RAMP.copy(), kind, valid, None, None, CAMERA, "oracle", CameraSource.EXIF, scale_note="Give --fov-v.")


def refusal(path: Path, meaning: DepthMeaning = DepthMeaning.AUTO) -> str:
    with pytest.raises(ImageError) as caught:
        read_depth_file(path, meaning)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def picture(path: Path, pixels: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


# ---- our own --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(DepthKind))
@pytest.mark.parametrize("name", ["map.npz", "map.exr", "map_depth16.png"])
def test_our_own_files_know_what_they_are(kind: DepthKind, name: str, tmp_path: Path) -> None:
    before = known(kind)
    write = {".npz": write_npz, ".exr": write_exr, ".png": write_png16}[Path(name).suffix]
    write(tmp_path / name, before)
    back = read_depth_file(tmp_path / name)
    assert (back.kind, back.camera, back.camera_source, back.model_id) == (kind, CAMERA, CameraSource.EXIF, "oracle")
    assert np.array_equal(back.valid, before.valid)
    assert back.values[back.valid] == pytest.approx(before.values[before.valid], rel=1e-4)


def test_our_own_files_are_believed_before_the_user_and_say_so(tmp_path: Path) -> None:
    write_exr(tmp_path / "map.exr", known(DepthKind.DISPARITY))
    assert read_depth_file(tmp_path / "map.exr", DepthMeaning.DISPARITY).scale_note == "Give --fov-v."
    back = read_depth_file(tmp_path / "map.exr", DepthMeaning.METRES)
    assert back.kind is DepthKind.DISPARITY
    assert "holds disparity; metres was not used" in (back.scale_note or "")
    write_npz(tmp_path / "map.npz", known())
    back = read_depth_file(tmp_path / "map.npz", DepthMeaning.MILLIMETRES)
    assert np.array_equal(back.values[back.valid], known().values[back.valid]), "metres stay metres"
    assert "millimetres was not used" in (back.scale_note or "")


def test_npz_keeps_sky_and_confidence(tmp_path: Path) -> None:
    before = replace(known(), sky=RAMP / 9, confidence=RAMP + 1)
    write_npz(tmp_path / "map.npz", before)
    back = read_depth_file(tmp_path / "map.npz")
    assert np.array_equal(back.sky, before.sky) and np.array_equal(back.confidence, before.confidence)  # type: ignore[arg-type]


def test_what_an_exr_says_of_itself_is_read_by_nobody_else_but_kept_whole(tmp_path: Path) -> None:
    """The text in the header moves every block of pixels; OpenCV, which knows nothing of it, finds them all."""
    for height in (1, 15, 16, 17, 200):
        values = np.random.default_rng(height).uniform(1, 9, (height, 30)).astype(np.float32)
        write_exr(tmp_path / f"{height}.exr", DepthMap.exact(values, CameraIntrinsics.assumed(30, height), "ü" * height))
        decoded = cv2.imdecode(np.fromfile(tmp_path / f"{height}.exr", np.uint8), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(decoded, values)
        assert read_depth_file(tmp_path / f"{height}.exr").model_id == "ü" * height


@pytest.mark.parametrize("text", ["{}", "no JSON", '{"kind": "furlongs"}', "[]"])
def test_an_exr_whose_own_words_are_damaged_is_refused(text: str, tmp_path: Path) -> None:
    from depthbridge.engines.export.exr_parts import ExrLayout

    write_channels(tmp_path / "map.exr", {"Y": RAMP})
    (tmp_path / "map.exr").write_bytes(ExrLayout((tmp_path / "map.exr").read_bytes()).with_text("depthbridge", text))
    assert "header" in refusal(tmp_path / "map.exr")


def test_a_png_whose_sidecar_is_ours_is_not_read_without_it(tmp_path: Path) -> None:
    write_png16(tmp_path / "map.png", known())
    sidecar = tmp_path / "map.json"
    data = json.loads(sidecar.read_text())
    del data["offset"]
    sidecar.write_text(json.dumps(data))
    with pytest.raises(ImageError, match=r"map\.json is incomplete"):
        read_depth_file(tmp_path / "map.png")
    sidecar.write_text('{"format": "somebody else\'s"}')
    assert read_depth_file(tmp_path / "map.png").kind is DepthKind.DISPARITY


# ---- OpenEXR --------------------------------------------------------------------------------------------------------

NOISE = {name: np.full((6, 8), value, np.float32) for name, value in (("a", 1), ("b", 2), ("c", 3))}


@pytest.mark.parametrize(
    ("depth_name", "others"),
    [
        ("Y", []),
        ("V", []),
        ("Z", []),
        ("depth.V", []),
        ("R", []),
        ("a name of a renderer, longer than thirty-one letters", []),
        ("Z", ["R", "G", "B", "A"]),
        ("Z", ["A", "Y"]),
        ("depth", ["R", "G", "B"]),
        ("Depth", ["albedo", "zzz"]),
        ("ViewLayer.Depth.Z", ["ViewLayer.Combined.R", "ViewLayer.Combined.A", "ViewLayer.Mist.Z", "ViewLayer.Normal.X", "ViewLayer.Normal.Y", "ViewLayer.Normal.Z"]),
        ("ViewLayer.Depth.Z", ["ViewLayer.Denoising Depth.Z", "ViewLayer.Position.X", "ViewLayer.Position.Y", "ViewLayer.Position.Z"]),
        ("ViewLayer.Depth.V", ["Composite.Combined.R", "Composite.Combined.G"]),
        ("Denoising Depth.Z", ["Mist.Z", "R"]),
        ("depth.R", ["beauty.R"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_channel_that_is_depth_is_found_among_the_others(depth_name: str, others: list[str], dtype: type, tmp_path: Path) -> None:
    channels = {name: np.full((6, 8), 100 + place, np.float32) for place, name in enumerate(others)}
    path = write_channels(tmp_path / "theirs.exr", {**channels, depth_name: RAMP.astype(dtype)})
    back = read_depth_file(path)
    assert np.array_equal(back.values, RAMP.astype(dtype).astype(np.float32))
    assert back.kind is DepthKind.METRIC and back.camera is None and back.valid.all()
    assert repr(depth_name) in (back.scale_note or "") and "metres" in (back.scale_note or "")
    assert ("half" in (back.scale_note or "")) == (dtype is np.float16)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40), max_size=8, unique=True))
@settings(max_examples=60, deadline=None)
def test_no_name_of_another_channel_gets_in_the_way(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    from depthbridge.engines.export.exr import depth_channel
    from depthbridge.engines.export.exr_parts import ExrLayout

    channels = {name: np.full((6, 8), 100 + place, np.float32) for place, name in enumerate(names)}
    channels = {**channels, "ViewLayer.Depth.Z": RAMP} if "ViewLayer.Depth.X" not in names else channels
    path = write_channels(tmp_path_factory.mktemp("exr") / "theirs.exr", channels)
    chosen = depth_channel(ExrLayout(path.read_bytes()).channels)
    assert chosen is not None
    if chosen.name == "ViewLayer.Depth.Z":
        assert np.array_equal(read_depth_file(path).values, RAMP)


def test_three_equal_colours_are_one_depth_and_three_different_none(tmp_path: Path) -> None:
    path = write_channels(tmp_path / "grey.exr", {"R": RAMP, "G": RAMP, "B": RAMP, "A": np.ones_like(RAMP)})
    assert np.array_equal(read_depth_file(path).values, RAMP)
    other = RAMP.copy()
    other[5, 7] += 1e-3
    for wrong in ("G", "B"):
        path = write_channels(tmp_path / "colour.exr", {**dict.fromkeys("RGB", RAMP), wrong: other})
        assert "no channel that is depth (it has B, G, R)" in refusal(path)
    normals = {"N.X": RAMP, "N.Y": RAMP, "N.Z": RAMP}
    assert "no channel" in refusal(write_channels(tmp_path / "normals.exr", normals))
    assert "no channel" in refusal(write_channels(tmp_path / "position.exr", {"X": RAMP, "Y": RAMP, "Z": RAMP}))


def test_backgrounds_are_not_depth(tmp_path: Path) -> None:
    values = RAMP.copy()
    values.ravel()[:7] = (0, np.inf, np.nan, 1e10, -1, 3.4e38, -np.inf)
    back = read_depth_file(write_channels(tmp_path / "cycles.exr", {"Z": values}))
    assert np.array_equal(back.valid.ravel(), [False] * 7 + [True] * 41)
    assert np.isfinite(back.values).all()
    half = RAMP.astype(np.float16)
    half[0, :2] = (65504, np.inf)
    back = read_depth_file(write_channels(tmp_path / "half.exr", {"Z": half}))
    assert not back.valid[0, :2].any() and back.valid.sum() == 46
    nothing = np.full((6, 8), 1e10, np.float32)
    assert "not one pixel with a depth" in refusal(write_channels(tmp_path / "nothing.exr", {"Z": nothing}))


@pytest.mark.parametrize(
    ("meaning", "kind", "factor"),
    [
        (DepthMeaning.METRES, DepthKind.METRIC, 1.0),
        (DepthMeaning.MILLIMETRES, DepthKind.METRIC, 1e-3),
        (DepthMeaning.RELATIVE, DepthKind.RELATIVE, 1.0),
        (DepthMeaning.DISPARITY, DepthKind.DISPARITY, 1.0),
    ],
)
def test_an_exr_means_what_it_is_said_to_mean(meaning: DepthMeaning, kind: DepthKind, factor: float, tmp_path: Path) -> None:
    back = read_depth_file(write_channels(tmp_path / "theirs.exr", {"Z": RAMP}), meaning)
    assert back.kind is kind
    assert back.values == pytest.approx(RAMP * factor, rel=1e-6)
    assert back.scale_note is None, "nothing was assumed"


def test_depth_in_a_part_of_its_own_is_found(tmp_path: Path) -> None:
    """Blender 5 and Nuke write a part for each pass: with the pass in the channel's name, or in the part's alone."""
    small = np.ones((3, 5), np.float32)
    colours = {f"ViewLayer.Combined.{name}": RAMP + place for place, name in enumerate("RGBA")}
    blender = {"ViewLayer.Combined": colours, "ViewLayer.Depth": {"ViewLayer.Depth.Z": RAMP}, "ViewLayer.Mist": {"ViewLayer.Mist.Z": RAMP + 9}}
    nuke = {"rgba": {name: small for name in "RGBA"}, "depth": {"Z": RAMP}, "normal": {name: small for name in "XYZ"}}
    for parts, name in ((blender, "ViewLayer.Depth.Z"), (dict(reversed(blender.items())), "ViewLayer.Depth.Z"), (nuke, "depth.Z")):
        back = read_depth_file(write_parts(tmp_path / "parts.exr", parts))
        assert np.array_equal(back.values, RAMP) and repr(name) in (back.scale_note or "")
    assert "rgba.R" in refusal(write_parts(tmp_path / "none.exr", {"rgba": nuke["rgba"], "normal": nuke["normal"]}))


def test_damaged_and_unusual_exr_files_are_refused(tmp_path: Path) -> None:
    assert "deep" in refusal(write_channels(tmp_path / "deep.exr", {"Z": RAMP}, flags=0x800))
    random = np.random.default_rng(3)
    for path in (
        write_channels(tmp_path / "one.exr", {"Z": RAMP, "A": RAMP}),
        write_parts(tmp_path / "parts.exr", {"a": {"A": RAMP}, "d": {"Z": RAMP}}),
    ):
        whole = path.read_bytes()
        for length in (*range(4, len(whole) - 600, 7), len(whole) - 300, len(whole) - 100, len(whole) - 1):
            path.write_bytes(whole[:length])
            refusal(path)
        for _ in range(300):
            damaged = bytearray(whole)
            for place in random.integers(4, len(whole) - 600, 3):
                damaged[place] = random.integers(256)
            path.write_bytes(bytes(damaged))
            with contextlib.suppress(ImageError):
                read_depth_file(path)


def test_a_table_that_names_one_block_again_and_again_fills_no_memory(tmp_path: Path) -> None:
    path = write_channels(tmp_path / "bomb.exr", {"Z": np.ones((2000, 2), np.float32)})
    content = bytearray(path.read_bytes())
    first = content.index(np.array([0, 8], "<i4").tobytes(), 300)
    table = first - 8 * 2000
    content[table:first] = np.full(2000, len(content), "<u8").tobytes()
    path.write_bytes(content + np.array([0, 2**20], "<i4").tobytes() + bytes(2**20))
    assert "table of offsets" in refusal(path)


def test_an_exr_that_says_it_is_huge_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = write_channels(tmp_path / "huge.exr", {"Z": RAMP})
    window = np.array([0, 0, 7, 5], "<i4").tobytes()
    path.write_bytes(path.read_bytes().replace(window, np.array([0, 0, 99_999, 99_999], "<i4").tobytes()))
    assert "100000x100000" in refusal(path)


# ---- pictures -------------------------------------------------------------------------------------------------------

CODES = np.linspace(0, 65535, 48).astype(np.uint16).reshape(6, 8)


def test_a_16_bit_picture_is_disparity_unless_said_otherwise(tmp_path: Path) -> None:
    for name in ("theirs.png", "theirs.tif"):
        path = picture(tmp_path / name, CODES)
        back = read_depth_file(path)
        assert back.kind is DepthKind.DISPARITY and back.model_id == name
        assert back.values == pytest.approx(CODES / 65535, abs=1e-7)
        assert back.valid.all(), "black is infinitely far"
        assert "near is bright" in (back.scale_note or "") and "millimetres" not in (back.scale_note or "")
        metres = read_depth_file(path, DepthMeaning.MILLIMETRES)
        assert metres.kind is DepthKind.METRIC
        assert metres.values == pytest.approx(CODES / 1000, rel=1e-6)
        assert metres.valid.sum() == 47 and not metres.valid[0, 0] and metres.scale_note is None
        relative = read_depth_file(path, DepthMeaning.RELATIVE)
        assert relative.kind is DepthKind.RELATIVE and relative.values == pytest.approx(CODES / 65535, abs=1e-7)
        assert np.array_equal(read_depth_file(path, DepthMeaning.METRES).values, CODES)


def test_what_looks_like_millimetres_is_pointed_out_and_not_guessed(tmp_path: Path) -> None:
    """One frame of a film may reach 20 metres where another does not: the kind must not change between them."""
    room = np.where(CODES % 5 == 0, 0, 700 + CODES // 10).astype(np.uint16)
    back = read_depth_file(picture(tmp_path / "kinect.png", room))
    assert back.kind is DepthKind.DISPARITY
    assert f"up to {room.max()}, look like the millimetres" in (back.scale_note or "")


def test_8_bits_are_taken_with_a_warning(tmp_path: Path) -> None:
    grey = (CODES // 257).astype(np.uint8)
    big = np.kron(grey, np.ones((16, 16), np.uint8))  # JPEG's blocks
    for name, pixels, error in (
        ("grey.png", grey, 0.0),
        ("three.png", np.repeat(grey[..., None], 3, axis=2), 0.0),
        ("grey.jpg", big, 0.02),
        ("three.jpg", np.repeat(big[..., None], 3, axis=2), 0.02),
    ):
        back = read_depth_file(picture(tmp_path / name, pixels))
        assert back.kind is DepthKind.DISPARITY and "8 bits" in (back.scale_note or "")
        flat = pixels if pixels.ndim == 2 else pixels[..., 0]
        assert np.abs(back.values - flat / 255).max() <= error + 1e-6
    assert "8 bits" in (read_depth_file(tmp_path / "grey.png", DepthMeaning.RELATIVE).scale_note or "")


def test_the_transparent_has_no_depth(tmp_path: Path) -> None:
    alpha = np.where(CODES > 30000, 65535, 0).astype(np.uint16)
    back = read_depth_file(picture(tmp_path / "cut.png", np.dstack([CODES, CODES, CODES, alpha])))
    assert np.array_equal(back.valid, alpha > 0)


def test_floating_point_tiff_is_metres(tmp_path: Path) -> None:
    back = read_depth_file(picture(tmp_path / "theirs.tiff", RAMP))
    assert back.kind is DepthKind.METRIC and np.array_equal(back.values, RAMP) and "metres" in (back.scale_note or "")


def test_pictures_that_are_no_depth_are_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    assert "in colours" in refusal(picture(tmp_path / "photo.png", random.integers(0, 256, (60, 80, 3), dtype=np.uint8)))
    painted = cv2.applyColorMap(np.kron(CODES // 257, np.ones((8, 8))).astype(np.uint8), cv2.COLORMAP_INFERNO)
    assert "in colours" in refusal(picture(tmp_path / "painted.jpg", painted))
    assert "not one pixel" in refusal(picture(tmp_path / "black.png", np.zeros((6, 8), np.uint16)))
    whole = picture(tmp_path / "whole.png", CODES).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "head.png").write_bytes(whole[:20])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_bytes(b"no picture at all")
    for name in ("half.png", "head.png", "empty.png", "text.png", "missing.png", ""):
        refusal(tmp_path / name)
    huge = bytearray(whole)
    huge[16:24] = (100_000).to_bytes(4, "big") * 2
    (tmp_path / "huge.png").write_bytes(huge)
    assert "100000x100000" in refusal(tmp_path / "huge.png")


# ---- NumPy ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "kind", "factor", "words"),
    [
        ({"depth": RAMP}, DepthKind.METRIC, 1, "'depth'"),
        ({"depth": RAMP[None, :, :, None]}, DepthKind.METRIC, 1, "metres"),
        ({"depth": RAMP.astype(np.float64), "rgb": np.zeros((6, 8, 3))}, DepthKind.METRIC, 1, "metres"),
        ({"depth": RAMP, "conf": RAMP * 2, "normal_z": RAMP}, DepthKind.METRIC, 1, "'depth'"),
        ({"disparity": RAMP}, DepthKind.DISPARITY, 1, "'disparity'"),
        ({"inverse_depth": RAMP}, DepthKind.DISPARITY, 1, "'inverse_depth'"),
        ({"disp": RAMP, "image": RAMP}, DepthKind.DISPARITY, 1, "'disp'"),
        ({"my_depth_prediction": RAMP, "image": RAMP}, DepthKind.METRIC, 1, "'my_depth_prediction'"),
        ({"arr_0": RAMP}, DepthKind.METRIC, 1, "'arr_0'"),
        ({"arr_0": RAMP, "K": CAMERA.matrix}, DepthKind.METRIC, 1, "'arr_0'"),
        ({"depth": (RAMP * 1000).astype(np.uint16)}, DepthKind.METRIC, 1, "millimetres"),
        ({"depth": (RAMP * 20).astype(np.uint8)}, DepthKind.DISPARITY, 20 / 255, "8 bits"),
    ],
)  # fmt: skip
def test_the_array_that_is_depth_is_found(entries: dict[str, np.ndarray], kind: DepthKind, factor: float, words: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "theirs.npz", **entries)
    back = read_depth_file(tmp_path / "theirs.npz")
    assert back.kind is kind and back.values.dtype == np.float32
    assert back.values == pytest.approx(RAMP * factor, abs=1e-3 if "depth" in entries and entries["depth"].dtype.kind == "u" else 1e-6, rel=6e-2 if factor < 1 else 1e-6)
    assert words in (back.scale_note or "")


def test_an_npy_file_goes_by_its_own_name(tmp_path: Path) -> None:
    np.save(tmp_path / "disparity.npy", RAMP)
    np.save(tmp_path / "frame_0001.npy", RAMP)
    assert read_depth_file(tmp_path / "disparity.npy").kind is DepthKind.DISPARITY
    assert read_depth_file(tmp_path / "frame_0001.npy").kind is DepthKind.METRIC
    assert read_depth_file(tmp_path / "frame_0001.npy", DepthMeaning.DISPARITY).kind is DepthKind.DISPARITY


def test_camera_validity_and_confidence_come_along_when_they_fit(tmp_path: Path) -> None:
    path = tmp_path / "theirs.npz"
    mask = RAMP > 3
    np.savez(path, depth=RAMP[None], conf=RAMP[None] * 2, intrinsics=CAMERA.matrix[None].astype(np.float32), valid=mask)
    back = read_depth_file(path)
    assert back.camera == CAMERA and back.camera_source is CameraSource.GIVEN
    assert np.array_equal(back.valid, mask) and np.array_equal(back.confidence, RAMP * 2)  # type: ignore[arg-type]
    for wrong in (CameraIntrinsics(900, 900, 640, 360, 1280, 720).matrix, np.diag([1.1, 1.1, 1]) * [0, 1, 1], np.full((3, 3), np.nan)):
        np.savez(path, depth=RAMP, K=wrong, conf=RAMP[:3])
        back = read_depth_file(path)
        assert back.camera is None and back.confidence is None and "'K' is no camera of a 8x6" in (back.scale_note or "")


def test_arrays_that_do_not_tell_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs.npz"
    for entries, words in (
        ({"a": RAMP, "b": RAMP}, "a (6, 8), b (6, 8)"),
        ({"depth": np.ones((5, 6, 8), np.float32)}, "depth (5, 6, 8)"),
        ({"depth": RAMP, "depth_map": RAMP}, "several maps (depth, depth_map)"),
        ({"K": CAMERA.matrix}, "K (3, 3)"),
        ({}, "nothing"),
        ({"depth": np.array([["a", "b"], ["c", "d"]])}, "depth (2, 2)"),
        ({"depth": RAMP.astype(complex)}, "depth (6, 8)"),
        ({"depth": np.zeros((6, 8), np.float32)}, "not one pixel"),
        ({"depth": np.array([{}, {}], dtype=object)}, "no readable"),
    ):
        np.savez(path, **entries)
        assert words in refusal(path)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    assert "plain numbers" in refusal(tmp_path / "objects.npy")
    np.save(tmp_path / "cut.npy", RAMP)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:-20])
    assert "no readable" in refusal(tmp_path / "cut.npy")


# ---- all of them ----------------------------------------------------------------------------------------------------


def test_the_content_counts_and_not_the_name(tmp_path: Path) -> None:
    write_npz(tmp_path / "map.npz", known())
    (tmp_path / "map.npz").rename(tmp_path / "map.exr")
    assert read_depth_file(tmp_path / "map.exr").model_id == "oracle"


@given(st.binary(min_size=0, max_size=200), st.sampled_from([b"", b"PK\x03\x04", b"\x93NUMPY", b"v/1\x01\x02\0\0\0", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0"]))
@settings(max_examples=150, deadline=None)
def test_random_bytes_are_refused_in_one_sentence(tmp_path_factory: pytest.TempPathFactory, tail: bytes, head: bytes) -> None:
    path = tmp_path_factory.mktemp("junk") / "junk.bin"
    path.write_bytes(head + tail)
    with pytest.raises(DepthbridgeError) as caught:
        read_depth_file(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
