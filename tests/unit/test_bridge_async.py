# SPDX-License-Identifier: Apache-2.0
"""The asyncio client against real servers: many frames on one connection, each answer with its own frame, credit kept, nothing left behind."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest

from depthbridge.engines import CameraIntrinsics, CameraSource, DepthKind, DepthMap
from depthbridge.unity_bridge.async_client import AsyncDepthClient
from depthbridge.unity_bridge.client import CurveKeys, DepthClient, SceneObject
from depthbridge.unity_bridge.errors import BridgeConnectionError, BridgeError, BridgeTimeoutError, BridgeVersionError, RefusedError
from depthbridge.unity_bridge.framing import Kind, pack_header, pack_prefix, unpack_prefix
from depthbridge.unity_bridge.serving.access import Access
from depthbridge.unity_bridge.serving.keys import open_keys
from depthbridge.unity_bridge.serving.server import BridgeServer
from support.bridge_peers import LOOPBACK, impostor

WIDTH, HEIGHT = 16, 12
CAMERA = CameraIntrinsics(14.0, 14.0, 8.0, 6.0, WIDTH, HEIGHT)
MASK = np.ones((HEIGHT, WIDTH), np.uint8)


def shade(value):
    return np.full((HEIGHT, WIDTH, 3), value, np.uint8)


class ByShade:
    """A picture of the shade n is n / 10 m away. ``hold`` keeps an estimate until it is set, or cancelled."""

    model_id = "shade"
    kind = DepthKind.METRIC
    needs_camera = False

    def __init__(self, *, hold=False, pause_s=0.0):
        self.seen = []
        self.go, self.begun = threading.Event(), threading.Event()
        self.pause_s = pause_s
        if not hold:
            self.go.set()

    def estimate(self, image, camera=None, *, cancel=None):
        self.seen.append(int(image[0, 0, 0]))
        self.begun.set()
        while not self.go.wait(0.005):
            cancel.check()
        time.sleep(self.pause_s)
        depth = image[..., 0].astype(np.float32) / 10
        return DepthMap(depth, self.kind, depth > 0, None, None, camera, self.model_id, CameraSource.NONE if camera is None else CameraSource.GIVEN)


def run(coroutine, timeout_s=60):
    return asyncio.run(asyncio.wait_for(coroutine, timeout_s))


async def reached(condition, timeout_s=10.0):
    """Waits until the condition holds."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        await asyncio.sleep(0.005)


def test_it_answers_as_the_blocking_client_does():
    picture = np.random.default_rng(0).integers(10, 200, (HEIGHT, WIDTH, 4), dtype=np.uint8)
    arguments = {"objects": [SceneObject(mask_value=1, id="all", category="x")], "extrinsics": np.eye(4), "overlay": "png", "depth": "f16"}

    async def ask(endpoint):
        async with AsyncDepthClient(endpoint) as client:
            frame = await client.measure(picture, CAMERA, MASK, origin="bottom_left", **arguments)
            return frame, await client.estimate(picture, CAMERA), await client.hello(), await client.models(), (await client.health())["live"], await client.bye()

    with BridgeServer(ByShade(), LOOPBACK) as server:
        frame, depth, info, models, live, dropped = run(ask(server.endpoint))
        with DepthClient(server.endpoint) as client:
            want = client.measure(picture, CAMERA, MASK, origin="bottom_left", **arguments)
            assert (frame.objects, frame.overlay) == (want.objects, want.overlay)
            assert np.array_equal(frame.depth_map.values, want.depth_map.values)
            assert np.array_equal(depth.values, client.estimate(picture, CAMERA).values)
            assert (info, models, live, dropped) == (client.hello(), client.models(), True, 0)


