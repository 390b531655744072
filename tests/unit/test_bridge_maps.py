# SPDX-License-Identifier: Apache-2.0
"""Depth maps over real sockets: what comes back from a server is what its engine made, bit for bit, whatever the model gives."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depthbridge.engines import CameraIntrinsics, CameraSource, DepthKind, DepthMap
from depthbridge.engines.engine import DepthEngine
from depthbridge.unity_bridge.client import DepthClient, RemoteEstimator
from depthbridge.unity_bridge.errors import BridgeConnectionError, BridgeError, BridgeVersionError, RefusedError
from depthbridge.unity_bridge.framing import Kind, pack_header, pack_message, pack_prefix, unpack_prefix
from depthbridge.unity_bridge.serving.payloads import ServerLimits
from depthbridge.unity_bridge.serving.server import BridgeServer
from support import onnx_models
from support.bridge_peers import LOOPBACK, dealer, exchange, impostor, stalling_line
from support.known_depth import picture

WIDTH, HEIGHT = 180, 100
OFF_CENTRE = CameraIntrinsics(161.5, 139.25, 61.1, 33.3, WIDTH, HEIGHT)
ARRAYS = ("values", "valid", "sky", "confidence", "extrinsics")
REST = ("kind", "camera", "camera_source", "model_id", "focal_px", "scale_note", "max_depth_m")

MODELS = {
    "da2 relative": lambda folder: onnx_models.da2_relative(folder / "model.onnx"),
    "da2 metric": lambda folder: onnx_models.da2_metric(folder / "depth_anything_v2_metric_hypersim_vits.onnx"),
    "da3 metric": lambda folder: onnx_models.da3_single(folder / "da3metric-large.onnx"),
    "da3 mono": lambda folder: onnx_models.da3_single(folder / "da3mono-large.onnx"),
    "da3 main": lambda folder: onnx_models.da3_main(folder / "da3-small.onnx"),
    "bytes, channels last": lambda folder: onnx_models.nhwc_bytes(folder / "bytes.onnx"),
    "embedded": lambda folder: "depthbridge-mini",
}


class Preset:
    """Answers with the map it was given, whatever the picture."""

    model_id = "preset"
    kind = DepthKind.METRIC
    needs_camera = False

    def __init__(self, answer=None):
        self.answer = answer
        self.images, self.cameras = [], []

    def estimate(self, image, camera=None, *, cancel=None):
        self.images.append(image)
        self.cameras.append(camera)
        if self.answer is not None:
            return self.answer
        depth = image[..., 0].astype(np.float32) / 10
        source = CameraSource.NONE if camera is None else CameraSource.GIVEN
        return DepthMap(depth, self.kind, depth > 0, None, None, camera, self.model_id, source)


def assert_same(got, want):
    for name in ARRAYS:
        left, right = getattr(got, name), getattr(want, name)
        assert (left is None) == (right is None), name
        if left is not None:
            assert left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes(), name
            assert left.flags.c_contiguous and left.flags.aligned and left.flags.writeable, name
    for name in REST:
        assert getattr(got, name) == getattr(want, name), name
    assert (got.stage_ms is None) == (want.stage_ms is None)


# ---- remote is local -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_a_remote_estimate_is_the_local_one_bit_for_bit(model, tmp_path):
    image = picture(WIDTH, HEIGHT)
    image[:40] //= 2  # darker below the sky of the graphs
    with (
        DepthEngine.open(MODELS[model](tmp_path), threads=1) as engine,
        BridgeServer(engine, LOOPBACK) as server,
        RemoteEstimator(server.endpoint) as remote,
    ):
        assert (remote.model_id, remote.kind, remote.needs_camera) == (engine.model_id, engine.kind, engine.needs_camera)
        for camera in (None, OFF_CENTRE, CameraIntrinsics.from_vertical_fov(40, WIDTH, HEIGHT)):
            got, want = remote.estimate(image, camera), engine.estimate(image, camera)
            assert_same(got, want)
            assert got.stage_ms.infer_ms > 0
            if camera is not None:
                assert got.camera == camera and got.camera_source is CameraSource.GIVEN


def test_between_them_the_models_have_every_layer_and_kind(tmp_path):
    # Otherwise the law above would say nothing of what none of them has.
    seen = set()
    for make in MODELS.values():
        with DepthEngine.open(make(tmp_path), threads=1) as engine:
            for camera in (None, OFF_CENTRE):
                answer = engine.estimate(picture(WIDTH, HEIGHT), camera)
                seen |= {answer.kind, answer.camera_source}
                seen |= {name for name in (*ARRAYS, "focal_px", "scale_note") if getattr(answer, name) is not None}
                seen |= {"invalid"} if not answer.valid.all() else set()
    assert seen >= {*DepthKind, CameraSource.GIVEN, CameraSource.MODEL, CameraSource.NONE, *ARRAYS, "focal_px", "scale_note", "invalid"}


@pytest.fixture(scope="module")
def preset():
    engine = Preset()
    with BridgeServer(engine, LOOPBACK) as server, DepthClient(server.endpoint) as client:
        yield engine, client


floats = st.floats(width=32, allow_nan=False)
finite = st.floats(-1e6, 1e6)


@st.composite
def any_map(draw):
    """Any map that an engine may make, odd sizes and odd values included: NaN and infinity where it is not valid."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(list(DepthKind)))
    values = rng.normal(3, 4, (height, width)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = draw(st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, 3.4e38]))
    layer = lambda: rng.normal(0, 1, (height, width)).astype(np.float32) if draw(st.booleans()) else None  # noqa: E731
    camera = None
    if draw(st.booleans()):
        side = max(width, height)
        camera = CameraIntrinsics(side * draw(st.floats(0.01, 4000)), side * draw(st.floats(0.01, 4000)), draw(finite), draw(finite), width, height)
    source = draw(st.sampled_from([CameraSource.GIVEN, CameraSource.EXIF, CameraSource.MODEL, CameraSource.ASSUMED])) if camera else CameraSource.NONE
    return DepthMap(
        values=values,
        kind=kind,
        valid=kind.holds(values) & (rng.random(values.shape) < 0.9),
        sky=layer(),
        confidence=layer(),
        camera=camera,
        model_id=draw(st.text(max_size=8)),
        camera_source=source,
        extrinsics=rng.normal(0, 9, (3, 4)) if draw(st.booleans()) else None,
        focal_px=draw(st.none() | finite),
        scale_note=draw(st.none() | st.text(max_size=40)),
        max_depth_m=draw(st.none() | st.floats(0.1, 1e4)),
    )


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=any_map())
def test_any_map_crosses_bit_for_bit(preset, answer):
    engine, client = preset
    engine.answer = answer
    assert_same(client.estimate(np.zeros((answer.height, answer.width, 3), np.uint8)), answer)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=any_map())
