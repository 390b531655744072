# SPDX-License-Identifier: Apache-2.0
"""A folder or movie becomes files that play: exact, in one scale, resumable, and nothing half-written."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from depthbridge.addon.jobs.progress import Progress
from depthbridge.addon.jobs.request import BuildRequest, EngineChoice, Source
from depthbridge.addon.options import BuildAs, BuildOptions
from depthbridge.addon.prepare import Conversion
from depthbridge.addon.sequences.files import SequenceFiles, estimate_sequence, read_sequence, run_sequence
from depthbridge.addon.sequences.frame import MISSING_TEAR, FrameGrid
from depthbridge.engines.camera import CameraSource
from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.errors import CancelledError, DepthbridgeError, DepthKindError, ImageError, OutputError
from depthbridge.engines.export.exr import decode_exr
from depthbridge.engines.frames import open_frames
from support.disks import small_disk
from support.known_sequence import CAMERA, HEIGHT, WIDTH, KnownEngine, film
from support.movies import write_folder, write_movie

COUNT = 8
PICTURES, DEPTHS = film(COUNT)
SCALES = [1.0, 3.0, 0.4, 2.2, 0.7, 5.0, 1.1, 0.2]
SHIFTS = [0.0, 0.5, 1.2, 0.1, 0.9, 0.3, 2.0, 0.4]


@pytest.fixture
def room(tmp_path: Path) -> Path:
    write_folder(tmp_path / "room", PICTURES)
    return tmp_path / "room"


def engine(kind: DepthKind = DepthKind.RELATIVE, **more: Any) -> KnownEngine:
    return KnownEngine(PICTURES, DEPTHS, kind, scales=SCALES, shifts=SHIFTS, **more)


def estimate(room: Path, out: Path, known: KnownEngine, options: BuildOptions | None = None, **more: Any) -> SequenceFiles:
    more = {"progress": lambda _: None, "cancel": CancelToken(), **more}
    return estimate_sequence(open_frames(room), known, CAMERA, options or BuildOptions(), out, **more)


def frames_of(files: SequenceFiles) -> list[npt.NDArray[np.float32]]:
    return [files.frame(index).depth for index in range(files.count)]


def relative_error(found: npt.NDArray[np.float32], true: npt.NDArray[np.float32]) -> float:
    return float(np.abs(found / true - 1).max())


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# ---- what is in the files ----------------------------------------------------------------------------------------------


def test_an_exr_holds_depth_tear_and_sky_of_every_vertex(room: Path, tmp_path: Path) -> None:
    sky = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
    sky[:20] = 0.9
    valid = sky < 0.3
    valid[60:, :10] = False
    files = estimate(room, tmp_path / "out", KnownEngine(PICTURES, DEPTHS, DepthKind.METRIC, valid=valid, sky=sky), BuildOptions(stride=3))
    for index in range(COUNT):
        layers = decode_exr((tmp_path / "out" / f"depth_{index + 1:04d}.exr").read_bytes())
        assert layers is not None and layers.dtype == np.float32 and layers.shape == (24, 32, 3)
        taken = np.s_[1::3, 1::3]
        kept = (valid | (sky >= 0.3))[taken]
        depth = np.where(kept, DEPTHS[index][taken], 0)
        np.testing.assert_array_equal(layers[..., 2], depth)
        np.testing.assert_array_equal(layers[..., 0], sky[taken])
        for row in range(24):
            for column in range(32):
                corners = depth[row : row + 2, column : column + 2]
                whole = corners.shape == (2, 2)
                wanted = 0.0 if not whole else MISSING_TEAR if corners.min() == 0 else corners.max() / corners.min() - 1
                assert layers[row, column, 1] == pytest.approx(wanted, abs=1e-6)
    assert (files.nearest, files.farthest) == (1.0, 5.0)


@pytest.mark.parametrize("kind", [DepthKind.RELATIVE, DepthKind.DISPARITY])
def test_a_sequence_has_one_scale_whatever_the_model_says_of_each_frame(kind: DepthKind, room: Path, tmp_path: Path) -> None:
    conversion = Conversion(1.0, 0.0, guessed=False) if kind is DepthKind.DISPARITY else None
    files = estimate(room, tmp_path / "out", engine(kind), conversion=conversion)
    assert files.shots == (0,)
    for found, true in zip(frames_of(files), DEPTHS, strict=True):
        assert relative_error(found, true) <= 1e-5
    assert files.header.unit == ("m" if conversion else "relative")


def test_guessed_disparity_stands_still_where_the_scene_does(room: Path, tmp_path: Path) -> None:
    files = estimate(room, tmp_path / "out", engine(DepthKind.DISPARITY))
    assert files.header.conversion is not None and files.header.conversion.guessed
    assert files.header.unit == "relative"
    still = np.s_[55:]  # below the box
    first = files.frame(0).depth
    assert all(relative_error(depth[still], first[still]) <= 1e-5 for depth in frames_of(files))
    # A guess puts the nearest parts near 1 and the farthest near 8.
    assert 0.9 < files.nearest < 1.2 and 6 < files.farthest < 9


def test_metres_are_left_alone_unless_asked(room: Path, tmp_path: Path) -> None:
    raw = estimate(room, tmp_path / "raw", engine(DepthKind.METRIC))
    steady = estimate(room, tmp_path / "steady", engine(DepthKind.METRIC), steady_metric=True)
    assert all(
        np.array_equal(depth, (true.astype(np.float64) * scale).astype(np.float32))
        for depth, true, scale in zip(frames_of(raw), DEPTHS, SCALES, strict=True)
    )
    assert all(relative_error(depth, true) <= 1e-5 for depth, true in zip(frames_of(steady), DEPTHS, strict=True))


def test_a_black_beginning_has_no_depth_and_does_no_harm(tmp_path: Path) -> None:
    pictures = [np.zeros_like(PICTURES[0]), *PICTURES[:3]]
    write_folder(tmp_path / "room", pictures)

    class Late(KnownEngine):
        def estimate(self, image: Any, camera: Any = None, *, cancel: Any = None) -> Any:
            depth = super().estimate(image, camera, cancel=cancel)
            depth.valid[:] = bool(image.any())
            return depth

    late = Late(pictures, [DEPTHS[0], *DEPTHS[:3]], DepthKind.DISPARITY)
    files = estimate(tmp_path / "room", tmp_path / "out", late)
    assert not files.frame(0).depth.any()
    assert (files.frame(1).depth > 0).all()


def test_all_frames_have_the_camera_of_the_first(room: Path, tmp_path: Path) -> None:
    known = engine()
    files = estimate_sequence(open_frames(room), known, None, BuildOptions(), tmp_path / "out", progress=lambda _: None, cancel=CancelToken())
    assert files.header.camera_source is CameraSource.ASSUMED
    assert known.cameras[1:] == [files.header.camera] * (COUNT - 1)


def test_progress_tells_each_frame_and_never_falls(room: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    estimate(room, tmp_path / "out", engine(), progress=seen.append)
    fractions = [item.fraction for item in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert len(set(fractions)) >= COUNT
    assert seen[0].seconds_left is not None


def test_an_embedded_model_makes_a_sequence_of_a_movie(tmp_path: Path) -> None:
    movie = write_movie(tmp_path / "clip.avi", PICTURES[:4], fps=12.5)
    request = BuildRequest(Source("clip", movie), EngineChoice(device="cpu"), options=BuildOptions(stride=4))
    files = run_sequence(request, tmp_path / "out", progress=lambda _: None, cancel=CancelToken())
    assert (files.count, files.header.fps, files.header.name) == (4, 12.5, "clip")
    assert files.ending.movie and files.ending.photo == movie
    assert all((depth > 0).any() for depth in frames_of(files))


# ---- going on where it stopped -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [DepthKind.RELATIVE, DepthKind.DISPARITY])
@pytest.mark.parametrize("stopped_at", [1, 5])
def test_a_cancelled_run_goes_on_and_ends_as_if_it_had_not_stopped(kind: DepthKind, stopped_at: int, room: Path, tmp_path: Path) -> None:
    whole = estimate(room, tmp_path / "whole", engine(kind))
    token = CancelToken()
    stopping = engine(kind, before=lambda index: token.cancel() if index == stopped_at else None)
    with pytest.raises(CancelledError):
        estimate(room, tmp_path / "out", stopping, cancel=token)
    finished = {f"depth_{index + 1:04d}.exr" for index in range(stopped_at)}
    assert names(tmp_path / "out") == finished | {"sequence.json", "frames.jsonl"}
    with pytest.raises(DepthbridgeError, match="not all finished"):
        read_sequence(tmp_path / "out")

    going_on = engine(kind)
    files = estimate(room, tmp_path / "out", going_on)
    assert going_on.asked == list(range(stopped_at, COUNT))
    for index in range(COUNT):
        name = f"depth_{index + 1:04d}.exr"
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert (files.nearest, files.farthest, files.shots) == (whole.nearest, whole.farthest, whole.shots)


def test_nothing_is_estimated_twice_unless_forced(room: Path, tmp_path: Path) -> None:
    estimate(room, tmp_path / "out", engine())
    again, forced = engine(), engine()
    files = estimate(room, tmp_path / "out", again)
    estimate(room, tmp_path / "out", forced, force=True)
    assert (again.asked, forced.asked) == ([], list(range(COUNT)))
    read = read_sequence(tmp_path / "out")
    assert (read.header, read.ending, read.nearest, read.farthest) == (files.header, files.ending, files.nearest, files.farthest)


def test_a_frame_that_went_missing_is_made_again_alone(room: Path, tmp_path: Path) -> None:
    estimate(room, tmp_path / "out", engine())
    before = (tmp_path / "out" / "depth_0004.exr").read_bytes()
    (tmp_path / "out" / "depth_0004.exr").unlink()
    with pytest.raises(DepthbridgeError, match="lacks 1 of its 8"):
        read_sequence(tmp_path / "out")
    again = engine()
    estimate(room, tmp_path / "out", again)
    assert again.asked == [3]
    assert (tmp_path / "out" / "depth_0004.exr").read_bytes() == before


def test_a_line_cut_off_by_a_crash_costs_its_frame_alone(room: Path, tmp_path: Path) -> None:
    estimate(room, tmp_path / "out", engine())
    log = tmp_path / "out" / "frames.jsonl"
    log.write_bytes(log.read_bytes()[:-20])
    again = engine()
    files = estimate(room, tmp_path / "out", again)
    assert again.asked == [COUNT - 1]
    assert [json.loads(line)["index"] for line in log.read_text().splitlines() if line.endswith("}")] == list(range(COUNT))
    assert files.count == COUNT


def test_a_picture_that_was_replaced_is_estimated_again(room: Path, tmp_path: Path) -> None:
    estimate(room, tmp_path / "out", engine())
    Image.fromarray(PICTURES[5]).save(room / "shot_0003.png", compress_level=0)
    again = engine()
    files = estimate(room, tmp_path / "out", again)
    assert again.asked == [5]
    assert relative_error(files.frame(2).depth, DEPTHS[5]) <= 1e-5


def test_a_folder_that_grew_is_gone_on_with(room: Path, tmp_path: Path) -> None:
    for path in sorted(room.iterdir())[5:]:
        shutil.move(path, tmp_path)
    assert estimate(room, tmp_path / "out", engine()).count == 5
    for path in tmp_path.glob("shot_*.png"):
        shutil.move(path, room)
    again = engine()
    assert estimate(room, tmp_path / "out", again).count == COUNT
    assert again.asked == [5, 6, 7]


# ---- nothing of anybody else's -----------------------------------------------------------------------------------------


def test_a_folder_with_another_sequence_is_refused_unless_forced(room: Path, tmp_path: Path) -> None:
    estimate(room, tmp_path / "out", engine())
    other = engine()
    with pytest.raises(OutputError, match=r"holds another sequence \(stride: 1, now 2\)"):
        estimate(room, tmp_path / "out", other, BuildOptions(stride=2))
    assert other.asked == []
    assert estimate(room, tmp_path / "out", other, BuildOptions(stride=2), force=True).header.stride == 2
    assert decode_exr((tmp_path / "out" / "depth_0001.exr").read_bytes()).shape == (36, 48, 3)  # type: ignore[union-attr]


def test_force_removes_our_own_files_only(room: Path, tmp_path: Path) -> None:
    estimate(room, tmp_path / "out", engine())
    for name in ("depth_0001_mine.exr", "photo_mine.png", "notes.txt"):
        (tmp_path / "out" / name).write_bytes(b"mine")
    write_folder(tmp_path / "short", PICTURES[:3])
    estimate(tmp_path / "short", tmp_path / "out", engine(), force=True)
    assert names(tmp_path / "out") == {
        "depth_0001.exr", "depth_0002.exr", "depth_0003.exr", "sequence.json", "frames.jsonl", "depth_0001_mine.exr", "photo_mine.png", "notes.txt",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["depth_0001.exr", "sequence.json"])
def test_a_file_of_the_users_is_not_overwritten(name: str, room: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_bytes(b"mine")
    with pytest.raises(DepthbridgeError, match=name):
        estimate(room, tmp_path / "out", engine())
    assert (tmp_path / "out" / name).read_bytes() == b"mine"


def test_two_builds_into_one_folder_are_kept_apart(room: Path, tmp_path: Path) -> None:
    refused: list[str] = []
    at_work, told = threading.Event(), threading.Event()

    def wait(index: int) -> None:
        at_work.set()
        assert told.wait(20)

    first = threading.Thread(target=estimate, args=(room, tmp_path / "out", engine(before=wait)))
    first.start()
    assert at_work.wait(20)
    try:
        estimate(room, tmp_path / "out", engine())
    except OutputError as error:
        refused.append(str(error))
    told.set()
    first.join(30)
    assert refused and "another build" in refused[0]
    assert read_sequence(tmp_path / "out").count == COUNT
    assert ".depthbridge-busy" not in names(tmp_path / "out")


def test_a_full_disk_is_told_and_keeps_whole_frames(room: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=80k") as disk:
        with pytest.raises(OutputError, match="disk is full"):
            estimate(room, disk / "out", engine())
        left = names(disk / "out")
        assert not any(name.startswith(".") for name in left)
        kept = sorted(name for name in left if name.endswith(".exr"))
        assert 0 < len(kept) < COUNT
        assert all(decode_exr((disk / "out" / name).read_bytes()) is not None for name in kept)


def test_what_fails_at_once_leaves_no_folder(room: Path, tmp_path: Path) -> None:
    with pytest.raises(CancelledError):
        token = CancelToken()
        token.cancel()
        estimate(room, tmp_path / "out", engine(), cancel=token)
    with pytest.raises(DepthKindError, match="not as a relief"):
        estimate(room, tmp_path / "out", engine(), BuildOptions(as_=BuildAs.RELIEF))
    assert not (tmp_path / "out").exists()


def test_a_damaged_picture_is_named_and_the_frames_before_it_stay(room: Path, tmp_path: Path) -> None:
    path = room / "shot_0004.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ImageError, match=r"Frame 3: .*shot_0004.png"):
        estimate(room, tmp_path / "out", engine())
    assert {"depth_0003.exr"} <= names(tmp_path / "out") and "depth_0004.exr" not in names(tmp_path / "out")


def test_damaged_records_are_told(room: Path, tmp_path: Path) -> None:
    estimate(room, tmp_path / "out", engine())
    (tmp_path / "out" / "depth_0002.exr").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"depth_0002\.exr is no frame of this sequence"):
        read_sequence(tmp_path / "out").frame(1)
    header = tmp_path / "out" / "sequence.json"
    for content in (
        "{",
        "[]",
        "{}",
        header.read_text().replace('"version": 1', '"version": 99'),
        header.read_text().replace('"fx": 90', '"fx": -90'),
    ):
        header.write_text(content)
        with pytest.raises(DepthbridgeError, match=r"sequence\.json is damaged or by another version"):
            read_sequence(tmp_path / "out")
    with pytest.raises(DepthbridgeError, match="holds no sequence"):
        read_sequence(tmp_path)


# ---- the picture that plays --------------------------------------------------------------------------------------------


def test_a_numbered_folder_plays_itself(room: Path, tmp_path: Path) -> None:
    write_folder(tmp_path / "late", PICTURES, "f.{:03d}.png", first=98)
    ending = estimate(tmp_path / "late", tmp_path / "out", engine()).ending
    assert (ending.photo, ending.first_number, ending.movie) == (tmp_path / "late" / "f.098.png", 98, False)
    assert not any(name.startswith("photo") for name in names(tmp_path / "out"))


@pytest.mark.parametrize("case", ["names", "alpha"])
def test_pictures_that_blender_would_show_otherwise_are_copied(case: str, room: Path, tmp_path: Path) -> None:
    if case == "names":
        (room / "shot_0003.png").rename(room / "shot_0002b.png")
    else:
        translucent = Image.fromarray(PICTURES[5]).convert("RGBA")
        translucent.putalpha(200)
        translucent.save(room / "shot_0006.png")
    files = estimate(room, tmp_path / "out", engine())
    assert (files.ending.photo, files.ending.first_number) == (tmp_path / "out" / "photo_0001.png", 1)
    for index in range(COUNT):
        with Image.open(tmp_path / "out" / f"photo_{index + 1:04d}.png") as copy:
            np.testing.assert_array_equal(np.asarray(copy), PICTURES[index])


def test_depth_of_one_kind_only(room: Path, tmp_path: Path) -> None:
    known = engine()

    def change(index: int) -> None:
        if index == 3:
            known.kind = DepthKind.METRIC

    known._before = change
    with pytest.raises(DepthKindError, match="metric depth for frame 3, and relative for the first"):
        estimate(room, tmp_path / "out", known)


def test_no_depth_at_all_is_told(room: Path, tmp_path: Path) -> None:
    with pytest.raises(DepthKindError, match="No frame has a depth"):
        estimate(room, tmp_path / "out", engine(valid=np.zeros((HEIGHT, WIDTH), dtype=np.bool_)))


def test_a_single_pixel_grid_has_no_tear() -> None:
    grid = FrameGrid(np.full((1, 1), 2, dtype=np.float32), np.zeros((1, 1), dtype=np.float32))
    assert grid.tear.shape == (1, 1) and not grid.tear.any()


def test_a_project_that_was_moved_is_gone_on_with(room: Path, tmp_path: Path) -> None:
    (room / "shot_0003.png").rename(room / "shot_0002b.png")  # so that the pictures are copied
    estimate(room, tmp_path / "out", engine())
    (tmp_path / "elsewhere").mkdir()
    for folder in (room, tmp_path / "out"):
        shutil.move(folder, tmp_path / "elsewhere")
    assert read_sequence(tmp_path / "elsewhere" / "out").ending.photo == tmp_path / "elsewhere" / "out" / "photo_0001.png"
    again = engine()
    files = estimate(tmp_path / "elsewhere" / "room", tmp_path / "elsewhere" / "out", again)
    assert again.asked == []
    assert files.header.source == tmp_path / "elsewhere" / "room"


def test_the_copy_of_a_replaced_picture_is_replaced_too(room: Path, tmp_path: Path) -> None:
    (room / "shot_0003.png").rename(room / "shot_0002b.png")
    estimate(room, tmp_path / "out", engine())
    Image.fromarray(PICTURES[6]).save(room / "shot_0002b.png", compress_level=0)
    estimate(room, tmp_path / "out", engine())
    with Image.open(tmp_path / "out" / "photo_0003.png") as copy:
        np.testing.assert_array_equal(np.asarray(copy), PICTURES[6])
