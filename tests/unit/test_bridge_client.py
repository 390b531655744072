# SPDX-License-Identifier: Apache-2.0
"""The blocking client against a real server: whatever a frame is sent as, its answer is the same; who may come in, and what is told who may not."""

from __future__ import annotations

import dataclasses
import io
import pickle
import threading

import numpy as np
import pytest
import zmq.auth
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from depthbridge.engines import CameraIntrinsics, CameraSource, DepthKind, DepthMap
from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.errors import CancelledError
from depthbridge.unity_bridge.client import CurveKeys, DepthClient, EncodedPicture, RemoteEstimator, SceneObject
from depthbridge.unity_bridge.errors import BridgeConnectionError, BridgeError, RefusedError
from depthbridge.unity_bridge.framing import Kind, pack_header, pack_prefix, unpack_prefix
from depthbridge.unity_bridge.serving.access import Access
from depthbridge.unity_bridge.serving.keys import open_keys
from depthbridge.unity_bridge.serving.payloads import ServerLimits
from depthbridge.unity_bridge.serving.server import BridgeServer
from support.bridge_peers import LOOPBACK, impostor

WIDTH, HEIGHT = 48, 32
CAMERA = CameraIntrinsics(40.0, 41.0, 23.0, 17.0, WIDTH, HEIGHT)
COLOURS = {1: (255, 0, 0, 255), 2: (255, 0, 0, 254), 700: (0, 3, 255, 255)}


class RedIsDepth:
    """Sees as many decimetres as the red channel has."""

    model_id = "red"
    needs_camera = False

    def __init__(self, kind=DepthKind.METRIC):
        self.kind = kind
        self.seen = []

    def estimate(self, image, camera=None, *, cancel=None):
        self.seen.append(image)
        depth = image[..., 0].astype(np.float32) / 10
        source = CameraSource.NONE if camera is None else CameraSource.GIVEN
        return DepthMap(depth, self.kind, depth > 0, None, None, camera, self.model_id, source)


