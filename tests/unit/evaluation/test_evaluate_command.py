# SPDX-License-Identifier: Apache-2.0
"""``depthbridge evaluate`` as a user runs it: a process of its own, real files, real models."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthbridge.cli.main import main
from depthbridge.engines.engine import DepthEngine
from support import onnx_models as models
from support.evaluation_sets import CAMERA, HEIGHT, WIDTH, picture, plain_folder, ramp

COUNT = 4
RESULTS = {"evaluation.json", "pictures.csv", "evaluation.html", "progress.jsonl"}


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny graph of each kind."""
    folder = tmp_path_factory.mktemp("models")
    return {
        "metric": models.da2_metric(folder / "depth_anything_v2_vits_indoor.onnx"),
        "focal": models.da3_single(folder / "DA3METRIC-LARGE.onnx", size=("h", "w")),
        "relative": models.da3_single(folder / "DA3MONO-LARGE.onnx", size=("h", "w")),
        "disparity": models.da2_relative(folder / "depth_anything_v2_vits.onnx"),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plain_folder(tmp_path_factory.mktemp("sets") / "floors", [ramp(seed) for seed in range(COUNT)])


@pytest.fixture(scope="module")
def blind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without a camera."""
    return plain_folder(tmp_path_factory.mktemp("sets") / "blind", [ramp(seed) for seed in range(COUNT)], camera=False)


def arguments(*words: object) -> list[str]:
    return [sys.executable, "-m", "depthbridge.cli.main", "evaluate", *map(str, words)]


def run(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(arguments(*words), capture_output=True, text=True, timeout=200, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, (done.stdout, done.stderr)
    return done


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str]]:
    """The same without the cost of a process: what stands on stdout and stderr."""

    def call(*words: object, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["depthbridge", "evaluate", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        shown = capsys.readouterr()
        assert stopped.value.code == code, (shown.out, shown.err)
        return shown.out, shown.err

    return call


def found(out: Path) -> dict[str, Any]:
    text = (out / "evaluation.json").read_text()
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# ---- what it measures -----------------------------------------------------------------------------------------------


def test_a_model_is_right_about_its_own_depth(tmp_path: Path) -> None:
    """The embedded model against its own answer, which depends on the picture's camera; and against that answer half as far away."""
    with DepthEngine.open("depthbridge-mini") as engine:
        own = [engine.estimate(picture(seed), CAMERA).values for seed in range(COUNT)]
    oracle, nearer = plain_folder(tmp_path / "oracle", own), plain_folder(tmp_path / "nearer", [each / 2 for each in own])
    run(oracle, "--model", "depthbridge-mini", "--out", tmp_path / "a")
    total = found(tmp_path / "a")["models"][0]["total"]
    assert total["abs_rel"] == total["rmse"] == total["rmse_log"] == 0 and total["delta1"] == total["delta3"] == 1
    run(nearer, "--out", tmp_path / "b")  # the embedded model is the default
    (model,) = found(tmp_path / "b")["models"]
    assert model["label"] == "depthbridge-mini" and model["alignment"] == "none"
    assert model["total"]["abs_rel"] == pytest.approx(1) and model["total"]["delta3"] == 0
    assert all(each["results"]["depthbridge-mini"]["scale"] == pytest.approx(0.5) for each in found(tmp_path / "b")["pictures"])
    run(nearer, "--align", "scale", "--out", tmp_path / "c")
    assert found(tmp_path / "c")["models"][0]["total"]["abs_rel"] == pytest.approx(0, abs=1e-7)


def test_table_json_csv_and_page_say_the_same(folder: Path, graphs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "made" / "on demand"
    done = run(folder, "--model", graphs["metric"], "--model", graphs["disparity"], "--out", out)
    assert names(out) == RESULTS
    facts = found(out)
    labels = [model["label"] for model in facts["models"]]
    assert labels == ["depth_anything_v2_vits_indoor", "depth_anything_v2_vits"]
    assert [model["alignment"] for model in facts["models"]] == ["none", "scale-shift"]
    assert facts["data_set"]["pictures"] == facts["data_set"]["evaluated"] == COUNT
    rows = list(csv.DictReader((out / "pictures.csv").open(newline="")))
    assert len(rows) == 2 * COUNT
    page = (out / "evaluation.html").read_text()
    for model in facts["models"]:
        mine = [row for row in rows if row["model"] == model["label"]]
        line = next(line for line in done.stdout.splitlines() if line.startswith(f"{model['label']} "))
        for key in ("abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3", "edge_f1", "boundary_f1"):
            values = [float(row[key]) for row in mine]
            assert model["total"][key] == pytest.approx(np.mean(values)) and model["median"][key] == pytest.approx(np.median(values))
            assert model["count"][key] == COUNT
            assert f"{model['total'][key]:.3f}" in page
            assert [each["results"][model["label"]][key] for each in facts["pictures"]] == pytest.approx(values)
        cells = ["-" if value is None else f"{value:.3f}" for value in model["total"].values()]
        assert line.split()[1:] == ["total", model["alignment"], *cells, str(COUNT)]
        assert model["ran_on"] == [
            {"runtime": model["ran_on"][0]["runtime"], "device": "cpu", "precision": "fp32", "fixed_input": None,
             "input": {"method": "da2_lower_bound", "size": 518}}
        ]  # fmt: skip
        assert model["count"]["sky_iou"] == 0 and model["total"]["sky_iou"] is None
    assert "aligned differently" in done.stderr and "scale and shift per picture" in done.stderr


@pytest.mark.parametrize("kinds", [("metric",), ("metric", "focal", "relative", "disparity")])
def test_a_narrow_terminal_cuts_no_figure(
    folder: Path, graphs: dict[str, Path], tmp_path: Path, here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, ...]
) -> None:
    monkeypatch.setenv("TERM", "dumb")  # 80 columns, and nothing but text
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown, _ = here(folder, *(word for kind in kinds for word in ("--model", graphs[kind])), "--limit", 2, "--out", tmp_path / "out")
    assert "…" not in shown
    models = found(tmp_path / "out")["models"]
    for key, title in (("abs_rel", "AbsRel ↓"), ("boundary_f1", "boundary F1 ↑"), ("sky_iou", "sky IoU ↑")):
        (line,) = (line for line in shown.splitlines() if line.startswith(title))
        values = [model[word][key] for model in models for word in ("total", "median")]
        assert line.removeprefix(title).split() == ["-" if value is None else f"{value:.3f}" for value in values]
    assert shown.count("median") == len(models) and all(model["label"] in shown for model in models)


def test_each_kind_is_aligned_by_what_it_lacks(folder: Path, graphs: dict[str, Path], tmp_path: Path, here: Callable[..., Any]) -> None:
    words = [word for kind in ("metric", "focal", "relative", "disparity") for word in ("--model", graphs[kind])]
    here(folder, *words, "--out", tmp_path / "out")
    assert [(each["kind"], each["alignment"]) for each in found(tmp_path / "out")["models"]] == [
        ("metric", "none"),
        ("metric", "none"),
        ("relative", "scale"),
        ("disparity", "scale-shift"),
    ]


def test_the_size_of_the_networks_input_is_obeyed(folder: Path, tmp_path: Path, here: Callable[..., Any]) -> None:
    here(folder, "--out", tmp_path / "a", "--size", 252, "--limit", 1)
    (model,) = found(tmp_path / "a")["models"]
    assert model["ran_on"][0]["input"] == {"method": "upper_bound_resize", "size": 252}
    here(folder, "--out", tmp_path / "b", "--limit", 1)
    assert found(tmp_path / "b")["models"][0]["total"] != model["total"]
    _, said = here(folder, "--out", tmp_path / "c", "--size", 250, code=2)
    assert "250" in said and "14" in said


# ---- what it refuses, and what to do --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "align", "remedy"), [("disparity", "none", "scale-shift"), ("disparity", "scale", "scale-shift"), ("relative", "none", "--align scale,")]
)
def test_an_alignment_that_leaves_no_metres_is_refused(
    kind: str, align: str, remedy: str, folder: Path, graphs: dict[str, Path], tmp_path: Path, here: Callable[..., Any]
) -> None:
    shown, said = here(folder, "--model", graphs[kind], "--align", align, "--out", tmp_path / "out", code=2)
    assert shown == "" and said.count("\n") == 1 and remedy in said and not (tmp_path / "out").exists()