def test_a_hundred_frames_at_once_get_each_its_own_answer_within_the_credit():
    engine = ByShade(pause_s=0.001)

    async def ask(endpoint):
        async with AsyncDepthClient(endpoint) as client:
            frames = await asyncio.gather(*(client.measure(shade(n), CAMERA, MASK) for n in range(1, 101)))
            return frames, await client.stats()

    with BridgeServer(engine, LOOPBACK, max_in_flight=3) as server:
        frames, stats = run(ask(server.endpoint))
    assert [round(frame.object(1).distance.median * 10) for frame in frames] == list(range(1, 101))
    assert stats["overloaded"] == stats["errors"] == 0 and sorted(engine.seen) == list(range(1, 101))


def test_several_are_under_way_at_once():
    engine = ByShade(hold=True)

    async def ask(endpoint):
        async with AsyncDepthClient(endpoint) as client:
            frames = [asyncio.create_task(client.measure(shade(n), CAMERA, MASK)) for n in (5, 6, 7, 8)]
            await reached(engine.begun.is_set)
            busy = 0
            for _ in range(200):
                busy = max(busy, (await client.health())["in_flight"])
                if busy == 3:
                    break
                await asyncio.sleep(0.01)
            engine.go.set()
            await asyncio.gather(*frames)
            return busy

    with BridgeServer(engine, LOOPBACK, max_in_flight=3) as server:
        assert run(ask(server.endpoint)) == 3, "three are at the server, and the fourth waits here"


def out_of_order(answers_after):
    """An impostor that keeps infer requests until it has so many, and answers them last first."""
    kept = []

    def answer(frames):
        kind = unpack_prefix(frames[0]).kind
        if kind == Kind.HELLO:
            about = {"server_version": "1", "protocol": "0.3", "model": "m", "kind": "metric", "needs_camera": False, "capabilities": ["depth_map"]}
            limits = {"max_header_bytes": 2**20, "max_message_bytes": 2**30, "max_answer_bytes": 2**30, "max_pixels": 2**20, "max_in_flight": 9}
            return [frames[0], frames[1], pack_header({"status": "ok", **about, **limits})]
        if kind == Kind.INFER:
            kept.append(frames)
        if not kept or (kind == Kind.INFER and len(kept) < answers_after):
            return None
        frames = kept.pop()
        size = {"width": WIDTH, "height": HEIGHT}
        payloads = [{"name": name, "encoding": "raw", "dtype": code, "channels": 1, "origin": "top_left", **size} for name, code in (("depth", "f32"), ("valid", "u8"))]
        about = {"kind": "metric", "camera": None, "focal_px": None, "scale_note": None, "extrinsics": None, "stage_ms": None}
        result = {"model": "m", "camera_source": "none", "depth": about}
        values = np.full((HEIGHT, WIDTH), frames[3][0], "<f4")
        header = {"status": "ok", "payloads": payloads, "result": result}
        return [pack_prefix(Kind.INFER), frames[1], pack_header(header), values.tobytes(), bytes([1]) * (WIDTH * HEIGHT)]

    return impostor(answer)


def test_answers_find_their_frames_in_any_order():
    async def ask(endpoint):
        async with AsyncDepthClient(endpoint, timeout_s=20) as client:
            maps = [asyncio.create_task(client.estimate(shade(n))) for n in (1, 2, 3)]
            await asyncio.wait(maps, return_when=asyncio.FIRST_COMPLETED)
            for _ in range(2):  # anything sent makes the impostor answer one more
                asyncio.create_task(client.health())  # noqa: RUF006 -- never answered
                await asyncio.sleep(0.05)
            return [int(found.values[0, 0]) for found in await asyncio.gather(*maps)]

    with out_of_order(3) as endpoint:
        assert run(ask(endpoint)) == [1, 2, 3]


# ---- giving up -------------------------------------------------------------------------------------------------


