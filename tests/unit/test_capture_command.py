# SPDX-License-Identifier: Apache-2.0
"""``depthbridge annotate`` as a user runs it: what it says, what an interruption leaves, and the report."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from support import onnx_models
from support.captures import make_capture, solo_capture, tree, two_boxes, write_coco, write_exr, write_solo_frame

COMMAND = [sys.executable, "-m", "depthbridge.cli.main", "annotate"]
HEIGHT, WIDTH = 280, 504
INTRINSICS = {"width": WIDTH, "height": HEIGHT, "fov_vertical": 60}


@pytest.fixture(scope="module")
def metric_model(tmp_path_factory):
    return onnx_models.da3_single(tmp_path_factory.mktemp("models") / "da3metric-large.onnx")


def mask():
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    values[20:90, 30:100], values[150:260, 300:480] = 1, 2
    return values


def capture_of(folder, count):
    entries = [{"image": f"{number:05}.png", "objects": [{"id": 1, "category": "cube"}, {"id": 2}]} for number in range(count)]
    make_capture(folder, entries, mask(), INTRINSICS, (HEIGHT, WIDTH))
    return folder


def run(*arguments, **more):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120, **more)


def lines_of(progress):
    return progress.read_bytes().count(b"\n") if progress.exists() else 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_goes_on_with_the_same_command(tmp_path, metric_model, number):
    capture = capture_of(tmp_path / "capture", 400)  # more than any machine does between two looks
    before = tree(capture)
    arguments = [*COMMAND, str(capture), "--out", str(tmp_path / "out"), "--model", str(metric_model)]
    progress = tmp_path / "out" / "progress.jsonl"
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        waited = time.monotonic() + 60
        while lines_of(progress) < 4 and time.monotonic() < waited:
            time.sleep(0.005)
        process.send_signal(number)
        out, said = process.communicate(timeout=60)
    assert not (tmp_path / "out" / "annotations.json").exists(), "it was done before it could be stopped"
    if number is signal.SIGINT:
        assert process.returncode == 130 and out == "" and said.count("\n") == 1
        assert "stopped after" in said and "of 400 pictures, kept in" in said and "the same command goes on" in said
    kept = lines_of(progress) - 1
    assert 3 <= kept < 400
    done = run(capture, "--out", tmp_path / "out", "--model", metric_model)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["frames"], summary["annotated"]) == (400, 400) and kept - 1 <= summary["done_before"] <= kept
    assert f"{summary['done_before']} of 400 pictures were done before" in done.stderr
    assert len(json.loads((tmp_path / "out" / "annotations.json").read_text())) == 400 and tree(capture) == before


def test_each_layout_is_measured_and_the_truth_is_told_in_a_line(tmp_path, metric_model):
    own = capture_of(tmp_path / "own", 2)
    (own / "depth").mkdir()
    write_exr(own / "depth" / "00000.exr", np.full((HEIGHT, WIDTH), 2.0))
    done = run(own, "--out", tmp_path / "1", "--model", metric_model)
    assert done.returncode == 0 and "against the true depth: objects AbsRel " in done.stderr and ", delta1 " in done.stderr
    assert (tmp_path / "1" / "accuracy.csv").exists()
    grey = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    small = two_boxes(HEIGHT, WIDTH)
    matrix = [1.0, 0, 0, 0, 1.8, 0, 0, 0, -1.0006]
    frame = solo_capture(small, [(1, "a", [255, 0, 0, 255]), (2, "b", [0, 255, 0, 255])], matrix=matrix)
    write_solo_frame(tmp_path / "solo", [frame], [grey], [small])
    done = run(tmp_path / "solo", "--out", tmp_path / "2", "--model", metric_model)
    assert done.returncode == 0 and json.loads(done.stdout)["objects"] == 2 and done.stderr == ""
    box = {"id": 7, "image_id": 10, "category_id": 1, "segmentation": [[30, 20, 100, 20, 100, 90, 30, 90]], "bbox": [30, 20, 70, 70]}
    write_coco(tmp_path / "coco", {"a.png": grey}, [box])
    done = run(tmp_path / "coco", "--out", tmp_path / "3", "--model", metric_model, "--fov-v", "60")
    assert done.returncode == 0, done.stderr
    item = json.loads((tmp_path / "3" / "annotations_coco.json").read_text())["annotations"][0]
    assert item["pixel_count"] == 4900 and item["bbox"] == [30, 20, 70, 70] and item["distance"]["median"] > 0


def test_objects_without_a_distance_are_told_in_a_line(tmp_path, metric_model):
    capture = capture_of(tmp_path / "capture", 2)
    entries = json.loads((capture / "annotations.json").read_text())
    entries[1]["objects"] += [{"id": 3}, {"id": 4}]
    (capture / "annotations.json").write_text(json.dumps(entries))
    done = run(capture, "--out", tmp_path / "out", "--model", metric_model)
    assert done.returncode == 0 and json.loads(done.stdout)["objects_without_distance"] == 2
    assert f"2 of 6 objects have no distance; each says its reason in {tmp_path / 'out' / 'annotations.json'}." in done.stderr.splitlines()[0]


def test_what_cannot_be_is_said_in_one_line_and_leaves_nothing(tmp_path, metric_model):
    own = capture_of(tmp_path / "own", 1)
    (tmp_path / "empty").mkdir()
    write_coco(tmp_path / "coco", {"a.png": np.zeros((4, 4, 3), np.uint8)}, [])
    out = tmp_path / "out"
    for arguments, words in (
        ((tmp_path / "empty",), "Three layouts are read"),
        ((own, "--fov-v", "60"), "leave out --fov-v"),
        ((own, "--fov-v", "200"), "200 degrees"),
        ((own / "camera_intrinsics.json",), "is no COCO file"),
    ):
        done = run(*arguments, "--out", out, "--model", metric_model)
        assert done.returncode == 2 and done.stdout == "" and not out.exists()
        assert words in done.stderr and done.stderr.startswith("depthbridge: ") and done.stderr.count("\n") == 1
    done = run(tmp_path / "coco", "--out", out, "--model", metric_model)
    assert done.returncode == 2 and "--fov-v" in done.stderr and not out.exists()


def test_failures_are_told_as_they_come_and_mended_ones_are_all_that_is_done_again(tmp_path, metric_model):
    capture = capture_of(tmp_path / "capture", 4)
    good = (capture / "images" / "00002.png").read_bytes()
    (capture / "images" / "00002.png").write_bytes(b"junk")
    done = run(capture, "--out", tmp_path / "out", "--model", metric_model)
    assert done.returncode == 2 and json.loads(done.stdout)["failed"][0]["image"] == "00002.png"
    said = done.stderr.splitlines()
    assert said[0].startswith("depthbridge: 00002.png: images/00002.png ") and "only they are done again" in said[-1]
    (capture / "images" / "00002.png").write_bytes(good)
    done = run(capture, "--out", tmp_path / "out", "--model", metric_model)
    assert done.returncode == 0 and json.loads(done.stdout)["done_before"] == 3


def test_a_report_can_be_asked_for_later(tmp_path, metric_model):
    capture = capture_of(tmp_path / "capture", 3)
    assert run(capture, "--out", tmp_path / "out", "--model", metric_model).returncode == 0
    assert not (tmp_path / "out" / "report.html").exists()
    done = run(capture, "--out", tmp_path / "out", "--model", metric_model, "--report")
    assert done.returncode == 0 and json.loads(done.stdout)["report"] == str(tmp_path / "out" / "report.html")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") >= 3 and "00002.png" in page
    assert run(capture, "--out", tmp_path / "out", "--model", metric_model, "--report").returncode == 0
    (tmp_path / "out" / "report.html").write_text("mine")
    done = run(capture, "--out", tmp_path / "out", "--model", metric_model, "--report")
    assert done.returncode == 2 and "report.html: it exists already" in done.stderr
    assert (tmp_path / "out" / "report.html").read_text() == "mine"


def test_the_bar_shows_names_as_they_are():
    from rich.console import Console

    from depthbridge.cli.annotate import _Watch
    from depthbridge.unity_bridge.captures.measured import FrameOutcome

    screen = io.StringIO()
    watch = _Watch(Console(file=screen, force_terminal=True, width=120, highlight=False), 2)
    with watch.bar:
        watch.see(FrameOutcome("[red]a[/bold].png"))
        watch.bar.refresh()
        watch.see(FrameOutcome("[b].png", error="no [/b]"))
    assert "[red]a[/bold].png" in screen.getvalue() and "[b].png: no [/b]" in screen.getvalue()


def test_names_that_look_like_markup_are_names(tmp_path, metric_model):
    capture = capture_of(tmp_path / "capture", 1)
    name = "[red]x[bold]<script>.png"
    for kind in ("images", "masks"):
        (capture / kind / "00000.png").rename(capture / kind / name)
    Image.fromarray(mask()).save(capture / "masks" / name)
    entries = [{"image": name, "objects": [{"id": 1}]}, {"image": "[/bold]gone.png", "objects": []}]
    (capture / "annotations.json").write_text(json.dumps(entries))
    done = run(capture, "--out", tmp_path / "out", "--model", metric_model, "--report")
    assert done.returncode == 2 and "[/bold]gone.png: images/[/bold]gone.png" in done.stderr
    assert json.loads(done.stdout)["annotated"] == 1
