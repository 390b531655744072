# SPDX-License-Identifier: Apache-2.0
"""Maps survive the way to a file and back: npz and EXR exactly, 16-bit PNG within its derived error; the preview says what it shows."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.engines.errors import CameraError, DepthKindError, ImageError, OutputError
from depthbridge.engines.export.exr import read_exr, write_exr
from depthbridge.engines.export.npz import read_npz, write_npz
from depthbridge.engines.export.png16 import CodeMap, read_png16, sidecar_path, write_png16
from depthbridge.engines.export.preview import MAX_SIDE, ColorScale, color_map, write_preview


@st.composite
def depth_maps(draw: st.DrawFn) -> DepthMap:
    """Maps of every kind, with and without each optional part; what is not valid may hold anything."""
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(list(DepthKind)))
    spread = draw(st.sampled_from([0.0, 1.0, 6.0]))
    values = np.exp(random.uniform(-spread, spread, (height, width))).astype(np.float32)
    if kind is DepthKind.DISPARITY:
        values[random.random((height, width)) < 0.2] = 0
    valid = random.random((height, width)) < draw(st.sampled_from([0.0, 0.7, 1.0]))
    values[~valid] = random.choice(np.array([np.nan, np.inf, -1, 0, 7], np.float32), int((~valid).sum()))

    def layer(present: bool) -> np.ndarray | None:
        return random.uniform(0, 2, (height, width)).astype(np.float32) if present else None

    camera = CameraIntrinsics(*random.uniform(5, 50, 4), width, height) if draw(st.booleans()) else None
    return DepthMap(
        values=values,
        kind=kind,
        valid=valid,
        sky=layer(draw(st.booleans())),
        confidence=layer(draw(st.booleans())),
        camera=camera,
        model_id=draw(st.text(max_size=12).filter(lambda text: "\0" not in text)),
        camera_source=draw(st.sampled_from(list(CameraSource))),
        extrinsics=random.normal(size=(3, 4)) if draw(st.booleans()) else None,
        focal_px=draw(st.none() | st.floats(1, 1e4)),
        scale_note=draw(st.none() | st.just("Give --fov-v.")),
    )


def _plain(kind: DepthKind = DepthKind.METRIC, width: int = 8, height: int = 6) -> DepthMap:
    values = np.linspace(1, 9, width * height, dtype=np.float32).reshape(height, width)
    camera = CameraIntrinsics.from_vertical_fov(50, width, height)
    return DepthMap(values, kind, np.ones((height, width), bool), None, None, camera, "oracle", CameraSource.GIVEN)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---- npz ----------------------------------------------------------------------------------------------------------


@given(depth_maps())
@settings(max_examples=60, deadline=None)
def test_npz_returns_every_part_exactly(tmp_path_factory: pytest.TempPathFactory, depth: DepthMap) -> None:
    path = tmp_path_factory.mktemp("npz") / "map.npz"
    write_npz(path, depth)
    back = read_npz(path)
    for field in fields(DepthMap):
        before, after = getattr(depth, field.name), getattr(back, field.name)
        if isinstance(before, np.ndarray):
            assert isinstance(after, np.ndarray) and before.dtype == after.dtype, field.name
            assert np.array_equal(before, after, equal_nan=before.dtype.kind == "f"), field.name
        else:
            assert before == after, field.name


def test_npz_has_the_documented_keys(tmp_path: Path) -> None:
    write_npz(tmp_path / "map.npz", replace(_plain(), confidence=np.ones((6, 8), np.float32)))
    with np.load(tmp_path / "map.npz", allow_pickle=False) as archive:
        documented = {"depth", "valid", "sky", "has_sky", "confidence", "K", "kind", "unit", "model", "camera_source"}
        assert set(archive.files) == documented
        assert str(archive["kind"]) == "metric" and str(archive["unit"]) == "m" and str(archive["camera_source"]) == "given"
        assert np.array_equal(archive["K"], _plain().camera.matrix)  # type: ignore[union-attr]
        assert archive["depth"].dtype == np.float32 and archive["valid"].dtype == bool and archive["sky"].shape == (6, 8)


def test_npz_of_another_program_needs_only_depth_and_kind(tmp_path: Path) -> None:
    values = np.array([[1.0, np.nan, 3.0], [0.0, -2.0, np.inf]])
    np.savez(tmp_path / "theirs.npz", depth=values, kind="relative")
    back = read_npz(tmp_path / "theirs.npz")
    assert back.values.dtype == np.float32 and back.kind is DepthKind.RELATIVE and back.camera is None
    assert np.array_equal(back.valid, [[True, False, True], [False, False, False]])


def test_npz_refuses_what_is_none(tmp_path: Path) -> None:
    good: dict[str, object] = {"depth": np.ones((2, 3), np.float32), "kind": "metric"}
    cases: list[tuple[dict[str, object], str]] = [
        ({"depth": np.ones((2, 3, 1))}, "depth"),
        ({"depth": np.array([["a"]])}, "depth"),
        ({"kind": "furlongs"}, "furlongs"),
        ({"valid": np.ones((3, 2), bool)}, "valid"),
        ({"valid": np.ones((2, 3))}, "valid"),
        ({"depth": np.full((2, 3), np.nan), "valid": np.ones((2, 3), bool)}, "valid"),
        ({"depth": np.zeros((2, 3)), "valid": np.ones((2, 3), bool)}, "valid"),
        ({"sky": np.ones((3, 3))}, "sky"),
        ({"extrinsics": np.eye(4)}, "extrinsics"),
        ({"camera_source": "hearsay"}, "camera_source"),
        ({"depth": np.array([{"a": 1}], dtype=object)}, "no readable"),
    ]
    for change, words in cases:
        path = tmp_path / "map.npz"
        np.savez(path, **{**good, **change})  # type: ignore[arg-type]
        with pytest.raises(ImageError, match=words) as caught:
            read_npz(path)
        assert str(path) in str(caught.value)
    np.savez(path, **{**good, "K": np.diag([-1.0, 1, 1])})  # type: ignore[arg-type]
    with pytest.raises(CameraError):
        read_npz(path)
    np.savez(path, kind="metric")
    with pytest.raises(ImageError, match="no entry 'depth'"):
        read_npz(path)


def test_npz_refuses_damaged_files(tmp_path: Path) -> None:
    write_npz(tmp_path / "map.npz", _plain(width=80, height=60))
    whole = (tmp_path / "map.npz").read_bytes()
    path = tmp_path / "broken.npz"
    for content in (b"", b"PK", whole[: len(whole) // 2], b"no archive at all", whole[:200] + bytes(40) + whole[240:]):
        path.write_bytes(content)
        with pytest.raises(ImageError):
            read_npz(path)
    np.save(tmp_path / "single.npy", np.ones(3))
    for bad, words in ((tmp_path / "missing.npz", "does not exist"), (tmp_path, "folder"), (tmp_path / "single.npy", "no readable .npz")):
        with pytest.raises(ImageError, match=words):
            read_npz(bad)


def test_npz_that_would_unpack_to_a_full_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez(path, depth=np.ones((2, 3), np.float32), kind="metric")
    data = bytearray(path.read_bytes())
    # The directory of the archive says 2.5 GB of each of the two entries.
    start = -1
    for _ in range(2):
        start = data.index(b"PK\x01\x02", start + 1)
        struct.pack_into("<I", data, start + 24, 2_500_000_000)
    path.write_bytes(data)
    with zipfile.ZipFile(path) as archive:
        assert sum(entry.file_size for entry in archive.infolist()) == 5_000_000_000
    with pytest.raises(ImageError, match="unpacks to more than"):
        read_npz(path)


# ---- 16-bit PNG ---------------------------------------------------------------------------------------------------


@given(depth_maps())
@settings(max_examples=80, deadline=None)
def test_png16_comes_back_within_half_a_step(tmp_path_factory: pytest.TempPathFactory, depth: DepthMap) -> None:
    path = tmp_path_factory.mktemp("png16") / "map_depth16.png"
    write_png16(path, depth)
    back = read_png16(path)
    assert np.array_equal(back.valid, depth.valid) and np.all(back.values[~depth.valid] == 0)
    assert (back.kind, back.camera, back.camera_source, back.model_id) == (
        depth.kind,
        depth.camera,
        depth.camera_source,
        depth.model_id,
    )
    scale = json.loads(sidecar_path(path).read_text())["scale"]
    before, after = depth.values[depth.valid].astype(np.float64), back.values[depth.valid].astype(np.float64)
    # Half a step of the quantity; a float32 has 24 bits.
    bound = scale / 2 if depth.kind is DepthKind.DISPARITY else before * after * scale / 2
    assert np.all(np.abs(after - before) <= bound + 2.0**-22 * np.maximum(before, after))


@pytest.mark.parametrize("kind", list(DepthKind))
def test_png16_is_bright_where_near_and_zero_where_nothing_is(kind: DepthKind, tmp_path: Path) -> None:
    depth = replace(_plain(kind), valid=_plain().values < 8)
    write_png16(tmp_path / "x.png", depth)
    codes = np.asarray(Image.open(tmp_path / "x.png"))
    assert codes.dtype == np.uint16
    assert np.all(codes[~depth.valid] == 0)
    seen = codes[depth.valid].astype(int)
    assert seen.min() == 1 and seen.max() == 65535, "the whole range is used"
    # The values of the map rise: disparity gets nearer, depth farther.
    assert np.all(np.diff(seen) > 0) if kind is DepthKind.DISPARITY else np.all(np.diff(seen) < 0)


def test_png16_formula_of_the_sidecar_is_the_mapping(tmp_path: Path) -> None:
    """A reader that knows nothing but the JSON text gets the values."""
    for kind in DepthKind:
        path = tmp_path / f"{kind}.png"
        write_png16(path, _plain(kind))
        sidecar = json.loads(sidecar_path(path).read_text())
        codes = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.float64)
        formula = sidecar["formula"].split("=")[1].split(";")[0]
        value = eval(formula, {"offset": sidecar["offset"], "scale": sidecar["scale"], "code": codes})
        assert np.allclose(value, _plain(kind).values, rtol=1e-3)
        assert sidecar["kind"] == kind.value and sidecar["unit"] == kind.unit


def test_png16_both_files_or_neither(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    for taken in (path, sidecar_path(path)):
        taken.write_bytes(b"mine")
        with pytest.raises(OutputError, match="exists already"):
            write_png16(path, _plain())
        assert _names(tmp_path) == [taken.name] and taken.read_bytes() == b"mine"
        taken.unlink()
    sidecar_path(path).write_bytes(b"old")
    write_png16(path, _plain(), overwrite=True)
    assert _names(tmp_path) == ["x.json", "x.png"]
    assert np.allclose(read_png16(path).values, _plain().values, rtol=1e-4)


def test_png16_refuses_what_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    write_png16(path, _plain())
    text = sidecar_path(path).read_text()
    good = json.loads(text)
    for change in (
        {"format": "other"},
        {"version": 2},
        {"kind": "furlongs"},
        {"scale": None},
        {"scale": -1},
        {"offset": 0},
        {"offset": float("nan")},
        {"camera": {"fx": -1, "width": 8, "height": 6}},
        {"camera": CameraIntrinsics.from_vertical_fov(50, 4, 4).to_json()},
    ):
        sidecar_path(path).write_text(json.dumps({**good, **change}))
        with pytest.raises(ImageError):
            read_png16(path)
    for broken in ("", "[]", "{", "\xff"):
        sidecar_path(path).write_text(broken, encoding="latin-1")
        with pytest.raises(ImageError):
            read_png16(path)
    sidecar_path(path).unlink()
    with pytest.raises(ImageError, match="missing"):
        read_png16(path)
    sidecar_path(path).write_text(text)
    Image.new("L", (8, 6)).save(path)
    with pytest.raises(ImageError, match="16-bit"):
        read_png16(path)
    path.write_bytes(b"")
    with pytest.raises(ImageError):
        read_png16(path)


def test_png16_refuses_a_map_that_contradicts_itself() -> None:
    with pytest.raises(DepthKindError, match="valid"):
        CodeMap.for_map(replace(_plain(), values=np.zeros((6, 8), np.float32)))


# ---- EXR ----------------------------------------------------------------------------------------------------------


@given(depth_maps())
@settings(max_examples=40, deadline=None)
def test_exr_returns_the_valid_values_exactly(tmp_path_factory: pytest.TempPathFactory, depth: DepthMap) -> None:
    path = tmp_path_factory.mktemp("exr") / "map.exr"
    write_exr(path, depth)
    back = read_exr(path)
    assert back.dtype == np.float32
    assert np.array_equal(back, np.where(depth.valid, depth.values, 0))


def test_exr_is_float_and_zip_compressed(tmp_path: Path) -> None:
    flat = replace(_plain(width=640, height=480), values=np.full((480, 640), 2.5, np.float32))
    write_exr(tmp_path / "map.exr", flat)
    data = (tmp_path / "map.exr").read_bytes()
    # Attribute layout of the OpenEXR file format: name, type, size, value; pixel type 2 is FLOAT, compression 3 is ZIP.
    assert b"channels\0chlist\0\x13\0\0\0Y\0\x02\0\0\0" in data
    assert b"compression\0compression\0\x01\0\0\0\x03" in data
    assert len(data) < 640 * 480


def test_exr_works_in_a_process_that_imported_opencv_long_ago(tmp_path: Path) -> None:
    program = (
        "import cv2, sys; from pathlib import Path; import numpy as np\n"
        "cv2.imencode('.png', np.zeros((4, 4), np.uint8))\n"
        "from depthbridge.engines.depth_map import DepthKind, DepthMap\n"
        "from depthbridge.engines.errors import OutputError\n"
        "from depthbridge.engines.export.exr import write_exr\n"
        "m = DepthMap(np.ones((4, 5), np.float32), DepthKind.METRIC, np.ones((4, 5), bool), None, None, None, 'm')\n"
        "try: write_exr(Path(sys.argv[1]), m)\n"
        "except OutputError as error: print(error)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENCV_IO_ENABLE_OPENEXR"}
    command = [sys.executable, "-c", program, str(tmp_path / "map.exr")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "" and np.array_equal(read_exr(tmp_path / "map.exr"), np.ones((4, 5)))

    (tmp_path / "map.exr").unlink()
    done = subprocess.run(command, env={**environment, "OPENCV_IO_ENABLE_OPENEXR": "0"}, capture_output=True, text=True, check=True)
    assert "switched off" in done.stdout and "OPENCV_IO_ENABLE_OPENEXR=1" in done.stdout
    assert _names(tmp_path) == []


def test_exr_refuses_what_is_none(tmp_path: Path) -> None:
    (tmp_path / "text.exr").write_text("no picture")
    (tmp_path / "empty.exr").write_bytes(b"")
    Image.new("L", (4, 4)).save(tmp_path / "grey.png")
    write_exr(tmp_path / "whole.exr", _plain())
    (tmp_path / "half.exr").write_bytes((tmp_path / "whole.exr").read_bytes()[:200])
    for name in ("text.exr", "empty.exr", "grey.png", "half.exr", "missing.exr"):
        with pytest.raises(ImageError):
            read_exr(tmp_path / name)


# ---- preview ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(DepthKind))
def test_preview_is_bright_where_near(kind: DepthKind) -> None:
    depth = _plain(kind, 40, 30)
    lightness = cv2.cvtColor(color_map(depth), cv2.COLOR_RGB2LAB)[..., 0].astype(int).ravel()
    first, last = lightness[:40].mean(), lightness[-40:].mean()
    assert (last - first if kind is DepthKind.DISPARITY else first - last) > 150


@given(depth_maps(), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_preview_labels_are_the_inverse_of_its_colours(depth: DepthMap, place: float) -> None:
    scale = ColorScale.for_map(depth)
    assert (scale is None) == (not depth.valid.any())
    if scale is not None and scale.near > scale.far * (1 + 1e-6) + 1e-6:
        value = np.array([scale.value_at(place)])
        assert scale.place(value)[0] == pytest.approx(place, abs=1e-9)


def test_preview_takes_percentiles_2_and_98_of_the_inverse() -> None:
    depth = _plain(DepthKind.METRIC, 50, 40)
    scale = ColorScale.for_map(depth)
    assert scale is not None
    inverse = np.sort(1 / depth.values.astype(np.float64).ravel())
    assert scale.far == pytest.approx(np.percentile(inverse, 2)) and scale.near == pytest.approx(np.percentile(inverse, 98))
    one_outlier = depth.values.copy()
    one_outlier[0, 0] = 1e-6
    assert ColorScale.for_map(replace(depth, values=one_outlier)).near == pytest.approx(scale.near, rel=0.01)  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (640, 480), (5000, 300), (300, 5000)])
def test_preview_of_any_size(size: tuple[int, int], tmp_path: Path) -> None:
    width, height = size
    write_preview(tmp_path / "p.png", _plain(DepthKind.METRIC, width, height))
    with Image.open(tmp_path / "p.png") as image:
        assert image.mode == "RGB" and 240 <= image.width <= MAX_SIDE and image.height <= MAX_SIDE + 200
        if max(size) > MAX_SIDE:
            assert max(image.width, image.height) >= MAX_SIDE


def test_preview_of_a_huge_map_looks_like_that_of_a_smaller_one(tmp_path: Path) -> None:
    for name, side in (("huge", 6400), ("small", 1600)):
        write_preview(tmp_path / f"{name}.png", _plain(DepthKind.METRIC, side, side // 4))
    huge, small = (np.asarray(Image.open(tmp_path / f"{name}.png")).astype(int) for name in ("huge", "small"))
    assert huge.shape == small.shape
    assert np.abs(huge[:400] - small[:400]).mean() < 2


def test_preview_hatches_what_has_no_depth_and_leaves_the_rest(tmp_path: Path) -> None:
    depth = _plain(DepthKind.METRIC, 400, 300)
    gap = np.zeros((300, 400), bool)
    gap[:100] = True
    write_preview(tmp_path / "p.png", replace(depth, valid=~gap))
    shown = np.asarray(Image.open(tmp_path / "p.png"))[:300, :400]
    grey = (shown.max(axis=2) == shown.min(axis=2)) & (shown[..., 0] >= 80)
    assert grey[:100].all() and len(np.unique(shown[:100, :, 0])) == 2
    assert not grey[100:].any()
    write_preview(tmp_path / "none.png", replace(depth, valid=np.zeros((300, 400), bool)))
    assert (tmp_path / "none.png").stat().st_size > 0


def test_preview_names_the_unit(tmp_path: Path) -> None:
    """Each kind draws another strip: the text differs, the colours of the bar do not."""
    strips = {}
    for kind in DepthKind:
        write_preview(tmp_path / f"{kind}.png", _plain(kind, 640, 480))
        strips[kind] = np.asarray(Image.open(tmp_path / f"{kind}.png"))[480:].copy()
    metric, relative, disparity = (strips[kind] for kind in DepthKind)
    text_px = 640 // 45
    title = slice(text_px, 2 * text_px + 2)
    assert not np.array_equal(metric[title], relative[title])
    assert not np.array_equal(relative[title], disparity[title])
    bar = slice(text_px + text_px + text_px // 2 + 2, text_px + 2 * text_px + text_px // 2 - 2)
    assert np.array_equal(metric[bar], relative[bar])
    # From near to far: the left end bright, the right end dark.
    assert metric[bar][:, 20].mean() > 180 and metric[bar][:, -20].mean() < 40


# ---- every writer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("writer", [write_npz, write_png16, write_exr, write_preview])
def test_writers_keep_what_is_there(writer, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "x.out"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        writer(path, _plain())
    assert _names(tmp_path) == ["x.out"] and path.read_bytes() == b"mine"
    writer(path, _plain(), overwrite=True)
    assert path.read_bytes() != b"mine"
    with pytest.raises(OutputError, match="does not exist"):
        writer(tmp_path / "missing" / "x.out", _plain())


def test_an_exr_that_found_no_room_to_pass_through_is_refused() -> None:
    # OpenCV writes through a temporary file. Where the room ends within its last bytes, it does not say so.
    program = """
import resource, signal
import numpy as np
from depthbridge.engines.errors import OutputError
from depthbridge.engines.export.exr import decode_exr, encode_exr
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
values = np.random.default_rng(113).random((113, 113)).astype(np.float32)
length = len(encode_exr(values))
for missing in range(-2, 3000, 59):
    resource.setrlimit(resource.RLIMIT_FSIZE, (length - missing, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    try:
        content = encode_exr(values)
    except OutputError as error:
        assert "temporary" in str(error), error
        print("refused")
    else:
        assert np.array_equal(decode_exr(content), values), missing
        print("exact")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-800:]
    assert set(done.stdout.split()) == {"exact", "refused"}