def test_a_cancelled_task_takes_its_frame_back_from_the_server():
    engine = ByShade(hold=True)

    async def ask(endpoint):
        async with AsyncDepthClient(endpoint) as client:
            tasks = [asyncio.create_task(client.estimate(shade(n))) for n in (1, 2, 3)]
            await reached(engine.begun.is_set)
            await reached(lambda: len(engine.seen) == 1)
            while (await client.health())["in_flight"] < 3:
                await asyncio.sleep(0.005)
            for task in tasks[:2]:  # the one in work, and the first that waits
                task.cancel()
            first, second = await asyncio.gather(*tasks[:2], return_exceptions=True)
            assert isinstance(first, asyncio.CancelledError) and isinstance(second, asyncio.CancelledError)
            while (await client.stats())["cancelled"] < 2:  # else the time limit of the whole ends it
                await asyncio.sleep(0.005)
            engine.go.set()
            last = await tasks[2]
            return int(last.values[0, 0] * 10), client.stale_replies

    with BridgeServer(engine, LOOPBACK, max_in_flight=4) as server:
        assert run(ask(server.endpoint)) == (3, 2)
    assert engine.seen == [1, 3], "the one that waited never reached the engine"


def test_a_timeout_takes_its_frame_back_and_the_client_goes_on():
    engine = ByShade(hold=True)

    async def ask(endpoint):
        async with AsyncDepthClient(endpoint) as client:
            await client.hello()
            with pytest.raises(BridgeTimeoutError, match="no answer in time"):
                await client.estimate(shade(1), timeout_s=0.3)
            while (await client.stats())["cancelled"] < 1:
                await asyncio.sleep(0.005)
            engine.go.set()
            return int((await client.estimate(shade(2))).values[0, 0] * 10)

    with BridgeServer(engine, LOOPBACK, max_in_flight=1) as server:
        assert run(ask(server.endpoint)) == 2


@pytest.mark.parametrize("late", [False, True], ids=["cancelled", "timed out"])
def test_a_place_is_free_again_only_when_the_server_has_it_free(late):
    """An engine that is told to stop needs a while. Until then the server counts its frame: the next one waits here, and is not refused."""

    class Slow(ByShade):
        def estimate(self, image, camera=None, *, cancel=None):
            self.seen.append(int(image[0, 0, 0]))
            self.begun.set()
            if len(self.seen) == 1:
                time.sleep(0.5)  # hears nothing
            cancel.check()
            return super().estimate(image, camera, cancel=cancel)

    engine = Slow()

    async def ask(endpoint):
        async with AsyncDepthClient(endpoint) as client:
            first = asyncio.create_task(client.estimate(shade(1), timeout_s=0.2 if late else None))
            await reached(engine.begun.is_set)
            if not late:
                first.cancel()
            await asyncio.wait([first])
            return (await client.estimate(shade(2))).values[0, 0], (await client.stats())["overloaded"]

    with BridgeServer(engine, LOOPBACK, max_in_flight=1) as server:
        assert run(ask(server.endpoint)) == (pytest.approx(0.2), 0)


def test_whoever_waits_for_credit_in_vain_is_told():
    engine = ByShade(hold=True)

    async def ask(endpoint):
        async with AsyncDepthClient(endpoint) as client:
            first = asyncio.create_task(client.estimate(shade(1)))
            await reached(engine.begun.is_set)
            with pytest.raises(BridgeTimeoutError, match="takes 1 frames at once"):
                await client.estimate(shade(2), timeout_s=0.2)
            engine.go.set()
            await first
            return (await client.estimate(shade(3))).values[0, 0]

    with BridgeServer(engine, LOOPBACK, max_in_flight=1) as server:
        assert run(ask(server.endpoint)) == pytest.approx(0.3)
    assert engine.seen == [1, 3]


def test_closing_ends_what_is_under_way_and_tells_the_server():
    engine = ByShade(hold=True)
    stopped = threading.Event()

    class Tells(ByShade):
        def estimate(self, image, camera=None, *, cancel=None):
            try:
                return engine.estimate(image, camera, cancel=cancel)
            finally:
                stopped.set()

    async def ask(endpoint):
        client = AsyncDepthClient(endpoint)
        task = asyncio.create_task(client.estimate(shade(1)))
        await reached(engine.begun.is_set)
        await client.close()
        await client.close()
        with pytest.raises(BridgeError, match="closed before the answer"):
            await task
        with pytest.raises(BridgeError, match="closed"):
            await client.health()

    with BridgeServer(Tells(), LOOPBACK) as server:
        run(ask(server.endpoint))
        assert stopped.wait(10), "the engine goes on for nobody"


