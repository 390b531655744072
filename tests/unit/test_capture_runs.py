# SPDX-License-Identifier: Apache-2.0
"""Runs over a capture: what is resumed, what is done again, what is never overwritten, and that nothing piles up."""

from __future__ import annotations

import json
import threading
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.errors import CameraError, CaptureError, OutputError
from depthbridge.unity_bridge.captures import annotate
from depthbridge.unity_bridge.captures.annotate import annotate_capture
from depthbridge.unity_bridge.captures.previews import MAX_SIDE, PreviewStore, reduced
from depthbridge.unity_bridge.captures.progress import PROGRESS, Progress
from support.captures import HEIGHT, WIDTH, FixedDepth, make_capture, ramp, results
from support.known_depth import depth_map

NAMES = [f"{name}.png" for name in "abcdef"]


@pytest.fixture
def capture(tmp_path):
    return make_capture(tmp_path / "capture", [{"image": name, "objects": [{"id": 1}, {"id": 2}]} for name in NAMES])


class Stop(Exception):
    pass


def stopping_at(number, error=Stop):
    def before(count):
        if count == number:
            raise error

    return FixedDepth(ramp(), before=before)


def files(out):
    return {path.name for path in out.iterdir()}


# ---- resuming ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt])
def test_an_interrupted_run_goes_on_where_it_was_and_ends_as_if_it_never_stopped(capture, tmp_path, error):
    with pytest.raises(error):
        annotate_capture(capture, tmp_path / "out", stopping_at(3, error))
    assert files(tmp_path / "out") == {PROGRESS}
    rest = FixedDepth(ramp())
    summary = annotate_capture(capture, tmp_path / "out", rest)
    assert len(rest.cameras) == 3 and summary.resumed == 3
    annotate_capture(capture, tmp_path / "straight", FixedDepth(ramp()))
    assert (tmp_path / "out" / "annotations.json").read_bytes() == (tmp_path / "straight" / "annotations.json").read_bytes()


def test_a_finished_run_is_not_done_again(capture, tmp_path):
    first = annotate_capture(capture, tmp_path / "out", FixedDepth(ramp()))
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    idle = FixedDepth(ramp())
    again = annotate_capture(capture, tmp_path / "out", idle)
    assert idle.cameras == [] and again.resumed == len(NAMES)
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before
    assert {**again.to_json(), "done_before": 0} == first.to_json()


def test_only_what_failed_or_changed_is_tried_again(capture, tmp_path):
    good = (capture / "images" / "b.png").read_bytes()
    (capture / "images" / "b.png").write_bytes(b"")
    summary = annotate_capture(capture, tmp_path / "out", FixedDepth(ramp()))
    assert [outcome.image for outcome in summary.failed] == ["b.png"]
    (capture / "images" / "b.png").write_bytes(good)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[5:15, 5:15] = 1
    Image.fromarray(mask).save(capture / "masks" / "e.png")
    rest = FixedDepth(ramp())
    summary = annotate_capture(capture, tmp_path / "out", rest)
    assert len(rest.cameras) == 2 and summary.failed == () and summary.resumed == 4
    assert "error" not in results(tmp_path / "out")[1] and results(tmp_path / "out")[4]["objects"][0]["pixel_count"] == 100


def test_a_failure_is_never_noted_as_done(capture, tmp_path):
    """One that no file tells of: the pictures are as they were, and are tried again."""
    assert len(annotate_capture(capture, tmp_path / "out", stopping_at(2, CameraError("for once"))).failed) == 4
    rest = FixedDepth(ramp())
    assert annotate_capture(capture, tmp_path / "out", rest).failed == () and len(rest.cameras) == 4


def test_a_camera_that_changed_makes_all_pictures_new(capture, tmp_path):
    annotate_capture(capture, tmp_path / "out", FixedDepth(ramp()))
    intrinsics = json.loads((capture / "camera_intrinsics.json").read_text())
    (capture / "camera_intrinsics.json").write_text(json.dumps({**intrinsics, "focal_length_x": 33.0}))
    again = FixedDepth(ramp())
    annotate_capture(capture, tmp_path / "out", again)
    assert [camera.fx for camera in again.cameras] == [33.0] * len(NAMES)


