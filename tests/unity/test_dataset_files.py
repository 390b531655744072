# SPDX-License-Identifier: Apache-2.0
"""The files that the C# core writes, read by Pillow, OpenCV and our own capture reader; its writer stopped, killed, and out of disk."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from depthbridge.engines.export.exr import read_exr_depth
from depthbridge.unity_bridge.captures.capture import Capture
from support.disks import small_disk
from support.mono import CORE, ROOT, compile_cs, require_mono, run_mono, sources


@pytest.fixture(scope="session")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_mono()
    folder = tmp_path_factory.mktemp("dataset")
    core = compile_cs(folder / "Depthbridge.Core.dll", sources(CORE))
    return compile_cs(folder / "DatasetTool.exe", [ROOT / "tests" / "unity" / "dataset" / "DatasetTool.cs"], references=[core])


Picture = tuple[str, str, npt.NDArray[np.generic]]


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """A kind, an origin, and upright pixels: noise, flat, or few values, in odd sizes."""
    kind, origin = draw(st.sampled_from(["rgba", "mask", "depth"])), draw(st.sampled_from(["top", "bottom"]))
    width, height = draw(st.integers(1, 70)), draw(st.integers(1, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = draw(st.sampled_from([1, 2, 5, 65536]))
    if kind == "rgba":
        return kind, origin, (random.integers(0, levels, (height, width, 4)) % 256).astype(np.uint8)
    if kind == "mask":
        return kind, origin, (random.integers(0, levels, (height, width)) * draw(st.sampled_from([1, 251])) % 65536).astype("<u2")
    return kind, origin, (random.integers(0, levels, (height, width)) / np.float32(7)).astype("<f4")


@settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a program is started for each: shrinking would take minutes
)
@given(st.lists(pictures(), min_size=15, max_size=25))
def test_other_programs_read_the_very_pixels(tool: Path, tmp_path_factory: pytest.TempPathFactory, given_pictures: list[Picture]) -> None:
    folder = tmp_path_factory.mktemp("pictures")
    lines = []
    for kind, origin, pixels in given_pictures:
        sent = pixels if origin == "top" else pixels[::-1]
        lines.append(f"{kind} {pixels.shape[1]} {pixels.shape[0]} {origin} {base64.b64encode(sent.tobytes()).decode()}")
    done = subprocess.run(
        ["mono", "--debug", tool, "pictures", folder], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    boxes = iter(done.stdout.splitlines())
    for number, (kind, _, pixels) in enumerate(given_pictures):
        if kind == "depth":
            np.testing.assert_array_equal(read_exr_depth(folder / f"{number}.exr").values, pixels)
            continue
        with Image.open(folder / f"{number}.png") as image:
            image.load()
            np.testing.assert_array_equal(np.asarray(image), pixels[..., :3] if kind == "rgba" else pixels)
        if kind == "mask":
            assert next(boxes) == ";".join(boxes_of(pixels))
    shutil.rmtree(folder)


def boxes_of(mask: npt.NDArray[np.generic]) -> list[str]:
    found = []
    for value in np.unique(mask):
        rows, columns = np.nonzero(mask == value)
        if value:
            found.append(f"{value}:{len(rows)}:{columns.min()},{rows.min()},{columns.max() + 1},{rows.max() + 1}")
    return found


@pytest.mark.parametrize("kind", ["png", "exr"])
def test_pixels_of_another_size_are_refused_in_a_sentence(tool: Path, kind: str) -> None:
    done = run_mono(tool, "broken", kind)
    assert done.returncode == 2 and "2x2" in done.stdout and "10" in done.stdout


def test_a_capture_is_complete_and_every_frame_is_given_back(tool: Path, tmp_path: Path) -> None:
    done = run_mono(tool, "capture", str(tmp_path / "capture"), "25", "10")
    assert done.stdout.splitlines()[-1] == "released 25 accepted 25 then False", done.stdout + done.stderr
    capture = Capture.open(tmp_path / "capture")
    assert len(capture.frames) == 25
    records = json.loads((tmp_path / "capture" / "annotations.json").read_text(encoding="utf-8"))
    assert [name for name in ("camera" in record for record in records)].index(True) == 3, "the camera that is not the first one's"
    assert sum("camera" in record for record in records) == 1
    for number, frame in enumerate(capture.frames):
        loaded = capture.load(frame)
        assert not [note for note in loaded.notes if "mask values" in note]
        (item,) = loaded.objects  # the one without a pixel is left out
        assert item.record == {"id": 'dot "seven"', "mask_value": 7, "category": "dot", "bbox": [5, 47 - number, 6, 48 - number], "parent_id": 9}
        assert loaded.mask[47 - number, 5] == 7 and np.count_nonzero(loaded.mask) == 1


def test_a_killed_capture_can_be_read(tool: Path, tmp_path: Path) -> None:
    """At whatever moment: what annotations.json names is there, whole."""
    for after in (12, 31, 47):
        folder = tmp_path / f"capture{after}"
        with subprocess.Popen(["mono", tool, "capture", folder, "100000", "3"], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.strip() == str(after):
                    process.kill()
        capture = Capture.open(folder)
        assert len(capture.frames) >= after - 10
        for frame in capture.frames:
            capture.load(frame)


def test_annotations_are_whole_at_every_moment(tool: Path, tmp_path: Path) -> None:
    annotations, seen = tmp_path / "capture" / "annotations.json", 0
    with subprocess.Popen(["mono", tool, "capture", tmp_path / "capture", "1500", "1"], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if annotations.exists():
                records = json.loads(annotations.read_text(encoding="utf-8"))
                assert len(records) >= seen
                seen = len(records)
    assert process.returncode == 0 and seen > 10, "too quick to be looked at"


def test_a_full_disk_ends_the_capture_with_a_sentence_and_leaves_it_readable(tool: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=512k") as disk:
        done = run_mono(tool, "capture", str(disk / "capture"), "100000", "5")
        assert done.returncode == 2 and "ends after" in done.stdout.splitlines()[-1], done.stdout[-500:] + done.stderr
        capture = Capture.open(disk / "capture")
        assert len(capture.frames) > 5
        for frame in capture.frames:
            capture.load(frame)
        assert not list((disk / "capture").rglob("*.part"))


def test_a_folder_that_cannot_be_made_is_refused_in_a_sentence(tool: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    done = run_mono(tool, "capture", str(tmp_path / "file" / "capture"), "1", "1")
    assert done.returncode == 2 and "cannot be made" in done.stdout