def test_a_client_that_was_never_used_closes():
    async def ask():
        async with AsyncDepthClient("tcp://127.0.0.1:9"):
            pass

    run(ask())


# ---- servers that are not there, or go ---------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_told_to_everyone():
    tried = []

    async def ask():
        async with AsyncDepthClient("tcp://127.0.0.1:9") as client:
            hello = client.hello

            async def counted():
                tried.append(None)
                return await hello()

            client.hello = counted
            first = await asyncio.gather(*(client.estimate(shade(n)) for n in range(3)), return_exceptions=True)
            return first, await asyncio.gather(client.estimate(shade(1)), return_exceptions=True)

    first, again = run(ask())
    assert [type(error) for error in [*first, *again]] == [BridgeConnectionError] * 4 and len({id(error) for error in first}) == 3
    assert len(tried) == 2, "all who wait are told at once, and who comes later tries again"


def test_a_server_that_goes_is_noticed_by_all_who_wait_and_found_again():
    engine = ByShade(hold=True)
    server = BridgeServer(engine, LOOPBACK, max_in_flight=5)
    server.start()

    async def ask():
        async with AsyncDepthClient(server.endpoint) as client:
            tasks = [asyncio.create_task(client.estimate(shade(n))) for n in range(1, 4)]
            await reached(engine.begun.is_set)
            while (await client.health())["in_flight"] < 3:
                await asyncio.sleep(0.005)
            await asyncio.to_thread(server.stop, drain=False)
            errors = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(error) for error in errors] == [BridgeConnectionError] * 3, errors
            assert len({id(error) for error in errors}) == 3
            engine.go.set()
            with BridgeServer(ByShade(), server.endpoint, max_in_flight=1):
                values = await asyncio.gather(*(client.estimate(shade(n)) for n in range(1, 6)))
                assert (await client.stats())["overloaded"] == 0, "the new server's credit, not the old one's"
            return [round(float(found.values[0, 0]) * 10) for found in values]

    assert run(ask()) == [1, 2, 3, 4, 5]


def test_a_server_of_another_version_is_told():
    def answer(frames):
        error = {"status": "error", "error": {"code": "unsupported_version", "message": "no", "retryable": False}}
        return [pack_prefix(unpack_prefix(frames[0]).kind, 0, 2), frames[1], pack_header(error)]

    async def ask(endpoint):
        async with AsyncDepthClient(endpoint) as client:
            await client.hello()

    with impostor(answer) as endpoint, pytest.raises(BridgeVersionError, match=r"0\.2 and this client.*0\.3"):
        run(ask(endpoint))


def test_nonsense_from_the_server_reaches_whoever_waits():
    async def ask(endpoint):
        async with AsyncDepthClient(endpoint, timeout_s=20) as client:
            return await asyncio.gather(client.health(), client.hello(), return_exceptions=True)

    with impostor(lambda frames: [b"HTTP/1.1 400 Bad Request"]) as endpoint:
        assert all("not a depth server" in str(error) for error in run(ask(endpoint)))


def test_token_and_keys(tmp_path):
    keys = open_keys(tmp_path).keys
    token = "0123456789abcdef" * 2

    async def ask(endpoint, **access):
        async with AsyncDepthClient(endpoint, **access) as client:
            return (await client.measure(shade(9), CAMERA, MASK)).object(1).distance.mean

    with BridgeServer(ByShade(), LOOPBACK, access=Access(token=token, keys=keys)) as server:
        curve = CurveKeys.from_folder(tmp_path)
        assert run(ask(server.endpoint, token=token, curve=curve)) == pytest.approx(0.9)
        with pytest.raises(RefusedError, match="token"):
            run(ask(server.endpoint, curve=curve))
        with pytest.raises(BridgeConnectionError, match="--curve wants keys"):
            run(ask(server.endpoint, token=token))
