# SPDX-License-Identifier: Apache-2.0
"""The package's samples, played on mono: the self-test passes on a card that is right and says what is wrong on one that is not."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthbridge.unity_bridge.captures.annotate import annotate_capture
from depthbridge.unity_bridge.captures.capture import Capture
from depthbridge.unity_bridge.serving.server import BridgeServer
from support.bridge_peers import LOOPBACK
from support.colour_depth import ColourDepth
from support.mono import CORE, PACKAGE, compile_cs, run_mono, sources
from support.unity_play import RESOURCES, UNITY_TESTS, PlayBuild, build_play

SAMPLES = PACKAGE / "Samples~"
NAMES = ("BoxesOnCubes", "SelfTest")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> PlayBuild:
    build = build_play(tmp_path_factory.mktemp("samples"))
    build_samples(build)
    return build


def build_samples(build: PlayBuild) -> None:
    shipped = [build.core, build.engine, build.components]
    made = [compile_cs(build.folder / f"Depthbridge.Samples.{name}.dll", sources(SAMPLES / name), references=shipped) for name in NAMES]
    compile_cs(build.folder / "Samples.exe", sources(UNITY_TESTS / "samples"), references=[*shipped, *made])


def play(build: PlayBuild, sample: str, **options: Any) -> dict[str, Any]:
    given = [f"{name}={value}" for name, value in {"python": sys.executable, **options}.items()]
    done = run_mono(build.folder / "Samples.exe", sample, str(RESOURCES), *given, timeout_s=240)
    assert done.returncode == 0 and not done.stderr, done.stdout[-4000:] + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert not [line for line in report["log"] if line.startswith("exception")], report["log"]
    assert report["render_textures_left"] == report["command_buffers_left"] == 0
    return report


# ---- self-test -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ways", [{}, {"sync": "yes"}, {"four": "yes"}, {"gamma": "yes"}], ids=lambda ways: ",".join(ways) or "as shipped")
def test_the_self_test_passes_where_all_is_right(build: PlayBuild, ways: dict[str, str]) -> None:
    report = play(build, "SelfTest", **ways)
    verdicts = [line["verdict"] for line in report["lines"]]
    assert report["passed"] and report["finished"] == 1 and "Fail" not in verdicts, report["text"]
    assert verdicts.count("Pass") == 8 + 2 * 9
    assert report["tidy"] and report["targets"] == 0, "as soon as the table is there"
    assert all(not line["remedy"] for line in report["lines"])
    assert report["shown"] == report["text"] and [f"log: {report['text']}"] == [line for line in report["log"] if "self-test" in line]
    found = {line["check"]: line["found"] for line in report["lines"]}
    assert ("ReadPixels" in found["readback"]) == ("sync" in ways) and ("four" in found["mask"]) == bool({"sync", "four"} & set(ways))
    counted = re.search(r"of (\d+) pixels", found["mask: ids are exact"])
    assert counted and int(counted[1]) > 0.8 * 640 * 360


FLIP = """Pixels = Flipped((RenderTexture)src, {which}),"""
FLIPPED = """
        private static byte[] Flipped(RenderTexture of, bool wanted)
        {
            var rows = (byte[])of.Pixels.Clone();
            var length = rows.Length / of.height;
            for (var y = 0; wanted && y < of.height; y++)
            {
                Buffer.BlockCopy(of.Pixels, y * length, rows, (of.height - 1 - y) * length, length);
            }
            return rows;
        }

        public static void WaitAllRequests()"""
COPY = "Pixels = (byte[])((RenderTexture)src).Pixels.Clone(),"
IS = "((RenderTexture)src).graphicsFormat == UnityEngine.Experimental.Rendering.GraphicsFormat."
READ_INTRINSICS = "return PinholeIntrinsics.FromProjection(Rows(Projection(camera)), width, height)"


def flipped(which: str) -> list[tuple[str, str, str]]:
    file = "stubs/Rendering.cs"
    return [(file, COPY, FLIP.format(which=IS + which)), (file, "        public static void WaitAllRequests()", FLIPPED.lstrip("\n"))]


FAULTS: dict[str, tuple[list[tuple[str, str, str]], str]] = {
    "the mask is upside down": (flipped("R8G8_UNorm"), "mask: rows"),
    "the picture is upside down": (flipped("R8G8B8A8_SRGB"), "picture: rows"),
    "true depth is upside down": (flipped("R32_SFloat"), "depth: rows"),
    "ids are made sRGB": (
        [("stubs/Rasterizer.cs", "if (Target.graphicsFormat == GraphicsFormat.R8G8B8A8_SRGB)", "if (Target.graphicsFormat != GraphicsFormat.None)")],
        "mask: ids are exact",
    ),
    "the picture is not sRGB": (
        [("Capture/CaptureTargets.cs", "isLinear ? GraphicsFormat.R8G8B8A8_SRGB", "isLinear ? GraphicsFormat.R8G8B8A8_UNorm")],
        "picture: sRGB bytes",
    ),
    "the field of view is the sensor's": (
        [("Capture/CameraReader.cs", READ_INTRINSICS, "return PinholeIntrinsics.FromVerticalFov("
          "camera.usePhysicalProperties ? 2 * 57.29577951 * System.Math.Atan(camera.sensorSize.y / 2 / camera.focalLength) : camera.fieldOfView, width, height)")],
        "intrinsics: physical, gate fit Horizontal",
    ),
    "the aspect that a script set is not seen": (
        [("Capture/CameraReader.cs", READ_INTRINSICS, "var read = PinholeIntrinsics.FromProjection(Rows(Projection(camera)), width, height);\n"
          "            return PinholeIntrinsics.FromPixels(read.Fy, read.Fy, read.Cx, read.Cy, width, height)")],
        "intrinsics: aspect set to 1",
    ),
    "the lens shift has the wrong sign": (
        [("Capture/CameraReader.cs", READ_INTRINSICS, "var read = PinholeIntrinsics.FromProjection(Rows(Projection(camera)), width, height);\n"
          "            return PinholeIntrinsics.FromPixels(read.Fx, read.Fy, width - read.Cx, read.Cy, width, height)")],
        "intrinsics: physical, gate fit Fill",
    ),
    "true depth is along the ray": (
        [("stubs/Rasterizer.cs", "new float3(seen.x, seen.y, seen.z)", "new float3(seen.x, seen.y, -seen.magnitude)")],
        "depth: planar metres",
    ),
    "the mask is antialiased": (
        [("stubs/Rendering.cs", COPY, "Pixels = Mixed((RenderTexture)src),"), ("stubs/Rendering.cs", "        public static void WaitAllRequests()", """
        private static byte[] Mixed(RenderTexture of)
        {
            var mixed = (byte[])of.Pixels.Clone();
            for (var i = 0; of.PixelBytes == 2 && i < mixed.Length - 2; i++)
            {
                mixed[i] = (byte)((of.Pixels[i] + of.Pixels[i + 2]) / 2);
            }
            return mixed;
        }

        public static void WaitAllRequests()""")],
        "mask: no ids between two others",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, build: PlayBuild) -> Any:
    """Builds with one thing changed; the shipped samples look at it."""

    def make(edits: list[tuple[str, str, str]]) -> PlayBuild:
        folder = tmp_path_factory.mktemp("faulty")
        for library in build.folder.glob("*.dll"):
            shutil.copy2(library, folder)
        shutil.copy2(build.folder / "ShaderCode.cs", folder)
        shutil.copytree(UNITY_TESTS / "stubs", folder / "stubs")
        shutil.copytree(PACKAGE / "Runtime", folder / "Runtime", ignore=shutil.ignore_patterns("Core", "*.meta"))
        for name, before, after in edits:
            path = folder / name if name.startswith("stubs/") else folder / "Runtime" / name
            text = path.read_text(encoding="utf-8")
            assert text.count(before) == 1, (name, before)
            path.write_text(text.replace(before, after), encoding="utf-8")
        copy = PlayBuild(folder)
        compile_cs(copy.engine, [*sources(folder / "stubs"), folder / "ShaderCode.cs"])
        compile_cs(copy.components, sources(folder / "Runtime"), references=[copy.core, copy.engine])
        build_samples(copy)
        return copy

    return make


@pytest.mark.parametrize("fault", FAULTS)
def test_the_self_test_finds(fault: str, faulty: Any) -> None:
    edits, expected = FAULTS[fault]
    report = play(faulty(edits), "SelfTest")
    failed = {line["check"]: line for line in report["lines"] if line["verdict"] == "Fail"}
    assert expected in failed, report["text"]
    assert not report["passed"] and all(line["remedy"] for line in failed.values())
    assert [line for line in report["log"] if line.startswith("error: Depthbridge self-test") and "FAILED" in line]
    rows = {line["check"]: line["verdict"] for line in report["lines"] if line["check"].endswith(": rows")}
    assert {name for name, verdict in rows.items() if verdict == "Fail"} == ({expected} if expected.endswith("rows") else set())


# ---- boxes on cubes --------------------------------------------------------------------------------------------


def test_boxes_stand_on_cubes_and_show_their_distances(build: PlayBuild) -> None:
    with BridgeServer(ColourDepth(), bind=LOOPBACK) as server:
        report = play(build, "Boxes", endpoint=server.endpoint)
    assert [item["category"] for item in report["objects"]] == ["red_cube", "green_box"] * 5
    assert [item["has_parent"] for item in report["objects"]] == [False, True] * 5
    seen = [item for item in report["answers"] if item["pixels"]]
    assert len(report["answers"]) == 10 and len(seen) >= 8
    assert all(1.2 < item["median"] < 6 for item in seen)
    assert len(report["labels"]) >= len(seen) and all(label.endswith(" m") for label in report["labels"][-len(seen) :])


def test_random_poses_make_a_dataset_that_is_annotated_exactly(build: PlayBuild, tmp_path: Path) -> None:
    (tmp_path / "Assets").mkdir()
    report = play(build, "Dataset", project=tmp_path, frames=6)
    folder = tmp_path / "Captures" / "boxes_on_cubes"
    assert Path(report["folder"]) == folder and report["captured"] == 6
    assert [line for line in report["log"] if f'depthbridge annotate "{folder}"' in line]
    assert not [line for line in report["log"] if line.startswith(("warning", "error"))], report["log"]
    capture = Capture.open(folder)
    poses = np.array([capture.load(frame).extrinsics for frame in capture.frames])
    assert len(capture.frames) == 6 and np.abs(np.diff(poses, axis=0)).max(axis=(1, 2)).min() > 0.01, "each frame from its own place"
    summary = annotate_capture(folder, tmp_path / "out", ColourDepth()).to_json()
    assert (summary["annotated"], summary["failed"], summary["mask_flip_suspected"]) == (6, [], 0)
    assert summary["abs_rel"] < 3e-4


# ---- as files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_whole(name: str) -> None:
    folder = SAMPLES / name
    assembly = json.loads((folder / f"Depthbridge.Samples.{name}.asmdef").read_text(encoding="utf-8"))
    assert assembly["name"] == f"Depthbridge.Samples.{name}" and assembly["references"] == ["Depthbridge.Core", "Depthbridge.Unity"]
    assert (folder / "README.md").read_text(encoding="utf-8").startswith("# ")
    for path in sources(folder):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("// SPDX-License-Identifier: Apache-2.0\n") and len(text.splitlines()) < 400
        for component in re.findall(r"class (\w+) : MonoBehaviour", text):
            assert path.stem == component, "Unity finds a component by its file's name"
    assert CORE.exists()
