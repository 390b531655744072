# SPDX-License-Identifier: Apache-2.0
"""From a request to a prepared build, with real networks and real files, and stopped at every stage."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from depthbridge.addon.jobs import pipeline
from depthbridge.addon.jobs.pipeline import Picture, Ready, estimate_for_build, run
from depthbridge.addon.jobs.progress import Pace, Progress, Stage
from depthbridge.addon.jobs.request import BuildRequest, CameraChoice, CameraMode, EngineChoice, OpenEngine, Source
from depthbridge.addon.jobs.worker import Failed, Worker
from depthbridge.addon.options import BuildAs, BuildOptions
from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.depth_file import DepthMeaning
from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import CameraError, CancelledError, ImageError, ModelError
from depthbridge.engines.export.exr import write_exr
from depthbridge.engines.export.npz import write_npz
from support import onnx_models as models
from support.known_depth import CAMERAS, depth_map, picture, wavy_depth

PATIENCE_S = 20.0
EXIF = CameraIntrinsics.from_vertical_fov(40, 84, 56)
GIVEN = CameraIntrinsics.from_vertical_fov(30, 84, 56)


@pytest.fixture
def metric(tmp_path: Path) -> Path:
    return models.da3_single(tmp_path / "da3metric.onnx", size=("height", "width"))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(np.random.default_rng(0).integers(60, 200, (56, 84, 3), dtype=np.uint8)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def request(photo: Path, model: Path, **more: Any) -> BuildRequest:
    return BuildRequest(Source("photo", picture=photo), EngineChoice(model=str(model), device="cpu"), **more)


def ready(wanted: BuildRequest, **more: Any) -> Ready:
    return run(wanted, progress=lambda item: None, cancel=CancelToken(), **more)


# ---- cameras -----------------------------------------------------------------------------------------------------------


def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 200, (56, 84, 3), dtype=np.uint8)


def test_a_canonical_model_is_given_the_assumed_camera_so_that_the_scene_is_in_metres(metric: Path) -> None:
    with DepthEngine.open(metric) as engine:
        assert engine.estimate(pixels()).kind is DepthKind.RELATIVE
        depth = estimate_for_build(engine, Picture(pixels()))
        expected = engine.estimate(pixels(), CameraIntrinsics.assumed(84, 56))
    assert (depth.kind, depth.camera_source) == (DepthKind.METRIC, CameraSource.ASSUMED)
    assert depth.camera == CameraIntrinsics.assumed(84, 56)
    np.testing.assert_array_equal(depth.values, expected.values)


@pytest.mark.parametrize(
    ("choice", "exif", "camera", "source"),
    [
        (CameraChoice(CameraMode.INTRINSICS, intrinsics=GIVEN), EXIF, GIVEN, CameraSource.GIVEN),
        (CameraChoice(), EXIF, EXIF, CameraSource.EXIF),
        (CameraChoice(CameraMode.MODEL), EXIF, EXIF, CameraSource.EXIF),  # this model predicts none
        (CameraChoice(CameraMode.MODEL), None, CameraIntrinsics.assumed(84, 56), CameraSource.ASSUMED),
    ],
)
def test_known_cameras_come_before_the_assumption(
    choice: CameraChoice, exif: CameraIntrinsics | None, camera: CameraIntrinsics, source: CameraSource, metric: Path
) -> None:
    with DepthEngine.open(metric) as engine:
        depth = estimate_for_build(engine, Picture(pixels(), exif), choice)
    assert (depth.camera, depth.camera_source, depth.kind) == (camera, source, DepthKind.METRIC)


def test_the_models_camera_is_taken_before_exif_only_when_asked(tmp_path: Path) -> None:
    with DepthEngine.open(models.da3_main(tmp_path / "da3-small.onnx", views=1)) as engine:
        auto = estimate_for_build(engine, Picture(pixels(), EXIF))
        asked = estimate_for_build(engine, Picture(pixels(), EXIF), CameraChoice(CameraMode.MODEL))
    assert (auto.camera, auto.camera_source) == (EXIF, CameraSource.EXIF)
    assert asked.camera_source is CameraSource.MODEL
    assert asked.camera != EXIF


# ---- requests ----------------------------------------------------------------------------------------------------------


def test_a_picture_becomes_a_prepared_build(photo: Path, metric: Path) -> None:
    found = ready(request(photo, metric, options=BuildOptions(stride=2)))
    assert found.prepared.source.kind is DepthKind.METRIC
    assert found.prepared.stride == 2
    assert found.backfill is None
    assert len(found.prepared.positions) == 28 * 42
    np.testing.assert_array_equal(found.prepared.image, np.asarray(Image.open(photo)))
    assert [note for note in found.notes if "50 degrees" in note]


def test_an_open_engine_is_used_and_left_open(photo: Path, metric: Path) -> None:
    told: list[Progress] = []
    with DepthEngine.open(metric) as engine:
        wanted = request(photo, Path("nowhere.onnx"))
        for _ in range(2):
            run(wanted, progress=told.append, cancel=CancelToken(), estimator=engine)
    assert Stage.LOAD not in {item.stage for item in told}


def test_an_engine_of_its_own_is_closed(photo: Path, metric: Path) -> None:
    opened: list[OpenEngine] = []

    @dataclass(frozen=True)
    class Watched(EngineChoice):
        def open(self, cancel: CancelToken | None = None) -> OpenEngine:
            opened.append(super().open(cancel))
            return opened[0]

    ready(replace(request(photo, metric), engine=Watched(model=str(metric), device="cpu")))
    with pytest.raises(ModelError, match="closed"):
        opened[0].estimate(pixels())


def test_disparity_is_built_by_a_guess_that_is_told(tmp_path: Path, photo: Path) -> None:
    found = ready(request(photo, models.da2_relative(tmp_path / "depth_anything_v2_vits.onnx")))
    assert found.prepared.source.kind is DepthKind.DISPARITY
    assert found.prepared.conversion is not None and found.prepared.conversion.guessed
    assert [note for note in found.notes if "guessed" in note]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (BuildOptions(stride=2), False),
        (BuildOptions(stride=2, nearest=1e6), "within the depth range"),
        (BuildOptions(stride=2, farthest=1e-6), "within the depth range"),
        (BuildOptions(stride=1000), "no face"),
        (BuildOptions(as_=BuildAs.POINTS, stride=1000), False),
    ],
)
def test_a_build_of_which_nothing_will_be_seen_says_why(photo: Path, metric: Path, options: BuildOptions, told: str | bool) -> None:
    notes = [note for note in ready(request(photo, metric, options=options)).notes if "depth range" in note or "no face" in note]
    assert (bool(notes) and str(told) in notes[0]) if told else not notes


def test_pixels_may_come_without_a_file(metric: Path) -> None:
    wanted = BuildRequest(Source("render", picture=pixels()), EngineChoice(model=str(metric), device="cpu"))
    assert len(ready(wanted).prepared.positions) == 56 * 84
    with pytest.raises(ImageError, match="float64"):
        ready(replace(wanted, source=Source("render", picture=pixels().astype(np.float64))))  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", ["missing picture", "broken model", "wrong camera"])
def test_what_is_wrong_is_told(wanted: str, photo: Path, metric: Path, tmp_path: Path) -> None:
    (tmp_path / "garbage.onnx").write_bytes(b"garbage")
    cases: dict[str, tuple[BuildRequest, type[Exception]]] = {
        "missing picture": (request(tmp_path / "none.png", metric), ImageError),
        "broken model": (request(photo, tmp_path / "garbage.onnx"), ModelError),
        "wrong camera": (request(photo, tmp_path / "garbage.onnx", camera=CameraChoice(CameraMode.FOV_VERTICAL, degrees=400)), CameraError),
    }
    case, error = cases[wanted]
    with pytest.raises(error):
        ready(case)


# ---- depth files -------------------------------------------------------------------------------------------------------

CAMERA = CAMERAS["off centre"]


def test_a_depth_file_is_built_as_it_is_and_coloured_by_itself(tmp_path: Path) -> None:
    known = depth_map(wavy_depth(CAMERA), CAMERA)
    write_npz(tmp_path / "room.npz", known)
    found = ready(BuildRequest(Source("room", depth_file=tmp_path / "room.npz"), EngineChoice(model="no such model")))
    np.testing.assert_array_equal(found.prepared.source.values, known.values)
    assert (found.prepared.source.camera, found.prepared.source.kind) == (CAMERA, DepthKind.METRIC)
    assert [note for note in found.notes if "coloured by depth" in note]
    near, far = np.argmin(known.values), np.argmax(known.values)
    brightness = found.prepared.image.reshape(-1, 3).sum(axis=1)
    assert brightness[near] > brightness[far] + 200


def test_a_picture_of_another_size_is_brought_to_the_depths(tmp_path: Path) -> None:
    write_npz(tmp_path / "room.npz", depth_map(wavy_depth(CAMERA), CAMERA))
    large = np.repeat(np.repeat(picture(160, 120), 2, axis=0), 2, axis=1)
    found = ready(BuildRequest(Source("room", picture=large, depth_file=tmp_path / "room.npz")))
    np.testing.assert_array_equal(found.prepared.image, picture(160, 120))
    with pytest.raises(ImageError, match=r"160x160.*160x120"):
        ready(BuildRequest(Source("room", picture=picture(160, 160), depth_file=tmp_path / "room.npz")))


def test_a_depth_files_own_camera_gives_way_to_the_given_one(tmp_path: Path) -> None:
    write_npz(tmp_path / "room.npz", depth_map(wavy_depth(CAMERA), CAMERA))
    given = CameraChoice(CameraMode.FOV_VERTICAL, degrees=33)
    source = ready(BuildRequest(Source("room", depth_file=tmp_path / "room.npz"), camera=given)).prepared.source
    assert source.camera is not None and source.camera.fov_vertical_deg == pytest.approx(33)
    assert source.camera_source is CameraSource.GIVEN


def test_a_depth_files_own_camera_comes_before_the_pictures_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Depthbridge"  # Pillow leaves out an EXIF block whose main directory is empty
    exif.get_ifd(0x8769)[0xA405] = 24
    Image.fromarray(picture(160, 120)).save(tmp_path / "photo.png", exif=exif)
    for name, camera, source in (("own", CAMERA, CameraSource.GIVEN), ("none", None, CameraSource.EXIF)):
        write_npz(tmp_path / f"{name}.npz", depth_map(wavy_depth(CAMERA), camera))
        built = ready(BuildRequest(Source("room", picture=tmp_path / "photo.png", depth_file=tmp_path / f"{name}.npz"))).prepared.source
        assert built.camera_source is source
        assert built.camera is not None and (built.camera == CAMERA) is (camera is not None)


def test_what_the_numbers_mean_is_the_users_word(tmp_path: Path) -> None:
    write_exr(tmp_path / "room.exr", depth_map(wavy_depth(CAMERA), CAMERA))
    foreign = tmp_path / "foreign.npz"
    np.savez(foreign, wavy_depth(CAMERA))
    for meaning, kind in ((DepthMeaning.RELATIVE, DepthKind.RELATIVE), (DepthMeaning.METRES, DepthKind.METRIC)):
        found = ready(BuildRequest(Source("room", depth_file=foreign, meaning=meaning)))
        assert found.prepared.source.kind is kind
        assert found.prepared.source.camera_source is CameraSource.ASSUMED


# ---- stopping ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", list(Stage))
def test_a_cancel_at_any_stage_ends_the_job_there(stage: Stage, photo: Path, metric: Path) -> None:
    token, told = CancelToken(), []

    def report(item: Progress) -> None:
        told.append(item.stage)
        if item.stage is stage:
            token.cancel()

    with pytest.raises(CancelledError):
        run(request(photo, metric), progress=report, cancel=token)
    assert told[-1] is stage


@pytest.mark.parametrize(("stage", "name"), [(Stage.READ, "decode_image"), (Stage.PREPARE, "prepare")])
def test_work_that_hears_nothing_is_left_behind(stage: Stage, name: str, photo: Path, metric: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, name, deaf := Deaf(getattr(pipeline, name)))
    stopped_while(deaf, request(photo, metric))


def test_a_model_that_takes_long_to_load_is_left_behind(photo: Path, metric: Path) -> None:
    deaf = Deaf(EngineChoice(model=str(metric), device="cpu").open)

    @dataclass(frozen=True)
    class Slow(EngineChoice):
        def open(self, cancel: CancelToken | None = None) -> OpenEngine:
            opened: OpenEngine = deaf()
            return opened

    stopped_while(deaf, replace(request(photo, metric), engine=Slow()))


class Deaf:
    """Work of a library that hears no cancel: it goes on until it is let go."""

    def __init__(self, work: Callable[..., Any]) -> None:
        self._work = work
        self.busy, self.free = threading.Event(), threading.Event()

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        self.busy.set()
        assert self.free.wait(PATIENCE_S), "the job waited for its work"
        return self._work(*arguments, **more)


def stopped_while(deaf: Deaf, wanted: BuildRequest) -> None:
    worker: Worker[Ready] = Worker()
    worker.start(lambda report, cancel: run(wanted, progress=report, cancel=cancel))
    assert deaf.busy.wait(PATIENCE_S)
    worker.cancel()
    assert worker.join(PATIENCE_S / 2), "the job did not leave its work behind"
    assert not deaf.free.is_set()
    (event,) = worker.poll()
    assert isinstance(event, Failed) and event.cancelled
    deaf.free.set()


def test_an_estimate_really_stops(tmp_path: Path) -> None:
    bright = np.full((56, 84, 3), 250, dtype=np.uint8)
    wanted = BuildRequest(Source("x", picture=bright), EngineChoice(model=str(models.slow_when_bright(tmp_path / "da3.onnx")), device="cpu"))
    worker: Worker[Ready] = Worker()
    estimating = threading.Event()

    def job(report: Callable[[Progress], None], cancel: CancelToken) -> Ready:
        def heard(item: Progress) -> None:
            if item.stage is Stage.ESTIMATE:
                estimating.set()

        return run(wanted, progress=heard, cancel=cancel)

    worker.start(job)
    assert estimating.wait(PATIENCE_S)
    worker.cancel()
    assert worker.join(PATIENCE_S)
    (event,) = worker.poll()
    assert isinstance(event, Failed) and event.cancelled


def test_two_jobs_at_once_do_not_meet(tmp_path: Path, metric: Path) -> None:
    pictures = [np.full((56, 84, 3), level, dtype=np.uint8) for level in (80, 140)]
    alone = [ready(BuildRequest(Source("x", picture=rgb), EngineChoice(model=str(metric), device="cpu"))) for rgb in pictures]
    workers: list[Worker[Ready]] = [Worker(), Worker()]
    for worker, rgb in zip(workers, pictures, strict=True):
        wanted = BuildRequest(Source("x", picture=rgb), EngineChoice(model=str(metric), device="cpu"))
        worker.start(lambda report, cancel, wanted=wanted: run(wanted, progress=report, cancel=cancel))  # type: ignore[misc]
    for worker, expected in zip(workers, alone, strict=True):
        assert worker.join(PATIENCE_S)
        done = worker.poll()[-1]
        np.testing.assert_array_equal(done.result.prepared.positions, expected.prepared.positions)  # type: ignore[union-attr]


# ---- progress ----------------------------------------------------------------------------------------------------------


def test_the_second_job_of_a_pace_knows_its_time(photo: Path, metric: Path) -> None:
    pace, first, second = Pace(), [], []
    for told in (first, second):
        run(request(photo, metric, options=BuildOptions(as_=BuildAs.RELIEF)), progress=told.append, cancel=CancelToken(), pace=pace)
    assert [item.stage for item in first] == list(Stage)
    assert all(item.seconds_left is None for item in first)
    assert second[0].seconds_left is not None
    assert all(later.fraction >= earlier.fraction for earlier, later in pairwise(second))