def test_metres_need_a_camera(blind: Path, graphs: dict[str, Path], tmp_path: Path, here: Callable[..., Any]) -> None:
    out = tmp_path / "out"
    _, said = here(blind, "--model", graphs["focal"], "--out", out, code=2)
    assert said.count("\n") == 1 and "--fov-v" in said and "--align scale" in said and not out.exists()
    here(blind, "--model", graphs["focal"], "--align", "scale", "--out", out)
    assert {each["camera"] for each in found(out)["pictures"]} == {"none"}
    here(blind, "--model", graphs["metric"], "--out", tmp_path / "metric")  # its metres need none


def test_a_given_camera_is_that_of_pictures_without_one(blind: Path, folder: Path, graphs: dict[str, Path], tmp_path: Path, here: Callable[..., Any]) -> None:
    """CAMERA is 50 degrees high; the data set's own comes before the option."""
    _, said = here(blind, "--model", graphs["focal"], "--fov-v", 50, "--out", tmp_path / "given")
    here(folder, "--model", graphs["focal"], "--fov-v", 90, "--out", tmp_path / "own")
    here(blind, "--model", graphs["focal"], "--fov-v", 90, "--out", tmp_path / "wide")
    given, own, wide = (found(tmp_path / name) for name in ("given", "own", "wide"))
    assert given["models"][0]["total"] == own["models"][0]["total"] != wide["models"][0]["total"]
    assert {each["camera"] for each in given["pictures"]} == {"given"} and {each["camera"] for each in own["pictures"]} == {"data set"}
    assert "50 degrees" in said and given["data_set"]["fov_vertical_deg_where_no_camera"] == 50