def test_any_map_crosses_in_half_floats_to_their_precision(preset, answer):
    engine, client = preset
    engine.answer = answer
    got = client.estimate(np.zeros((answer.height, answer.width, 3), np.uint8), depth="f16")
    for name in ("values", "sky", "confidence"):
        have, want = getattr(got, name), getattr(answer, name)
        assert (have is None) == (want is None)
        if want is not None:
            with np.errstate(over="ignore"):
                assert have.dtype == np.float32 and np.array_equal(have, want.astype(np.float16).astype(np.float32), equal_nan=True)
    assert np.array_equal(got.valid, answer.valid & answer.kind.holds(got.values)), "what became infinite, or 0, is not valid"
    for name in REST:
        assert getattr(got, name) == getattr(answer, name), name


def test_half_floats_are_half_the_bytes():
    engine = Preset(DepthMap(np.array([[1, 1.0005, 65504], [7e4, 1e-8, 3]], np.float32), DepthKind.METRIC, np.ones((2, 3), bool), None, None, None, "preset"))
    image = {**IMAGE, "width": 3, "height": 2}
    reply, header = ask(engine, {"payloads": [image], "outputs": ["depth"], "depth_dtype": "f16"}, [bytes(18)])
    assert [(item["name"], item["dtype"]) for item in header["payloads"]] == [("depth", "f16"), ("valid", "u8")]
    assert reply[3] == np.array([1, 1.0005, 65504, np.inf, 0, 3], "<f2").tobytes() and reply[4] == bytes([1, 1, 1, 0, 0, 1])


@pytest.mark.parametrize("channels", [3, 4])
def test_the_engine_sees_the_picture_and_the_camera_that_were_sent(channels):
    engine, image = Preset(), picture(WIDTH, HEIGHT, seed=3)
    sent = image if channels == 3 else np.dstack([image, np.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH)]).astype(np.uint8)
    with BridgeServer(engine, LOOPBACK) as server, DepthClient(server.endpoint) as client:
        client.estimate(sent[:, ::-1][:, ::-1], OFF_CENTRE)  # a view that is not contiguous
        assert np.array_equal(engine.images[-1], image) and engine.cameras[-1] == OFF_CENTRE
        client.estimate(sent)
        assert engine.cameras[-1] is None