def scene():
    """A picture (H,W,4) with a slope of depth in it, and a mask of ids 1, 2 and 700."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    image = np.dstack([20 + 2 * rows + columns, 3 * columns, 5 * rows, 7 * columns]).astype(np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint16)
    mask[2:14, 3:20], mask[10:30, 22:40], mask[18:31, 1:15] = 1, 2, 700
    return image, mask


IMAGE, MASK = scene()


def coloured(mask):
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[..., 3] = 255
    for value, colour in COLOURS.items():
        pixels[mask == value] = colour
    return pixels


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG")
    return EncodedPicture(out.getvalue(), pixels.shape[1], pixels.shape[0])


@pytest.fixture(scope="module")
def served():
    engine = RedIsDepth()
    with BridgeServer(engine, LOOPBACK) as server, DepthClient(server.endpoint) as client:
        yield engine, client


# ---- one scene, sent in every way ------------------------------------------------------------------------------


def flipped(pixels, origin):
    return pixels[::-1] if origin == "bottom_left" else pixels


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    origin=st.sampled_from(["top_left", "bottom_left"]),
    mask_origin=st.sampled_from(["top_left", "bottom_left", None]),
    channels=st.sampled_from([3, 4]),
    order=st.sampled_from(["rgb", "bgr"]),
    image_file=st.booleans(),
    mask_as=st.sampled_from(["uint16", "int32", "uint32", "int64", "big-endian", "png", "colour", "colour png"]),
)
def test_however_a_frame_is_sent_its_answer_is_the_same(served, origin, mask_origin, channels, order, image_file, mask_as):
    engine, client = served
    ids = (1, 700, 2)
    want = client.measure(IMAGE, CAMERA, MASK, objects=[{"mask_value": value, "id": f"n{value}"} for value in ids])
    swap = [2, 1, 0, 3] if order == "bgr" and not image_file else [0, 1, 2, 3]
    pixels = flipped(IMAGE[..., swap[:channels]], origin)
    image = png(pixels) if image_file else pixels
    rows = flipped(MASK, mask_origin or origin)
    objects = [SceneObject(mask_value=value, id=f"n{value}") for value in ids]
    if mask_as.startswith("colour"):
        objects = [SceneObject(colour=COLOURS[value], id=f"n{value}") for value in ids]
        colours = coloured(rows)
        mask = png(colours) if mask_as == "colour png" else colours[..., [2, 1, 0, 3]] if order == "bgr" else colours
    elif mask_as == "png":
        mask = png(rows)
    else:
        mask = rows.astype(">u4" if mask_as == "big-endian" else mask_as)
    got = client.measure(image, CAMERA, mask, objects=objects, origin=origin, mask_origin=mask_origin, order=order)
    assert np.array_equal(engine.seen[-1], IMAGE[..., :3])
    assert [item.mask_value for item in got.objects] == ([None] * 3 if mask_as.startswith("colour") else list(ids))
    assert [dataclasses.replace(item, mask_value=None) for item in got.objects] == [dataclasses.replace(item, mask_value=None) for item in want.objects]
    assert (got.unlisted, got.unlisted_pixels) == ((), 0)


def test_the_example_of_the_readme_stands(served):
    _, client = served
    frame = client.measure(IMAGE[::-1], CAMERA, MASK[::-1], origin="bottom_left")
    assert [item.id for item in frame.objects] == [1, 2, 700]
    assert frame.object(1).distance.max == pytest.approx(IMAGE[2:14, 3:20, 0].max() / 10, abs=0.31)


def test_what_is_named_is_answered_in_its_order_with_what_was_said_of_it(served):
    _, client = served
    said = {"category": {"name": "cube", "tags": [1, None]}, "bbox": np.array([3, 2, 20, 14]), "parent_id": "floor"}
    objects = [SceneObject(mask_value=700, id="back"), SceneObject(mask_value=9, id=-4), {"mask_value": np.uint16(1), **said}]
    frame = client.measure(IMAGE, CAMERA, MASK, objects=objects)
    assert [(item.id, item.mask_value, item.pixel_count) for item in frame.objects] == [("back", 700, 182), (-4, 9, 0), (1, 1, 204)]
    assert frame.object(1).record == {"category": {"name": "cube", "tags": [1, None]}, "bbox": [3, 2, 20, 14], "parent_id": "floor"}
    assert frame.object(1).category == {"name": "cube", "tags": [1, None]} and frame.object("back").record == {}
    assert frame.object(-4).distance is None and frame.object(-4).reason
    assert (frame.unlisted, frame.unlisted_pixels) == ((2,), int((MASK == 2).sum()))
    assert client.measure(IMAGE, CAMERA, MASK, objects=[]).objects == ()


def test_colours_that_nobody_names_are_counted(served):
    _, client = served
    frame = client.measure(IMAGE, CAMERA, coloured(MASK), objects=[{"colour": [255, 0, 0, 254]}])
    assert [(item.id, item.pixel_count) for item in frame.objects] == [(1, int((MASK == 2).sum()))]
    assert frame.unlisted == () and frame.unlisted_pixels == int(((MASK == 1) | (MASK == 700)).sum())


def test_a_pose_places_objects_in_its_world(served):
    _, client = served
    turned = np.array([[0.0, 0, -1], [0, -1, 0], [1, 0, 0]])  # with a mirror, as Unity's left-handed world gives
    pose = np.hstack([turned, [[1.0], [2], [3]]])
    here = client.measure(IMAGE, CAMERA, MASK).object(1)
    there = client.measure(IMAGE, CAMERA, MASK, extrinsics=np.vstack([pose, [0, 0, 0, 1]])).object(1)
    assert here.position_world is None and there.position == here.position
    world = np.array([there.position_world.x, there.position_world.y, there.position_world.z])
    assert turned @ world + pose[:, 3] == pytest.approx([here.position.x, here.position.y, here.position.z], abs=1e-5)


def test_a_known_distance_gives_a_relative_model_its_metres():
    with BridgeServer(RedIsDepth(DepthKind.RELATIVE), LOOPBACK) as server, DepthClient(server.endpoint) as client:
        before = client.measure(IMAGE, CAMERA, MASK)
        known = [SceneObject(mask_value=1, known_distance_m=2 * before.object(1).distance.median), SceneObject(mask_value=2)]
        after = client.measure(IMAGE, CAMERA, MASK, objects=known, depth="f32")
    assert (before.unit, before.fit, after.unit, after.kind) == ("relative", None, "m", DepthKind.RELATIVE)
    assert after.fit.scale == pytest.approx(2) and after.fit.objects == (1,)
    assert after.object(2).distance.median == pytest.approx(2 * before.object(2).distance.median, rel=1e-5)
    assert after.depth_map.kind is DepthKind.METRIC and after.depth_map.values[0, 0] == pytest.approx(IMAGE[0, 0, 0] / 5)


@pytest.mark.parametrize("depth", ["f32", "f16"])
@pytest.mark.parametrize("overlay", ["png", "jpeg"])
def test_map_and_overlay_come_with_the_objects(served, depth, overlay):
    _, client = served
    frame = client.measure(IMAGE, CAMERA, MASK, depth=depth, overlay=overlay)
    with Image.open(io.BytesIO(frame.overlay)) as picture:
        assert (picture.format.lower(), picture.size, picture.mode) == (overlay, (WIDTH, HEIGHT), "RGB")
    want = IMAGE[..., 0].astype(np.float32) / 10
    assert np.array_equal(frame.depth_map.values, want.astype(np.float16).astype(np.float32) if depth == "f16" else want)
    assert frame.depth_map.camera == CAMERA and len(frame.objects) == 3
    alone = client.measure(IMAGE, CAMERA, MASK)
    assert alone.overlay is None and alone.depth_map is None


# ---- what cannot be sent ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": IMAGE.astype(np.float32)}, "float32"),
        ({"image": IMAGE[..., 0]}, "RGB or RGBA"),
        ({"image": EncodedPicture(b"GIF89a", WIDTH, HEIGHT)}, "neither PNG nor JPEG"),
        ({"mask": MASK[:-1]}, "48x31 and the image 48x32"),
        ({"mask": EncodedPicture(b"\x89PNG", 7, 7)}, "7x7"),
        ({"mask": MASK.astype(np.float32)}, "integer ids"),
        ({"mask": MASK.astype(np.int64) << 40}, "32 bits"),
        ({"mask": MASK, "objects": [SceneObject(colour=(1, 2, 3))]}, "its ids are colours"),
        ({"mask": coloured(MASK)[..., :2], "objects": []}, "its ids are colours"),
        ({"camera": CameraIntrinsics.from_vertical_fov(60, 10, 10)}, "10x10"),
        ({"extrinsics": np.eye(3)}, r"\(3, 3\)"),
        ({"extrinsics": np.full((3, 4), np.nan)}, "finite"),
        ({"extrinsics": np.eye(4), "camera": None}, "without a camera"),
        ({"objects": [{"mask_value": 1, "category": object()}]}, "no JSON"),
        ({"objects": [{"mask_value": 1, "bbox": [float("nan")]}]}, "no JSON"),
        ({"objects": [{"mask_value": 1, "category": "x" * 2**20}]}, "header needs .* at most 1048576; name fewer"),
        ({"objects": {"mask_value": 1}}, "hold 'mask_value'; give a list"),
        ({"depth": True}, "depth is True; give None or 'f32' or 'f16'"),
        ({"overlay": "gif"}, "overlay is 'gif'"),
        ({"timeout_s": 0}, "timeout"),
        ({"timeout_s": float("inf")}, "timeout of inf s"),
        ({"timeout_s": 1e306}, "timeout"),
    ],
)
def test_what_cannot_be_sent_is_told_and_not_sent(served, changes, words):
    engine, client = served
    before = len(engine.seen)
    arguments = {"image": IMAGE, "camera": CAMERA, "mask": MASK} | changes
    with pytest.raises(BridgeError, match=words) as caught:
        client.measure(**arguments)
    assert not isinstance(caught.value, RefusedError) and len(engine.seen) == before


def test_a_map_of_another_precision_is_not_asked_for(served):
    with pytest.raises(BridgeError, match="depth is 'f64'; give 'f32' or 'f16'"):
        served[1].estimate(IMAGE, depth="f64")


def test_a_refusal_reaches_another_process_whole():
    found = pickle.loads(pickle.dumps(RefusedError("overloaded", "Wait.", retryable=True)))
    assert (found.code, str(found), found.retryable) == ("overloaded", "Wait.", True)


def test_what_the_server_refuses_comes_with_its_code(served):
    _, client = served
    with pytest.raises(RefusedError, match="file is 48x32; describe") as caught:
        client.measure(EncodedPicture(png(IMAGE).data, 8, 8), None, np.ones((8, 8), np.uint8))
    assert (caught.value.code, caught.value.retryable) == ("size_mismatch", False)
    with pytest.raises(RefusedError, match="mixes neighbouring"):
        client.measure(IMAGE, CAMERA, EncodedPicture(b"\xff\xd8\xff", WIDTH, HEIGHT))


def test_an_answer_over_the_servers_limit_is_not_asked_for():
    engine, limit = RedIsDepth(), 13 * WIDTH * HEIGHT - 1
    with BridgeServer(engine, LOOPBACK, limits=ServerLimits(max_answer_bytes=limit)) as server, DepthClient(server.endpoint) as client:
        assert client.measure(IMAGE, CAMERA, MASK, depth="f16").depth_map is not None, "7 bytes a pixel"
        assert client.measure(IMAGE, CAMERA, MASK, depth="f16", overlay="png").overlay is not None, "11"
        with pytest.raises(BridgeError, match=f"at most {limit}") as caught:
            client.measure(IMAGE, CAMERA, MASK, depth="f32")
    assert len(engine.seen) == 2 and not isinstance(caught.value, RefusedError)


def test_a_frame_that_zeromq_would_drop_is_not_sent():
    with BridgeServer(RedIsDepth(), LOOPBACK, limits=ServerLimits(max_message_bytes=IMAGE.nbytes)) as server, DepthClient(server.endpoint) as client:
        with pytest.raises(BridgeError, match=f"takes at most {IMAGE.nbytes}"):
            client.measure(IMAGE, CAMERA, MASK)
        assert client.health()["live"] and client.stats()["errors"] == 0


# ---- who may come in -------------------------------------------------------------------------------------------

TOKEN = "a token of 32 characters, or so.."


def test_the_token_goes_along_with_everything():
    with BridgeServer(RedIsDepth(), LOOPBACK, access=Access(token=TOKEN)) as server:
        with DepthClient(server.endpoint, token=TOKEN) as client:
            assert client.hello().model == "red" and client.health()["live"] and client.models() and client.bye() == 0
            assert client.measure(IMAGE, CAMERA, MASK).objects and client.estimate(IMAGE).valid.all() and client.stats()["errors"] == 0
        with RemoteEstimator(server.endpoint, token=TOKEN + "\n") as remote:  # as a file has it
            assert remote.estimate(IMAGE).valid.all()
        for wrong in (None, "", TOKEN + "x", TOKEN[:-1]):
            with DepthClient(server.endpoint, token=wrong) as client:
                for ask in (client.hello, client.health, client.models, client.stats, client.bye, lambda: client.measure(IMAGE, CAMERA, MASK)):
                    with pytest.raises(RefusedError, match="token") as caught:
                        ask()
                    assert (caught.value.code, caught.value.retryable) == ("unauthorized", False) and TOKEN not in str(caught.value)


def test_a_token_and_a_secret_key_are_not_shown(tmp_path):
    keys = CurveKeys(b"a" * 40, b"b" * 40, b"c" * 40)
    assert "ccc" not in repr(keys)
    with DepthClient("tcp://127.0.0.1:9", token=TOKEN) as client:
        assert TOKEN not in repr(client._peer)


@pytest.fixture
def keys(tmp_path):
    return open_keys(tmp_path / "keys").keys, tmp_path / "keys"


def test_curve_lets_in_whom_it_knows(keys, tmp_path):
    served, folder = keys
    with BridgeServer(RedIsDepth(), LOOPBACK, access=Access(keys=served)) as server:
        taken = tmp_path / "taken along"
        taken.mkdir()
        for name in ("server.key", "clients/client.key_secret"):
            (taken / name.split("/")[-1]).write_bytes((folder / name).read_bytes())
        files = CurveKeys.from_files(folder / "server.key", folder / "clients" / "client.key_secret")
        assert CurveKeys.from_folder(folder) == CurveKeys.from_folder(taken) == files
        with DepthClient(server.endpoint, curve=files) as client:
            assert client.measure(IMAGE, CAMERA, MASK, depth="f32").depth_map is not None
        with RemoteEstimator(server.endpoint, curve=files) as remote:
            assert remote.estimate(IMAGE).valid.all()


def test_whom_curve_does_not_let_in_is_told_why(keys):
    served, folder = keys
    right = CurveKeys.from_folder(folder)
    public, secret = zmq.curve_keypair()
    with BridgeServer(RedIsDepth(), LOOPBACK, access=Access(keys=served)) as server:
        for curve, words in (
            (None, "--curve wants keys"),
            (CurveKeys(right.server_key, public, secret), "does not know these keys"),
            (CurveKeys(public, right.public, right.secret), "does not know these keys"),
        ):
            with DepthClient(server.endpoint, curve=curve) as client, pytest.raises(BridgeConnectionError, match=f"listens.*{words}"):
                client.hello()
    with (
        BridgeServer(RedIsDepth(), LOOPBACK) as server,
        DepthClient(server.endpoint, curve=right) as client,
        pytest.raises(BridgeConnectionError, match="server without --curve"),
    ):
        client.hello()


def test_keys_that_are_none_are_told(keys, tmp_path):
    _, folder = keys
    with pytest.raises(BridgeError, match="39 characters"):
        CurveKeys(b"x" * 39, b"x" * 40, b"x" * 40)
    with pytest.raises(BridgeError, match="is not one"), DepthClient("tcp://127.0.0.1:9", curve=CurveKeys(b"\\" * 40, b"\\" * 40, b"\\" * 40)):
        pass
    with pytest.raises(BridgeError, match="no secret key"):
        CurveKeys.from_files(folder / "server.key", folder / "clients" / "client.key")
    with pytest.raises(BridgeError, match=r"nobody.key_secret cannot be read"):
        CurveKeys.from_folder(folder, "nobody")
    (tmp_path / "server.key").write_text("hello")
    with pytest.raises(BridgeError, match=r"server.key cannot be read"):
        CurveKeys.from_files(tmp_path / "server.key", folder / "clients" / "client.key_secret")
    assert CurveKeys.from_folder(str(folder)) == CurveKeys.from_folder(folder), "a path may be text"


# ---- partings --------------------------------------------------------------------------------------------------


def test_a_client_that_was_closed_says_so():
    client = DepthClient("tcp://127.0.0.1:9")
    client.close()
    for ask in (client.hello, client.bye, lambda: client.measure(IMAGE, CAMERA, MASK)):
        with pytest.raises(BridgeError, match="was closed; make a new one"):
            ask()
    client.close()


class Waits(RedIsDepth):
    """Sits on a picture until it is cancelled."""

    def __init__(self):
        super().__init__()
        self.begun, self.ended = threading.Event(), threading.Event()

    def estimate(self, image, camera=None, *, cancel=None):
        self.begun.set()
        while not cancel.cancelled:
            threading.Event().wait(0.005)
        self.ended.set()
        cancel.check()


def test_a_client_that_leaves_in_the_middle_takes_its_frame_back():
    """Its last word and its leaving are one moment."""
    engine = Waits()
    with BridgeServer(engine, LOOPBACK) as server:
        cancel = CancelToken()
        threading.Thread(target=lambda: (engine.begun.wait(10), cancel.cancel())).start()
        with pytest.raises(CancelledError), DepthClient(server.endpoint) as client:
            client.estimate(IMAGE, cancel=cancel)
        assert engine.ended.wait(10)


def test_bye_says_how_many_were_dropped():
    def answer(frames):
        kind = unpack_prefix(frames[0]).kind
        return [pack_prefix(kind), frames[1], pack_header({"status": "ok", "dropped": 3} if kind == Kind.BYE else {"status": "ok"})]

    with impostor(answer) as endpoint, DepthClient(endpoint) as client:
        assert client.bye() == 3
        with pytest.raises(BridgeError, match="not a depth server"):
            client.hello()


@pytest.mark.parametrize("header", [b"[]", b"nothing", b'{"status":"ok"', b'{"status":"error"}', b"[" * 100_000])
def test_an_answer_that_is_no_json_of_ours_is_told(header):
    with (
        impostor(lambda frames: [frames[0], frames[1], header]) as endpoint,
        DepthClient(endpoint) as client,
        pytest.raises(BridgeError, match="not a depth server that this client understands"),
    ):
        client.health()