def test_bad_input_is_one_sentence(folder: Path, graphs: dict[str, Path], tmp_path: Path, here: Callable[..., Any]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "noise.onnx").write_bytes(b"no model")
    out = tmp_path / "out"
    for words, expected in (
        ((tmp_path / "missing",), "does not exist"),
        ((tmp_path / "empty",), "no data set"),
        ((folder, "--layout", "pancake"), "pancake"),
        ((folder, "--model", "no-such-model"), "no-such-model"),
        ((folder, "--model", tmp_path / "noise.onnx"), "noise.onnx"),
        ((folder, "--model", graphs["metric"], "--model", graphs["metric"]), "once"),
        ((folder, "--fov-v", 200), "200"),
        ((folder, "--runtime", "abacus"), "abacus"),
    ):
        shown, said = here(*words, "--out", out, code=2)
        assert shown == "" and said.count("\n") == 1 and expected in said, said
        assert not out.exists()


def test_what_an_engine_says_of_itself_is_told(folder: Path, tmp_path: Path, here: Callable[..., Any]) -> None:
    """The graph alone tells that it is of the third series, and not whether its depth is of a canonical camera."""
    graph = models.da3_single(tmp_path / "nameless.onnx", size=("h", "w"))
    _, said = here(folder, "--model", graph, "--out", tmp_path / "out")
    (model,) = found(tmp_path / "out")["models"]
    assert model["notes"] and all(f"depthbridge: nameless: {note}\n" in said for note in model["notes"])


def test_two_models_of_one_name_are_told_apart(folder: Path, graphs: dict[str, Path], tmp_path: Path, here: Callable[..., Any]) -> None:
    other = tmp_path / graphs["metric"].name
    models.da2_metric(other, max_depth=10.0)
    here(folder, "--model", graphs["metric"], "--model", other, "--out", tmp_path / "out")
    first, second = found(tmp_path / "out")["models"]
    assert first["label"] == f"depth_anything_v2_vits_indoor ({first['sha256'][:8]})" != second["label"]
    assert first["total"]["abs_rel"] != second["total"]["abs_rel"]


# ---- pictures that cannot be used -----------------------------------------------------------------------------------


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    """The second picture cannot be read, and all of the third is farther than what counts."""
    folder = plain_folder(tmp_path / "spoilt", [ramp(0), ramp(1), np.full((HEIGHT, WIDTH), 200.0), ramp(3)])
    (folder / "camera.json").write_text(json.dumps(CAMERA.to_json() | {"farthest_m": 100}))
    (folder / "rgb" / "0001.png").write_bytes(b"no picture")
    return folder


def test_bad_pictures_are_listed_and_the_others_count(spoilt: Path, tmp_path: Path, here: Callable[..., Any]) -> None:
    out = tmp_path / "out"
    _, said = here(spoilt, "--out", out, code=2)
    facts = found(out)
    (model,) = facts["models"]
    assert model["pictures"] == 2 and model["without_counted_pixel"] == ["0002"]
    assert [each["picture"] for each in model["failed"]] == ["0001"] and "0001" in model["failed"][0]["error"]
    assert "1 of 4 pictures" in said and "without a pixel that counts" in said and "0002" in said
    assert facts["pictures"][1]["results"]["depthbridge-mini"] == {"error": model["failed"][0]["error"]}
    good = [each["results"]["depthbridge-mini"]["abs_rel"] for each in facts["pictures"] if each["picture"] in ("0000", "0003")]
    assert model["total"]["abs_rel"] == pytest.approx(np.mean(good)) and facts["pictures"][2]["results"]["depthbridge-mini"]["abs_rel"] is None


def test_a_mended_picture_alone_is_done_again(spoilt: Path, folder: Path, tmp_path: Path, here: Callable[..., Any]) -> None:
    out = tmp_path / "out"
    here(spoilt, "--out", out, code=2)
    before = (out / "progress.jsonl").read_text().splitlines()
    shutil.copy(folder / "rgb" / "0001.png", spoilt / "rgb" / "0001.png")
    here(spoilt, "--out", out)
    after = (out / "progress.jsonl").read_text().splitlines()
    assert after[: len(before)] == before and sum('"score"' in line for line in after[len(before) :]) == 1
    here(spoilt, "--out", tmp_path / "fresh")
    assert found(out) == found(tmp_path / "fresh")
    assert (out / "evaluation.html").read_bytes() == (tmp_path / "fresh" / "evaluation.html").read_bytes()