@pytest.mark.parametrize("source", [CameraSource.GIVEN, CameraSource.EXIF, CameraSource.ASSUMED])
def test_how_the_camera_is_known_is_kept(source):
    with BridgeServer(Preset(), LOOPBACK) as server, RemoteEstimator(server.endpoint) as remote:
        image = picture(WIDTH, HEIGHT)
        assert remote.estimate(image, OFF_CENTRE, camera_source=source).camera_source is source
        assert remote.estimate(image, camera_source=source).camera_source is CameraSource.NONE


def test_a_camera_of_the_model_is_not_called_the_clients(tmp_path):
    # What the model predicts stays the model's, whatever the request says of a camera that the engine did not use.
    own = CameraIntrinsics(100, 100, 90, 50, WIDTH, HEIGHT)
    values = np.ones((HEIGHT, WIDTH), np.float32)
    answer = DepthMap(values, DepthKind.RELATIVE, values > 0, None, None, own, "preset", CameraSource.MODEL)
    with BridgeServer(Preset(answer), LOOPBACK) as server, DepthClient(server.endpoint) as client:
        got = client.estimate(picture(WIDTH, HEIGHT), OFF_CENTRE, camera_source=CameraSource.EXIF)
    assert (got.camera, got.camera_source) == (own, CameraSource.MODEL)


# ---- maps and objects ------------------------------------------------------------------------------------------

IMAGE = {"name": "image", "dtype": "u8", "channels": 3, "width": 4, "height": 3, "origin": "top_left"}
MASK = {"name": "mask", "dtype": "u8", "width": 4, "height": 3, "origin": "bottom_left"}
CAMERA = {"fx": 4, "fy": 4}
PIXELS = np.arange(10, 46, dtype=np.uint8).tobytes()
IDS = bytes([0, 0, 0, 7] + [0] * 8)  # its last row in memory is the picture's first


def ask(engine, header, payloads):
    with BridgeServer(engine, LOOPBACK) as server, dealer(server.endpoint) as raw:
        return exchange(raw, pack_message(Kind.INFER, b"1", header, payloads))


def test_objects_and_their_map_come_in_one_answer():
    reply, header = ask(Preset(), {"payloads": [IMAGE, MASK], "camera": CAMERA, "outputs": ["objects", "depth"]}, [PIXELS, IDS])
    (found,) = header["result"]["objects"]
    depth = np.frombuffer(reply[3], "<f4").reshape(3, 4)
    assert [payload["name"] for payload in header["payloads"]] == ["depth", "valid"] and len(reply) == 5
    assert found["id"] == 7 and found["distance"]["mean"] == pytest.approx(depth[2, 3], abs=1e-6)
    assert depth[0].tolist() == pytest.approx([1.0, 1.3, 1.6, 1.9]), "upright, as the picture was sent"
    assert (header["result"]["unit"], header["result"]["depth"]["kind"]) == ("m", "metric")


def test_objects_alone_bring_no_map():
    reply, header = ask(Preset(), {"payloads": [IMAGE, MASK], "camera": CAMERA}, [PIXELS, IDS])
    assert len(reply) == 3 and "payloads" not in header and "depth" not in header["result"]
    reply, header = ask(Preset(), {"payloads": [IMAGE], "camera": CAMERA, "outputs": ["depth"]}, [PIXELS])
    assert "objects" not in header["result"]


@pytest.mark.parametrize("kind", [DepthKind.RELATIVE, DepthKind.DISPARITY])
def test_a_map_without_metres_is_answered_and_says_so(kind):
    engine = Preset()
    engine.kind = kind
    _, header = ask(engine, {"payloads": [IMAGE], "camera": CAMERA, "outputs": ["depth"]}, [PIXELS])
    result = header["result"]
    assert (result["depth"]["kind"], result["kind"], result["unit"]) == (kind, kind, "relative")
    reply, header = ask(engine, {"payloads": [IMAGE, MASK], "camera": CAMERA, "outputs": ["depth", "objects"]}, [PIXELS, IDS])
    assert header["result"]["unit"] == "relative" and len(reply) == 5