def test_a_first_look_at_a_few_pictures_grows_into_the_whole_run(capture, tmp_path):
    few = annotate_capture(capture, tmp_path / "out", FixedDepth(ramp()), limit=2)
    assert (len(few.frames), few.in_capture, len(results(tmp_path / "out"))) == (2, 6, 2)
    rest = FixedDepth(ramp())
    assert len(annotate_capture(capture, tmp_path / "out", rest).frames) == 6
    assert len(rest.cameras) == 4 and len(results(tmp_path / "out")) == 6
    annotate_capture(capture, tmp_path / "out", FixedDepth(ramp()), limit=2)
    assert len(results(tmp_path / "out")) == 2


def test_another_model_file_or_capture_is_another_run(capture, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(name.encode() * 10)
    with pytest.raises(Stop):
        annotate_capture(capture, tmp_path / "out", stopping_at(2), model_file=tmp_path / "one")
    kept = (tmp_path / "out" / PROGRESS).read_bytes()
    other = FixedDepth(ramp())
    other.model_id = "another"
    twin = make_capture(tmp_path / "twin", [{"image": name, "objects": []} for name in NAMES])
    for arguments, words in (
        ((capture, tmp_path / "out", other), "model 'oracle', now 'another'"),
        ((capture, tmp_path / "out", FixedDepth(ramp())), "model_file"),
        ((twin, tmp_path / "out", FixedDepth(ramp())), "twin"),
    ):
        file = tmp_path / ("one" if words != "model_file" else "two")
        with pytest.raises(OutputError, match=words):
            annotate_capture(*arguments, model_file=file)
        assert (tmp_path / "out" / PROGRESS).read_bytes() == kept
    annotate_capture(twin, tmp_path / "out", FixedDepth(ramp()), overwrite=True)
    assert results(tmp_path / "out")[0]["objects"] == []


@pytest.mark.parametrize("lost", [1, 30])
def test_a_torn_progress_costs_only_what_it_lost(capture, tmp_path, lost):
    out = tmp_path / "out"
    with pytest.raises(Stop):
        annotate_capture(capture, out, stopping_at(4))
    content = (out / PROGRESS).read_bytes()
    (out / PROGRESS).write_bytes(content[:-lost])
    rest = FixedDepth(ramp())
    annotate_capture(capture, out, rest)
    assert len(rest.cameras) == 3  # the two that were missing, and the torn one
    assert [entry["image"] for entry in results(out)] == NAMES
    for number, content in enumerate((b"", b'{"run": {"for', b'{"run": {"format": 0}}\n')):
        fresh = tmp_path / f"fresh{number}"
        fresh.mkdir()
        (fresh / PROGRESS).write_bytes(content)
        every = FixedDepth(ramp())
        annotate_capture(capture, fresh, every, overwrite=number == 2)
        assert len(every.cameras) == len(NAMES)


# ---- what is never lost -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["annotations.json", "accuracy.json", "accuracy.csv", PROGRESS])
def test_a_file_that_is_not_ours_is_kept(capture, tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    idle = FixedDepth(ramp())
    with pytest.raises(OutputError, match=f"{name}: it exists already|{name} is no file of depthbridge"):
        annotate_capture(capture, out, idle)
    assert idle.cameras == [] and files(out) == {name} and (out / name).read_text() == "mine"


def test_a_result_that_somebody_edited_is_kept(capture, tmp_path):
    out = tmp_path / "out"
    annotate_capture(capture, out, FixedDepth(ramp()))
    (out / "annotations.json").write_text("edited")
    with pytest.raises(OutputError, match="exists already"):
        annotate_capture(capture, out, FixedDepth(ramp()))
    assert (out / "annotations.json").read_text() == "edited"
    every = FixedDepth(ramp())
    annotate_capture(capture, out, every, overwrite=True)
    assert len(every.cameras) == len(NAMES) and len(results(out)) == len(NAMES)


def test_two_runs_into_one_folder_do_not_mix(capture, tmp_path):
    inside, done = threading.Event(), threading.Event()

    def before(count):
        inside.set()
        assert done.wait(30)

    other = threading.Thread(target=annotate_capture, args=(capture, tmp_path / "out", FixedDepth(ramp(), before=before)))
    other.start()
    try:
        assert inside.wait(30)
        with pytest.raises(OutputError, match="Another depthbridge annotate"):
            annotate_capture(capture, tmp_path / "out", FixedDepth(ramp()))
    finally:
        done.set()
        other.join(30)
    assert len(results(tmp_path / "out")) == len(NAMES)


def test_nothing_is_left_of_a_run_that_did_nothing(capture, tmp_path):
    with pytest.raises(Stop):
        annotate_capture(capture, tmp_path / "out", stopping_at(0))
    assert not (tmp_path / "out").exists()


# ---- what a run holds -------------------------------------------------------------------------------------------


def test_pictures_are_read_one_or_two_ahead_and_let_go(tmp_path):
    """The memory of 60 pictures is that of a few."""
    size = (200, 300)
    capture = make_capture(tmp_path / "capture", [{"image": f"{n}.png", "objects": [{"id": 1}]} for n in range(60)], size=size,
                           intrinsics={"width": 300, "height": 200, "fov_vertical": 60})  # fmt: skip
    seen = []

    def before(count):
        seen.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        annotate_capture(capture, tmp_path / "out", FixedDepth(ramp(*size), before=before))
    finally:
        tracemalloc.stop()
    picture = size[0] * size[1] * 3
    assert min(seen[30:]) - min(seen[5:15]) < 3 * picture  # a run that keeps them only grows; how many are on their way differs


def test_previews_of_thousands_are_those_of_a_few():
    store = PreviewStore(1000, 8)
    small = depth_map(ramp(), None)
    for place in range(1000):
        store.add(place, small, error=abs(place - 300) / 1000 if place % 2 else None)
    held = [place for place in range(1000) if store.get(place) is not None]
    spaced = np.linspace(0, 999, 8).round().astype(int).tolist()
    assert held == sorted({*spaced, *range(985, 1000, 2)})
    assert PreviewStore(0, 8).get(0) is None


def test_a_preview_is_the_map_at_a_smaller_size():
    values = ramp(700, 1300)
    valid = values > 1.5
    store = PreviewStore(1, 1)
    store.add(0, depth_map(values, None, DepthKind.RELATIVE, valid=valid), None)
    preview = store.get(0)
    assert preview.kind is DepthKind.RELATIVE and max(preview.values.shape) <= MAX_SIDE
    wanted = reduced(depth_map(values, None, valid=valid))
    assert np.array_equal(preview.valid, wanted.valid)
    assert np.allclose(preview.values[preview.valid], wanted.values[wanted.valid], rtol=1e-3)


def test_results_stay_on_disk(tmp_path):
    with Progress.open(tmp_path, {"model": "m"}, fresh=False) as progress:
        progress.add("k1", {"größe": "\ud800", "n": 1})
        progress.add("k2", {"n": 2})
        assert progress.result("k1")["größe"] == "\ud800"
    with Progress.open(tmp_path, {"model": "m"}, fresh=False) as progress:
        assert len(progress) == 2 and progress.result("k2") == {"n": 2} and "k3" not in progress
        with pytest.raises(KeyError):
            progress.result("k3")


# ---- models without metres --------------------------------------------------------------------------------------


def test_relative_depth_is_called_so_and_known_distances_make_it_metres(tmp_path):
    plain = [{"image": "a.png", "objects": [{"id": 1}, {"id": 2}]}]
    capture = make_capture(tmp_path / "plain", plain)
    annotate_capture(capture, tmp_path / "1", FixedDepth(ramp(), DepthKind.RELATIVE))
    (entry,) = results(tmp_path / "1")
    assert (entry["unit"], entry["kind"]) == ("relative", "relative") and "fit" not in entry
    assert "up to one unknown scale" in entry["warnings"][0]
    known = [{"image": "a.png", "objects": [{"id": 1}, {"id": 2, "known_distance_m": 20.0}]}]
    capture = make_capture(tmp_path / "known", known)
    annotate_capture(capture, tmp_path / "2", FixedDepth(ramp(), DepthKind.RELATIVE))
    (entry,) = results(tmp_path / "2")
    assert (entry["unit"], entry["kind"], entry["fit"]["objects"]) == ("m", "relative", [2])
    assert entry["objects"][1]["distance"]["median"] == pytest.approx(20, rel=1e-5)
    assert entry["objects"][1]["known_distance_m"] == 20.0


LONG = int("9" * 400)  # JSON holds it, and no float does


@pytest.mark.parametrize(
    "entry",
    [
        {"objects": [{"id": 1, "known_distance_m": LONG}]},
        {"objects": [{"id": 1, "mask_value": LONG}]},
        {"objects": [], "camera": {"fx": LONG, "fy": 30}},
        {"objects": [], "camera": {"fx": 30, "fy": 30, "width": LONG}},
        {"objects": [], "camera": {"fx": 30, "fy": 30, "extrinsics": [[LONG, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]}},
        {"objects": [], "camera": {"fov_vertical": LONG}},
    ],
)
def test_a_number_that_no_float_holds_fails_its_picture_alone(tmp_path, entry):
    capture = make_capture(tmp_path / "capture", [{"image": "a.png", **entry}, {"image": "b.png", "objects": [{"id": 1, "area": LONG}]}])
    summary = annotate_capture(capture, tmp_path / "out", FixedDepth(ramp()))
    assert [outcome.image for outcome in summary.failed] == ["a.png"]
    assert results(tmp_path / "out")[1]["objects"][0]["area"] == LONG


def test_a_known_distance_beyond_all_sense_fails_its_picture_alone(tmp_path):
    entries = [{"image": f"{name}.png", "objects": [{"id": 1, "known_distance_m": far}]} for name, far in (("a", 1e20), ("b", 1e9))]
    summary = annotate_capture(make_capture(tmp_path / "capture", entries), tmp_path / "out", FixedDepth(ramp()))
    assert [outcome.image for outcome in summary.failed] == ["a.png"] and "at most 1e+09" in summary.failed[0].error


def test_a_known_distance_that_is_none_fails_its_picture_alone(tmp_path):
    entries = [{"image": name, "objects": [{"id": 1, **more}]} for name, more in
               (("a.png", {}), ("b.png", {"known_distance_m": -1}), ("c.png", {"known_distance_m": 3.0}))]  # fmt: skip
    capture = make_capture(tmp_path / "capture", entries)
    summary = annotate_capture(capture, tmp_path / "1", FixedDepth(ramp()))
    assert [outcome.image for outcome in summary.failed] == ["b.png"] and "known_distance_m -1" in summary.failed[0].error
    # Disparity needs two: the picture with one is passed over, that without is told why it has none.
    summary = annotate_capture(capture, tmp_path / "2", FixedDepth(ramp(), DepthKind.DISPARITY))
    assert [outcome.image for outcome in summary.failed] == ["b.png", "c.png"]
    (item,) = results(tmp_path / "2")[0]["objects"]
    assert item["distance"] is None and item["disparity"]["median"] > 0 and "choose a metric model" in item["reason"]


def test_everything_failing_is_one_error_and_leaves_nothing(capture, tmp_path):
    for name in NAMES:
        (capture / "images" / name).unlink()
    with pytest.raises(CaptureError, match=r"Not one of the 6 pictures.*a\.png"):
        annotate_capture(capture, tmp_path / "out", FixedDepth(ramp()))
    assert not (tmp_path / "out").exists()


def test_many_notes_are_cut_short(tmp_path):
    entries = [{"image": f"{number}.png", "objects": []} for number in range(annotate._MAX_NOTES + 5)]
    summary = annotate_capture(make_capture(tmp_path / "capture", entries), tmp_path / "out", FixedDepth(ramp()))
    notes = summary.to_json()["notes"]
    assert len(notes) == annotate._MAX_NOTES + 1 and notes[-1] == "and 5 more, in annotations.json"