def test_not_one_picture_is_an_error(tmp_path: Path, here: Callable[..., Any]) -> None:
    folder = plain_folder(tmp_path / "set", [ramp(0), ramp(1)])
    for path in (folder / "rgb").iterdir():
        path.write_bytes(b"no picture")
    _, said = here(folder, "--out", tmp_path / "out", code=2)
    assert "Not one of the 2 pictures" in said and not (tmp_path / "out").exists()


# ---- the output folder ----------------------------------------------------------------------------------------------


def test_nothing_of_the_users_is_overwritten_unasked(folder: Path, tmp_path: Path, here: Callable[..., Any]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "evaluation.json").write_text("mine")
    _, said = here(folder, "--out", out, code=2)
    assert "evaluation.json" in said and names(out) == {"evaluation.json"} and (out / "evaluation.json").read_text() == "mine"
    here(folder, "--out", out, "--force")
    assert names(out) == RESULTS and found(out)["schema"] == "depthbridge-evaluation/1"


def test_results_stay_where_they_cannot_be_written(folder: Path, tmp_path: Path, here: Callable[..., Any]) -> None:
    before = names(folder)
    for out in (folder, folder / "out"):
        _, said = here(folder, "--out", out, code=2)
        assert "lies in the data set" in said
    assert names(folder) == before
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        _, said = here(folder, "--out", out, code=2)
        assert said.count("\n") == 1 and "Cannot write" in said
    assert (tmp_path / "file").read_text() == "mine"


def test_another_order_does_not_mix_with_the_first(folder: Path, graphs: dict[str, Path], tmp_path: Path, here: Callable[..., Any]) -> None:
    out = tmp_path / "out"
    here(folder, "--model", graphs["metric"], "--out", out)
    before = (out / "evaluation.json").read_bytes()
    metric = ("--model", graphs["metric"])
    for words, differing in (
        (("--model", graphs["focal"]), "DA3METRIC-LARGE"),
        ((*metric, "--align", "scale"), "--align scale"),
        ((*metric, "--size", 252), "size None, now 252"),
    ):
        _, said = here(folder, *words, "--out", out, code=2)
        assert "another run" in said and "--force" in said and differing in said and "{" not in said
    assert (out / "evaluation.json").read_bytes() == before
    here(folder, "--model", graphs["focal"], "--out", out, "--force")
    assert found(out)["models"][0]["label"] == "DA3METRIC-LARGE"


def test_a_run_goes_on_with_more_pictures(folder: Path, tmp_path: Path, here: Callable[..., Any]) -> None:
    out = tmp_path / "out"
    here(folder, "--out", out, "--limit", 2)
    assert found(out)["data_set"]["evaluated"] == 2
    first = (out / "progress.jsonl").read_text().splitlines()
    shown, _ = here(folder, "--out", out)
    again, _ = here(folder, "--out", out)
    assert again == shown and found(out)["data_set"]["evaluated"] == COUNT
    lines = (out / "progress.jsonl").read_text().splitlines()
    assert lines[: len(first)] == first and sum('"score"' in line for line in lines) == COUNT


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_ctrl_c_leaves_what_was_done_and_nothing_half_written(folder: Path, tmp_path: Path) -> None:
    """Far more pictures than any machine does before it hears of the signal."""
    many, out = tmp_path / "many", tmp_path / "out"
    for name, suffix in (("rgb", "png"), ("depth", "npy")):
        (many / name).mkdir(parents=True)
        for place in range(5000):
            os.link(folder / name / f"{place % COUNT:04d}.{suffix}", many / name / f"{place:04d}.{suffix}")
    shutil.copy(folder / "camera.json", many)
    words = (many, "--out", out)
    going = subprocess.Popen(arguments(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    progress = out / "progress.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and going.poll() is None and not (progress.exists() and progress.read_bytes().count(b"\n") > 4):
        time.sleep(0.02)
    going.send_signal(signal.SIGINT)
    shown, said = going.communicate(timeout=60)
    assert going.returncode == 130 and shown == "" and "Traceback" not in said and "goes on from there" in said, said
    assert names(out) == {"progress.jsonl"}
    kept = progress.read_text().splitlines()
    count = sum('"score"' in line for line in kept)
    told = int(said.split("stopped after ")[1].split()[0])
    assert 3 <= count < 5000 and told in (count - 1, count)  # one may be kept and not yet told
    run(*words, "--limit", count + 2)
    lines = progress.read_text().splitlines()
    assert lines[: len(kept)] == kept and names(out) == RESULTS and sum('"score"' in line for line in lines) == count + 2