def test_distances_are_not_measured_by_a_camera_that_the_client_only_assumes():
    _, header = ask(Preset(), {"payloads": [IMAGE, MASK], "camera": CAMERA, "camera_source": "assumed"}, [PIXELS, IDS])
    assert header["error"]["code"] == "no_metric_depth" and "assumed" in header["error"]["message"]


# ---- limits ----------------------------------------------------------------------------------------------------


def test_an_answer_over_the_limit_is_refused_before_the_engine_runs():
    engine = Preset()
    with BridgeServer(engine, LOOPBACK, limits=ServerLimits(max_answer_bytes=13 * 12 - 1)) as server:
        with dealer(server.endpoint) as raw:
            _, header = exchange(raw, pack_message(Kind.INFER, b"1", {"payloads": [IMAGE], "outputs": ["depth"]}, [PIXELS]))
            assert header["error"]["code"] == "too_large" and "156 bytes" in header["error"]["message"]
            # Objects need no such answer.
            asked = {"payloads": [IMAGE, MASK], "camera": CAMERA}
            assert exchange(raw, pack_message(Kind.INFER, b"2", asked, [PIXELS, IDS]))[1]["status"] == "ok"
        with DepthClient(server.endpoint) as client:
            with pytest.raises(BridgeError, match=r"4x3 pixels.*at most 155.*smaller"):
                client.estimate(np.zeros((3, 4, 3), np.uint8))
            assert client.stats()["errors"] == 1, "the client does not send what will be refused"
    assert len(engine.images) == 1
    assert ask(Preset(), {"payloads": [IMAGE], "outputs": ["depth"]}, [PIXELS])[1]["status"] == "ok"


def test_the_largest_picture_fits_its_limits():
    for limits in (ServerLimits(), ServerLimits.for_pixels(1_000_000), ServerLimits.for_pixels(200_000_000)):
        # RGBA, a header, and a PNG of a mask; a map with all its layers, and an overlay.
        assert limits.max_pixels * 4 + 2**20 + 4096 <= limits.max_message_bytes and limits.max_pixels * 17 <= limits.max_answer_bytes


def test_a_large_map_crosses(preset):
    engine, client = preset
    rng = np.random.default_rng(1)
    values = rng.random((1500, 2000), np.float32)
    engine.answer = DepthMap(values, DepthKind.METRIC, values > 0.5, rng.random(values.shape, np.float32), None, None, "preset")
    assert_same(client.estimate(np.zeros((1500, 2000, 3), np.uint8)), engine.answer)


def test_a_frame_that_is_long_under_way_is_waited_for():
    # An earlier version took a line for dead when one frame needed more than ten seconds.
    def estimate(shape, stall_after):
        with stalling_line(server.endpoint, stall_after, 13) as (address, stalls), RemoteEstimator(address) as remote:
            assert remote.estimate(np.full((*shape, 3), 50, np.uint8)).valid.all() and stalls
            done.append(shape)

    done = []
    with BridgeServer(Preset(), LOOPBACK) as server:
        lines = [
            threading.Thread(target=estimate, args=((1200, 1500), 1_000_000)),  # the picture has 5.4 MB
            threading.Thread(target=estimate, args=((1100, 1500), 6_000_000)),  # the picture 5 MB, and its map 8
        ]
        for line in lines:
            line.start()
        for line in lines:
            line.join(60)
    assert sorted(done) == [(1100, 1500), (1200, 1500)]


# ---- servers that cannot ----------------------------------------------------------------------------------------

HELLO = {
    "status": "ok", "server": "depthbridge", "server_version": "0.0.9", "protocol": "0.3", "model": "preset", "capabilities": ["depth_map"],
    "kind": "metric", "needs_camera": False, "max_header_bytes": 10**6, "max_in_flight": 4, "max_message_bytes": 10**8, "max_answer_bytes": 10**9, "max_pixels": 10**7,
}  # fmt: skip


def test_a_server_of_the_protocol_before_is_told_with_both_versions():
    def answer(frames):  # what depthbridge answered when it spoke 0.2
        message = "The client speaks protocol 0.3 and this server (depthbridge 0.1.0) 0.2; bring both to one release."
        error = {"status": "error", "error": {"code": "unsupported_version", "message": message, "retryable": False}}
        return [pack_prefix(unpack_prefix(frames[0]).kind, 0, 2), frames[1], pack_header(error)]

    with impostor(answer) as endpoint, pytest.raises(BridgeVersionError, match=r"0\.2 and this client.*0\.3; bring both"):
        RemoteEstimator(endpoint)


