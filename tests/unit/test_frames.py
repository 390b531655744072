# SPDX-License-Identifier: Apache-2.0
"""A folder of pictures or a movie, frame by frame."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from depthbridge.engines.errors import ImageError
from depthbridge.engines.frames import natural_key, open_frames
from support.movies import index_of, marked_frame, slow_down, turn_movie, write_folder, write_movie

FRAMES = [marked_frame(index) for index in range(20)]


@pytest.mark.parametrize("pattern", ["shot{}.png", "shot_{:04d}.png", "{}.png", "v2_{:03d}.png"])
def test_pictures_come_in_natural_order(pattern: str, tmp_path: Path) -> None:
    write_folder(tmp_path / "room", FRAMES, pattern, first=8)
    frames = open_frames(tmp_path / "room")
    assert (len(frames), frames.name, frames.width, frames.height) == (20, "room", 64, 48)
    assert [index_of(frame) for frame in frames] == list(range(20))
    assert all(np.array_equal(frames.read(index), FRAMES[index]) for index in (0, 7, 19))


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1), st.text(st.characters(exclude_categories=["Nd", "Cs"]), max_size=3))
def test_numbers_in_names_sort_as_numbers(numbers: list[int], before: str) -> None:
    names = sorted((f"{before}{number}.png" for number in numbers), key=natural_key)
    assert names == [f"{before}{number}.png" for number in sorted(numbers)]


def test_what_is_no_picture_is_passed_over(tmp_path: Path) -> None:
    write_folder(tmp_path / "room", FRAMES[:3])
    (tmp_path / "room" / "notes.txt").write_text("mine")
    (tmp_path / "room" / ".hidden.png").write_bytes(b"")
    (tmp_path / "room" / "inner.png").mkdir()
    assert len(open_frames(tmp_path / "room")) == 3


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv"])
def test_a_movie_gives_every_frame_in_any_order(name: str, tmp_path: Path) -> None:
    frames = open_frames(write_movie(tmp_path / name, FRAMES, fps=12.5))
    assert (len(frames), frames.name, frames.width, frames.height, frames.fps) == (20, "a", 64, 48, 12.5)
    assert [index_of(frames.read(index)) for index in (7, 3, 3, 19, 0, 4)] == [7, 3, 3, 19, 0, 4]
    assert [index_of(frame) for frame in frames] == list(range(20))
    assert frames.read(2)[5, 5, 0] > 150 > 60 > frames.read(2)[5, 5, 2], "red, and not blue"
    frames.close()
    assert index_of(frames.read(1)) == 1


def test_a_movie_is_turned_as_its_container_says(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "a.mp4", FRAMES)
    turn_movie(path)
    frames = open_frames(path)
    assert (frames.width, frames.height) == (48, 64)
    frame = frames.read(4)
    assert frame.shape == (64, 48, 3)
    red = (frame[..., 0] > 150) & (frame[..., 1] < 80)
    rows, columns = np.nonzero(red)
    # The red top left quarter, turned clockwise, is the top right one.
    assert rows.mean() < 32 and columns.mean() > 24
    assert not frames.shown_as_read(4), "Blender 4.2 shows it lying"


def test_a_movie_of_a_changing_frame_rate_is_known(tmp_path: Path) -> None:
    even = open_frames(write_movie(tmp_path / "even.mp4", FRAMES))
    assert all(even.shown_as_read(index) for index in range(20))
    path = write_movie(tmp_path / "a.mp4", FRAMES)
    slow_down(path, 12)
    frames = open_frames(path)
    assert [index_of(frame) for frame in frames] == list(range(20))
    assert not all(frames.shown_as_read(index) for index in range(20))


def test_a_frame_count_that_lies_is_put_right_by_reading(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "a.avi", FRAMES)
    content = bytearray(path.read_bytes())
    # The main and the stream header both tell a number of frames.
    for tag, offset in ((b"avih", 8 + 16), (b"strh", 8 + 32)):
        start = content.find(tag) + offset
        content[start : start + 4] = (90).to_bytes(4, "little")
    # Without its index the file is as long as its frames.
    path.write_bytes(bytes(content).replace(b"idx1", b"JUNK"))
    frames = open_frames(path)
    assert len(frames) == 90
    assert [index_of(frame) for frame in frames] == list(range(20))
    assert len(frames) == 20
    assert any("90" in note and "20" in note for note in frames.notes)
    with pytest.raises(ImageError, match="Frame 20 does not exist: 20 frames"):
        frames.read(20)


def test_a_bad_picture_is_named_with_its_index(tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "room", FRAMES[:5])
    paths[3].write_bytes(paths[3].read_bytes()[:-60])
    frames = open_frames(tmp_path / "room")
    assert index_of(frames.read(2)) == 2
    with pytest.raises(ImageError, match=r"Frame 3: .*shot_0004.png is damaged"):
        frames.read(3)
    with pytest.raises(ImageError, match="Frame 5 does not exist"):
        frames.read(5)


def test_pictures_of_another_size_are_named(tmp_path: Path) -> None:
    write_folder(tmp_path / "room", FRAMES[:5])
    Image.fromarray(marked_frame(0, 32, 32)).save(tmp_path / "room" / "thumb.png")
    with pytest.raises(ImageError, match=r"most have 64x48 pixels, but not thumb.png \(32x32\)"):
        open_frames(tmp_path / "room")


def test_a_turned_picture_has_the_size_it_is_seen_in(tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "room", [np.ascontiguousarray(np.rot90(frame)) for frame in FRAMES[:3]], "shot_{:04d}.jpg")
    for path in paths:
        with Image.open(path) as image:
            exif = image.getexif()
            exif[0x0112] = 6
            image.save(path, exif=exif, quality=95)
    frames = open_frames(tmp_path / "room")
    assert (frames.width, frames.height) == (64, 48)
    assert [index_of(frame) for frame in frames] == [0, 1, 2]
    assert not frames.shown_as_read(0), "Blender would show it lying"


@pytest.mark.parametrize(
    ("pattern", "numbered_from"),
    [("shot_{:04d}.png", 8), ("shot{}.png", 8), ("{:02d}_left.png", 8), ("{:04d}.gray.png", 8)],
)
def test_a_folder_that_blender_can_play_is_known(pattern: str, numbered_from: int, tmp_path: Path) -> None:
    write_folder(tmp_path / "room", FRAMES[:5], pattern, first=8)
    assert open_frames(tmp_path / "room").numbered_from == numbered_from
    next((tmp_path / "room").glob("*10*")).unlink()
    assert open_frames(tmp_path / "room").numbered_from is None, "a number is missing"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.mp4", None, "does not exist"),
        ("a.mp4", b"", "damaged or no movie"),
        ("a.mp4", b"x" * 4000, "damaged or no movie"),
        ("a.png", b"x", "is one picture"),
        ("a.txt", b"x", "no movie that can be read"),
    ],
)
def test_what_is_no_sequence_is_told_in_a_sentence(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=message):
        open_frames(tmp_path / name)


def test_the_decoder_does_not_write_to_the_console(tmp_path: Path) -> None:
    # In a process of its own: the decoder asks how loud it may be once, when the first movie is opened or written.
    (tmp_path / "a.mp4").write_bytes(b"x" * 4000)
    code = "import sys; from depthbridge.engines import frames\ntry: frames.open_frames(sys.argv[1])\nexcept frames.ImageError: pass"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.mp4")], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_an_empty_folder_and_one_of_damaged_pictures(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="holds no pictures"):
        open_frames(tmp_path)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="no picture that can be read"):
        open_frames(tmp_path)


def test_a_movie_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "a.mkv", FRAMES)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    frames = open_frames(path)
    seen = [index_of(frame) for frame in frames]
    assert 0 < len(seen) < 20
    assert len(frames) == len(seen)
