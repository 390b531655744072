# SPDX-License-Identifier: Apache-2.0
"""``depthbridge serve`` and ``depthbridge annotate`` as a user runs them: processes, with a real graph behind them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from depthbridge.engines import CameraIntrinsics, DepthKind
from depthbridge.engines.engine import DepthEngine
from depthbridge.unity_bridge.client import DepthClient, RemoteEstimator
from depthbridge.unity_bridge.curve import CurveKeys
from depthbridge.unity_bridge.errors import BridgeError, RefusedError
from depthbridge.unity_bridge.measuring.measure import measure_objects
from support import onnx_models

COMMAND = [sys.executable, "-m", "depthbridge.cli.main"]
HEIGHT, WIDTH = 280, 504
CAMERA = CameraIntrinsics.from_vertical_fov(60, WIDTH, HEIGHT)


def picture():
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.dstack([rows * 255 // HEIGHT, columns * 255 // WIDTH, rows * 0 + 60]).astype(np.uint8)


def objects_mask():
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:90, 30:100], mask[150:260, 300:480] = 1, 2
    return mask


@pytest.fixture(scope="module")
def metric_model(tmp_path_factory):
    return onnx_models.da3_single(tmp_path_factory.mktemp("models") / "da3metric-large.onnx")


@pytest.fixture(scope="module")
def relative_model(tmp_path_factory):
    return onnx_models.da2_relative(tmp_path_factory.mktemp("models") / "model.onnx")


@pytest.fixture
def capture(tmp_path):
    folder = tmp_path / "capture"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    entries = []
    for name in ("a.png", "b.png"):
        Image.fromarray(picture()).save(folder / "images" / name)
        Image.fromarray(objects_mask()).save(folder / "masks" / name)
        entries.append({"image": name, "objects": [{"id": 0, "category": "cube"}, {"id": 1, "parent_id": 0}]})
    (folder / "annotations.json").write_text(json.dumps(entries))
    (folder / "camera_intrinsics.json").write_text(json.dumps({"width": WIDTH, "height": HEIGHT, "fov_vertical": 60}))
    return folder


def expected_objects(model):
    with DepthEngine.open(model) as engine:
        return measure_objects(engine.estimate(picture(), CAMERA), objects_mask())


def run(*arguments):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60)


@contextmanager
def serving(*arguments):
    with subprocess.Popen([*COMMAND, "serve", *map(str, arguments)], stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stderr.readline()
            found = re.search(r"tcp://\S+(?=;)", line)
            assert found, line
            yield process, found[0]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_where_answers_and_stops_cleanly(metric_model, number):
    options = ("--bind", "tcp://127.0.0.1:0", "--max-in-flight", 2, "--max-megapixels", 61)
    with serving("--model", metric_model, *options) as (process, endpoint):
        with DepthClient(endpoint, timeout_s=20) as client:
            info = client.hello()
            assert (info.max_in_flight, info.max_pixels) == (2, 61_000_000)
            result = client.measure(picture()[::-1], CAMERA, objects_mask()[::-1], origin="bottom_left")
            assert [item.to_json() for item in result.objects] == [item.to_json() for item in expected_objects(metric_model)]
            assert result.camera_source == "given"
            # This model has metres by the focal length only.
            with pytest.raises(RefusedError, match="intrinsics") as caught:
                client.measure(picture(), None, objects_mask())
            assert caught.value.code == "no_metric_depth"
        process.send_signal(number)
        assert process.wait(20) == 0
        assert "stopped after 3 answers" in process.stderr.read()


def test_serve_says_that_a_model_has_no_metres_and_answers_without(relative_model):
    with serving("--model", relative_model, "--bind", "tcp://127.0.0.1:0") as (process, endpoint):
        assert "choose a metric model" in process.stderr.readline()
        with RemoteEstimator(endpoint, timeout_s=60) as remote, DepthEngine.open(relative_model) as engine:
            assert (remote.kind, remote.needs_camera) == (DepthKind.DISPARITY, False)
            assert remote.estimate(picture(), CAMERA).values.tobytes() == engine.estimate(picture(), CAMERA).values.tobytes()
        with DepthClient(endpoint, timeout_s=20) as client:
            result = client.measure(picture(), CAMERA, objects_mask())
            assert result.unit == "relative" and result.object(1).distance is None and result.object(1).disparity is not None


def test_serve_refuses_what_it_cannot_do_in_one_line(metric_model, tmp_path):
    (tmp_path / "short").write_text("too short")
    (tmp_path / "short").chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = f"127.0.0.1:{taken.getsockname()[1]}"
        for arguments, words in (
            (("--model", metric_model, "--bind", f"tcp://{busy}"), "in use"),
            (("--model", metric_model, "--bind", "tcp://127.0.0.1:0", "--metrics", busy), "--metrics"),
            (("--model", metric_model, "--metrics", "nonsense"), ":9577"),
            (("--model", metric_model, "--bind", "tcp://127.0.0.1:5579", "--metrics", ":5579"), "that of --bind"),
            (("--model", metric_model, "--bind", "tcp://0.0.0.0:0"), "loopback"),
            (("--model", metric_model, "--bind", "tcp://*:0", "--token-file", tmp_path / "short"), "at least 16"),
            (("--model", metric_model, "--token-file", tmp_path / "nowhere"), "cannot be read"),
            (("--model", metric_model, "--curve", tmp_path / "short"), "it is a file"),
            (("--model", "no-such-model"), "no-such-model"),
        ):
            done = run("serve", *arguments)
            assert done.returncode == 2 and done.stdout == ""
            assert words in done.stderr and done.stderr.startswith("depthbridge: ") and done.stderr.count("\n") == 1


def lines_until(process, words):
    """What it says, up to the line with these words."""
    lines = []
    while not lines or words not in lines[-1]:
        lines.append(process.stderr.readline())
        assert lines[-1], f"it ended without saying {words!r}: {lines}"
    return lines


def test_serve_asks_for_its_token_and_warns_where_it_can_be_read(metric_model, tmp_path):
    file = tmp_path / "token"
    file.write_text("a token of many letters\n")
    file.chmod(0o644)
    command = [*COMMAND, "serve", "--model", str(metric_model), "--bind", "tcp://*:0", "--token-file", str(file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = lines_until(process, "unencrypted")
            assert "chmod 600" in lines[0]
            port = re.search(r"tcp://\S+:(\d+);", lines[1])[1]
            with DepthClient(f"tcp://127.0.0.1:{port}", timeout_s=20) as client, pytest.raises(RefusedError, match="token"):
                client.hello()
            with DepthClient(f"tcp://127.0.0.1:{port}", timeout_s=20, token="a token of many letters") as client:
                assert client.measure(picture(), CAMERA, objects_mask()).unit == "m"
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_serve_makes_keys_and_names_the_two_files_of_a_client(metric_model, tmp_path):
    options = ("--model", metric_model, "--bind", "tcp://*:0", "--curve", tmp_path / "keys")
    for made in ("keys were made; ", ""):
        with subprocess.Popen([*COMMAND, "serve", *map(str, options)], stderr=subprocess.PIPE, text=True) as process:
            try:
                lines = lines_until(process, "serving")
                server_key, secret_key = re.search(r"two files: (\S+) and (\S+)", lines[0]).groups()
                assert lines[0].startswith(f"depthbridge: {made}a client needs") and len(lines) == 2
                port = re.search(r"tcp://\S+:(\d+);", lines[1])[1]
                curve = CurveKeys.from_files(server_key, secret_key)
                with DepthClient(f"tcp://127.0.0.1:{port}", timeout_s=20, curve=curve) as client:
                    assert client.measure(picture(), CAMERA, objects_mask()).unit == "m"
                process.send_signal(signal.SIGTERM)
                assert process.wait(20) == 0
                assert "unencrypted" not in process.stderr.read()
            finally:
                process.kill()


def test_serve_has_metrics_and_says_where(metric_model):
    with serving("--model", metric_model, "--bind", "tcp://127.0.0.1:0", "--metrics", ":0") as (process, endpoint):
        url = re.search(r"metrics at (http://127\.0\.0\.1:\d+/metrics)", process.stderr.readline())[1]
        with DepthClient(endpoint, timeout_s=20) as client:
            client.measure(picture(), CAMERA, objects_mask())
        with urllib.request.urlopen(url, timeout=20) as answer:
            assert 'depthbridge_requests_total{code="ok",kind="infer"} 1.0' in answer.read().decode()


def test_serve_warns_of_metrics_that_others_read(metric_model):
    with serving("--model", metric_model, "--bind", "tcp://127.0.0.1:0", "--metrics", "0.0.0.0:0") as (process, _):
        process.send_signal(signal.SIGTERM)
        assert "Whoever reaches 0.0.0.0:0 can read the metrics" in process.stderr.read()


def test_serve_batches_where_the_model_can_and_says_so_where_it_cannot(metric_model, relative_model):
    options = ("--bind", "tcp://127.0.0.1:0", "--batch-delay-ms", 2000)
    with serving("--model", metric_model, *options) as (process, _):
        assert "one picture at a time" in process.stderr.readline()
    with serving("--model", relative_model, *options) as (_, endpoint):
        found = []

        def ask():
            with DepthClient(endpoint, timeout_s=20) as client:
                found.append(client.measure(picture(), CAMERA, objects_mask()).batch)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert found == [4] * 4


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory):
    """Minutes for a bright picture."""
    return onnx_models.slow_when_bright(tmp_path_factory.mktemp("models") / "da3.onnx")


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)])
def test_a_second_signal_stops_at_once(slow_model, numbers):
    with serving("--model", slow_model, "--bind", "tcp://127.0.0.1:0") as (process, endpoint), DepthClient(endpoint, timeout_s=60) as client:

        def ask():
            with pytest.raises(BridgeError):
                client.estimate(np.full((HEIGHT, WIDTH, 3), 240, np.uint8))

        bright = threading.Thread(target=ask)
        bright.start()
        with DepthClient(endpoint, timeout_s=20) as other:
            while not other.health()["in_flight"]:
                pass
            process.send_signal(numbers[0])
            while other.health()["ready"]:  # draining: the frame in work is waited for
                pass
            assert process.poll() is None
            process.send_signal(numbers[1])
            assert process.wait(20) == -numbers[1]
        bright.join(30)


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of its own is given by the pty module, which Windows lacks")
def test_a_terminal_shows_a_line_and_a_pipe_does_not(metric_model):
    import pty

    near, far = pty.openpty()
    command = [*COMMAND, "serve", "--model", str(metric_model), "--bind", "tcp://127.0.0.1:0"]
    shown = b""
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, stdin=far, stdout=subprocess.PIPE, stderr=far, env=environment) as process:
        os.close(far)
        try:
            while b"0 errors" not in shown:
                shown += os.read(near, 4096)
            endpoint = re.search(rb"tcp://\S+(?=;)", shown)[0].decode()
            with DepthClient(endpoint, timeout_s=20) as client:
                client.measure(picture(), CAMERA, objects_mask())
                while not re.search(rb"p50 \d+ ms, p99 \d+ ms  0 waiting  1 client  0 errors", shown):
                    shown += os.read(near, 4096)
            process.send_signal(signal.SIGTERM)
            while b"stopped after" not in shown:
                shown += os.read(near, 4096)
            assert process.wait(20) == 0 and process.stdout.read() == b""
        finally:
            process.kill()
            os.close(near)


def test_annotate_writes_the_list_and_prints_one_line(capture, metric_model, tmp_path):
    done = run("annotate", capture, "--out", tmp_path / "out", "--model", metric_model)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["frames"], summary["annotated"], summary["objects"], summary["failed"]) == (2, 2, 4, [])
    entries = json.loads((tmp_path / "out" / "annotations.json").read_text())
    expected = [item.measured_json() for item in expected_objects(metric_model)]
    for entry in entries:
        assert [{name: item[name] for name in expected[0]} for item in entry["objects"]] == expected
        assert entry["objects"][0]["category"] == "cube" and entry["unit"] == "m"


def test_annotate_goes_on_past_a_bad_picture_and_exits_2(capture, metric_model, tmp_path):
    (capture / "images" / "a.png").write_bytes(b"")
    done = run("annotate", capture, "--out", tmp_path / "out", "--model", metric_model)
    assert done.returncode == 2
    assert json.loads(done.stdout)["failed"][0]["image"] == "a.png"
    assert "1 of 2 pictures" in done.stderr and "a.png" in done.stderr and "Traceback" not in done.stderr
    entries = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert "error" in entries[0] and entries[1]["objects"][0]["distance"]["mean"] > 0


def test_annotate_refuses_in_one_line_and_leaves_nothing(capture, metric_model, relative_model, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "file").write_text("x")
    for arguments, words in (
        ((tmp_path / "nowhere", "--out", out, "--model", metric_model), "no folder"),
        ((capture, "--out", capture / "out", "--model", metric_model), "lies in the capture"),
        ((capture, "--out", out, "--model", relative_model), "choose a metric model"),
        ((capture, "--out", tmp_path / "file", "--model", metric_model), "it is a file"),
    ):
        done = run("annotate", *arguments)
        assert done.returncode == 2 and done.stdout == "" and not out.exists()
        assert words in done.stderr and done.stderr.strip().count("\n") == 0


def test_annotate_replaces_a_result_only_with_force(capture, metric_model, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "annotations.json").write_text("mine")
    done = run("annotate", capture, "--out", out, "--model", metric_model)
    assert done.returncode == 2 and "exists already" in done.stderr and (out / "annotations.json").read_text() == "mine"
    assert run("annotate", capture, "--out", out, "--model", metric_model, "--force").returncode == 0
    assert len(json.loads((out / "annotations.json").read_text())) == 2