def test_a_server_that_answers_no_maps_is_told_before_a_picture_is_sent():
    kinds = []

    def answer(frames):
        kinds.append(unpack_prefix(frames[0]).kind)
        return [pack_prefix(kinds[-1]), frames[1], pack_header({**HELLO, "capabilities": ["raw_image", "integer_mask"]})]

    with impostor(answer) as endpoint:
        with pytest.raises(BridgeError, match=r"0\.0\.9.*no depth maps; bring it"):
            RemoteEstimator(endpoint)
        with DepthClient(endpoint) as client, pytest.raises(BridgeError, match="no depth maps"):
            client.estimate(picture(4, 3))
    assert set(kinds) == {Kind.HELLO}


def test_a_server_without_what_is_required_says_so():
    # An additional capability of tomorrow, asked of today's server.
    _, header = ask(Preset(), {"payloads": [IMAGE], "outputs": ["depth"], "requires": ["depth_map", "cancel", "half_floats"]}, [PIXELS])
    assert header["error"]["code"] == "unsupported" and "half_floats" in header["error"]["message"]


def test_another_model_at_the_same_address_is_refused_and_not_mistaken():
    first = BridgeServer(Preset(), LOOPBACK)
    first.start()
    with RemoteEstimator(first.endpoint) as remote:
        remote.estimate(picture(4, 3))
        first.stop()
        other = Preset()
        other.model_id = "other"
        with pytest.raises(BridgeConnectionError):
            remote.estimate(picture(4, 3))
        with BridgeServer(other, first.endpoint), pytest.raises(RefusedError, match="has the model other, not 'preset'") as caught:
            remote.estimate(picture(4, 3))
        assert caught.value.code == "unknown_model" and other.images == []


def test_a_server_that_says_nothing_of_its_model_is_told():
    def answer(frames):
        hello = {name: value for name, value in HELLO.items() if name != "needs_camera"}
        return [pack_prefix(unpack_prefix(frames[0]).kind), frames[1], pack_header(hello)]

    with impostor(answer) as endpoint, pytest.raises(BridgeError, match=r"not a depth server that this client understands .'needs_camera'"):
        RemoteEstimator(endpoint)


ABOUT = {"kind": "metric", "camera": None, "focal_px": None, "scale_note": None, "extrinsics": None, "stage_ms": None}
RESULT = {"model": "preset", "unit": "m", "camera_source": "none", "width": 4, "height": 3, "depth": ABOUT}
DEPTH = {"name": "depth", "encoding": "raw", "dtype": "f32", "channels": 1, "width": 4, "height": 3, "origin": "top_left"}
VALID = {**DEPTH, "name": "valid", "dtype": "u8"}
VALUES, FLAGS = np.arange(1, 13, dtype="<f4").tobytes(), bytes([1] * 12)

WRONG_ANSWERS = {
    "no payloads": ({"payloads": []}, []),
    "no validity": ({"payloads": [DEPTH]}, [VALUES]),
    "a frame missing": ({}, [VALUES]),
    "a frame too many": ({}, [VALUES, FLAGS, b""]),
    "short": ({}, [VALUES[:-4], FLAGS]),
    "doubles": ({"payloads": [{**DEPTH, "dtype": "f64"}, VALID]}, [VALUES * 2, FLAGS]),
    "half floats for flags": ({"payloads": [DEPTH, {**VALID, "dtype": "f16"}]}, [VALUES, FLAGS * 2]),
    "of another size": ({"payloads": [{**DEPTH, "width": 3, "height": 4}, {**VALID, "width": 3, "height": 4}]}, [VALUES, FLAGS]),
    "lower row first": ({"payloads": [{**DEPTH, "origin": "bottom_left"}, VALID]}, [VALUES, FLAGS]),
    "compressed": ({"payloads": [{**DEPTH, "encoding": "zip"}, VALID]}, [VALUES, FLAGS]),
    "no description": ({"payloads": [None, VALID]}, [VALUES, FLAGS]),
    "another kind": ({"result": {**RESULT, "depth": {**ABOUT, "kind": "imperial"}}}, [VALUES, FLAGS]),
    "no depth": ({"result": {**RESULT, "depth": None}}, [VALUES, FLAGS]),
    "no camera's numbers": ({"result": {**RESULT, "depth": {**ABOUT, "camera": {"fx": 0, "fy": 1, "cx": 0, "cy": 0, "width": 4, "height": 3}}}}, [VALUES, FLAGS]),
    "a camera of another size": ({"result": {**RESULT, "depth": {**ABOUT, "camera": {"fx": 4, "fy": 4, "cx": 0, "cy": 0, "width": 8, "height": 6}}}}, [VALUES, FLAGS]),
    "half a pose": ({"result": {**RESULT, "depth": {**ABOUT, "extrinsics": [1, 2, 3]}}}, [VALUES, FLAGS]),
    "no result": ({"result": None}, [VALUES, FLAGS]),
}  # fmt: skip


def answering(changes, payloads):
    def answer(frames):
        kind = unpack_prefix(frames[0]).kind
        if kind == Kind.HELLO:
            return [pack_prefix(kind), frames[1], pack_header(HELLO)]
        return [pack_prefix(kind), frames[1], pack_header({"status": "ok", "payloads": [DEPTH, VALID], "result": RESULT, **changes}), *payloads]

    return impostor(answer)


@pytest.mark.parametrize("case", WRONG_ANSWERS)
def test_an_answer_that_is_no_map_is_told(case):
    with (
        answering(*WRONG_ANSWERS[case]) as endpoint,
        DepthClient(endpoint, timeout_s=5) as client,
        pytest.raises(BridgeError, match="not a depth server that this client understands"),
    ):
        client.estimate(picture(4, 3))


def test_what_a_server_adds_is_passed_over_and_what_means_nothing_is_not_valid():
    values = np.array([1, math.nan, math.inf, -1, 0, 2, 3, 4, 5, 6, 7, 8], "<f4")
    more = {**DEPTH, "name": "overlay", "dtype": "u8", "channels": 4}
    changes = {"payloads": [more, VALID, DEPTH], "result": {**RESULT, "more": 1}, "news": []}
    with answering(changes, [b"????", bytes([255] * 11 + [0]), values.tobytes()]) as endpoint, DepthClient(endpoint) as client:
        got = client.estimate(picture(4, 3))
    assert got.valid.tobytes() == bytes([1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0]), "bytes of 0 and 1, as numpy's bool wants them"
    assert got.values.tobytes() == values.tobytes()


# ---- the client's own errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "camera", "source", "words"),
    [
        (np.zeros((4, 4, 3), np.float32), None, CameraSource.GIVEN, "float32"),
        (np.zeros((4, 4), np.uint8), None, CameraSource.GIVEN, "RGB"),
        (np.zeros((4, 4, 3), np.uint8), OFF_CENTRE, CameraSource.GIVEN, "180x100"),
        (np.zeros((HEIGHT, WIDTH, 3), np.uint8), OFF_CENTRE, CameraSource.MODEL, "given, exif, assumed, not model"),
    ],
)
def test_what_cannot_be_sent_is_told(image, camera, source, words, preset):
    with pytest.raises(BridgeError, match=words):
        preset[1].estimate(image, camera, camera_source=source)


def test_it_works_where_only_the_smallest_package_fits():
    """numpy, OpenCV and pyzmq: where no wheel of the runtime, of Pillow or of msgspec fits, the remote engine is what is left."""
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {("onnxruntime", "PIL", "msgspec", "click", "rich", "trimesh", "platformdirs", "onnx")!r}:
            raise ImportError(name + " is not here")
sys.meta_path.insert(0, Absent())
import numpy as np
from depthbridge.engines import CameraIntrinsics
from depthbridge.unity_bridge.client import RemoteEstimator
image = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
with RemoteEstimator(sys.argv[1]) as remote:
    answer = remote.estimate(image, CameraIntrinsics(4, 4, 1, 1, 4, 3))
print(remote.model_id, answer.kind, answer.camera.cx, float(answer.values[2, 3]))
"""
    with BridgeServer(Preset(), LOOPBACK) as server:
        done = subprocess.run([sys.executable, "-c", code, server.endpoint], capture_output=True, text=True, timeout=60)
    assert done.stderr == "" and done.stdout.split() == ["preset", "metric", "1.0", str(float(np.float32(3.3)))]


def test_a_header_of_a_map_is_strict_json():
    answer = DepthMap(np.full((3, 4), np.inf, np.float32), DepthKind.DISPARITY, np.zeros((3, 4), bool), None, None, None, 'a "name"')
    reply, header = ask(Preset(answer), {"payloads": [IMAGE], "outputs": ["depth"]}, [PIXELS])
    assert header["result"]["model"] == 'a "name"'
    json.loads(reply[2], parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
