# SPDX-License-Identifier: Apache-2.0
"""Messages that nobody should send: real ones of every kind, broken in every way that is known to break servers. Same seed, same messages."""

from __future__ import annotations

import copy
import io
import json
import random
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from depthbridge.unity_bridge.framing import MAGIC, Kind, pack_message, pack_prefix

WIDTH, HEIGHT = 6, 4
_SIZE = {"width": WIDTH, "height": HEIGHT}
_POSE = [[1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 1, 0]]

DEEP = b"[" * 100_000
_NUMBERS: tuple[Any, ...] = (0, -1, 1, 2**31, 2**32, 2**63, 2**64, -(2**63) - 1, 10**400, 1e308, -1e308, 5e-324, 1e-300, 0.5, -0.0, 65535, 65536)
_TEXTS: tuple[Any, ...] = (
    "", "raw", "png", "jpeg", "u8", "u16", "f32", "colour", "top_left", "sRGB", "\0", "\ud800", "x" * 5000, "../..", "{0}%s", "é\U0001f600",
)  # fmt: skip
_OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": None}, [1, 2, 3], ["image"], float("nan"), float("inf"), float("-inf"))


def file_of(pixels: np.ndarray[Any, Any], kind: str) -> bytes:
    """A PNG or JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def _header(**more: Any) -> dict[str, Any]:
    image = {"name": "image", "encoding": "raw", "dtype": "u8", "channels": 4, "order": "rgb", "origin": "bottom_left", **_SIZE}
    mask = {"name": "mask", "encoding": "raw", "dtype": "u16", "channels": 1, "origin": "bottom_left", **_SIZE}
    return {"payloads": [{**image, **more.pop("image", {})}, {**mask, **more.pop("mask", {})}], "camera": {"fx": 5.0, "fy": 5.0}, **more}


def requests_of_every_kind() -> list[tuple[int, dict[str, Any], list[bytes]]]:
    """Kind, header and payloads of requests that a server without token answers with ``ok``."""
    rng = np.random.default_rng(1)
    rgba = rng.integers(1, 200, (HEIGHT, WIDTH, 4), dtype=np.uint8)
    ids = np.array([[1, 1, 1, 2, 2, 2]] * HEIGHT, np.uint16)
    colours = np.stack([ids * 50, ids * 0, ids * 7, ids * 0 + 255], -1).astype(np.uint8)
    named = [
        {"mask_value": 1, "id": "a", "category": {"x": [1]}, "bbox": [0, 0, 3, 4], "parent_id": 2},
        {"mask_value": 2, "known_distance_m": 3.5},
    ]
    coloured = [{"colour": [50, 0, 7, 255]}, {"colour": [100, 0, 14, 255], "id": 9}]
    pixels = [rgba.tobytes(), ids.tobytes()]
    png, pose = {"encoding": "png"}, {"fx": 5, "fy": 6, "cx": 3, "cy": 2, **_SIZE, "extrinsics": _POSE}
    infer: list[tuple[dict[str, Any], list[bytes]]] = [
        (_header(), pixels),
        (_header(objects=named, camera=pose, requires=["objects", "extrinsics"], outputs=["objects", "depth"], depth_dtype="f16"), pixels),
        (_header(objects=named, outputs=["objects", "overlay", "depth"], overlay_encoding="png", deadline_ms=5000, model="oracle"), pixels),
        (_header(objects=coloured, mask={"ids": "colour", "dtype": "u8", "channels": 4}), [pixels[0], colours.tobytes()]),
        (_header(objects=coloured, mask={"ids": "colour", **png}), [pixels[0], file_of(colours, "png")]),
        (_header(image=png, mask=png), [file_of(rgba[..., :3], "png"), file_of(ids.astype(np.uint8), "png")]),
        (_header(image={"encoding": "jpeg"}, mask={"dtype": "u32"}), [file_of(rgba[..., :3], "jpeg"), ids.astype("<u4").tobytes()]),
        (_header(image={"channels": 3, "order": "bgr", "stride": 20}), [bytes(20 * HEIGHT), pixels[1]]),
        ({"payloads": _header()["payloads"][:1], "outputs": ["depth"], "camera": {"fx": 5, "fy": 5}, "camera_source": "exif"}, pixels[:1]),
    ]
    about: list[tuple[int, dict[str, Any], list[bytes]]] = [
        (kind, {"client": "fuzz", "client_version": "1", "requires": ["cancel"], "token": "t"}, []) for kind in Kind if kind != Kind.INFER
    ]
    return [*about, *((int(Kind.INFER), header, payloads) for header, payloads in infer)]


def who_is_answered(frames: list[bytes]) -> tuple[bool, int, bytes] | None:
    """By docs/protocol.md: whether a message is to be answered, and the delimiter, kind and id that its one answer has. None: no answer."""
    delimited = bool(frames) and not frames[0]
    rest = frames[1:] if delimited else frames
    if len(rest) < 2 or len(rest[0]) != 8 or rest[0][:4] != MAGIC or not 1 <= len(rest[1]) <= 64:
        return None
    return delimited, struct.unpack("<H", rest[0][6:])[0], rest[1]


class Mutator:
    """Breaks messages: lists of frames of which the third is JSON."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def broken(self, frames: list[bytes], donor: list[bytes]) -> list[bytes]:
        """A message with one to three things wrong with it; ``donor``: another one, to take frames from."""
        found = list(frames)
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            found = self.random.choices(self._WAYS, self._WEIGHTS)[0](self, found, donor) or [b""]
        return found

    # ---- bytes -----------------------------------------------------------------------------------------------------

    def _bytes_changed(self, frames: list[bytes], _: list[bytes]) -> list[bytes]:
        place = self.random.randrange(len(frames))
        data = bytearray(frames[place])
        for _ in range(self.random.randint(1, 6) if data else 0):
            data[self.random.randrange(len(data))] = self.random.randrange(256)
        return [*frames[:place], bytes(data), *frames[place + 1 :]]

    def _cut_or_longer(self, frames: list[bytes], _: list[bytes]) -> list[bytes]:
        place = self.random.randrange(len(frames))
        data = frames[place]
        changed = data[: self.random.randrange(len(data) + 1)] if self.random.random() < 0.6 else data + self._noise(64)
        return [*frames[:place], changed, *frames[place + 1 :]]

    def _frames_moved(self, frames: list[bytes], donor: list[bytes]) -> list[bytes]:
        found = list(frames)
        place = self.random.randrange(len(found))
        what = self.random.randrange(6)
        if what == 0:
            del found[place]
        elif what == 1:
            found.insert(place, found[self.random.randrange(len(found))])
        elif what == 2:
            self.random.shuffle(found)
        elif what == 3:
            found.insert(place, self.random.choice((b"", self._noise(9), b"\xff" * 8)))
        elif what == 4:
            found[place:] = donor[place:]
        else:
            found += [b"more"] * self.random.choice((1, 20, 300))
        return found

    def _noise_alone(self, _: list[bytes], __: list[bytes]) -> list[bytes]:
        return [self._noise(self.random.choice((0, 1, 8, 8, 9, 64, 65, 2000))) for _ in range(self.random.randint(1, 6))]

    def _prefix(self, frames: list[bytes], _: list[bytes]) -> list[bytes]:
        kind, major, minor = (
            self.random.choice((0, 1, 4, 5, 7, 8, 255, 65535)),
            self.random.choice((0, 0, 0, 1, 255)),
            self.random.choice((3, 3, 2, 4, 255)),
        )
        return [pack_prefix(kind, major, minor), *frames[1:]]

    def _id(self, frames: list[bytes], _: list[bytes]) -> list[bytes]:
        chosen = self.random.choice((b"", b"1", b"2", b"\0", b"same", self._noise(64), b"i" * 64, b"i" * 65, b"i" * 10_000))
        return [*frames[:1], chosen, *frames[2:]]

    def _noise(self, most: int) -> bytes:
        return self.random.randbytes(self.random.randint(0, most))

    # ---- JSON ------------------------------------------------------------------------------------------------------

    def _values_changed(self, frames: list[bytes], _: list[bytes]) -> list[bytes]:
        """Right keys, wrong values."""
        try:
            header = json.loads(frames[2])
        except (ValueError, IndexError, RecursionError):
            return frames
        for _ in range(self.random.choice((1, 1, 2, 4))):
            self._change_somewhere(header)
        return [*frames[:2], self._written(header), *frames[3:]]

    def _change_somewhere(self, value: Any) -> None:
        while isinstance(value, dict | list) and value:
            key = self.random.choice(list(value)) if isinstance(value, dict) else self.random.randrange(len(value))
            if isinstance(value[key], dict | list) and value[key] and self.random.random() < 0.75:
                value = value[key]
                continue
            what = self.random.randrange(8)
            if what == 0:
                del value[key]
            elif what == 1 and isinstance(value, list):
                value.extend([value[key]] * self.random.choice((1, 3, 200)))
            elif what == 1 and isinstance(value, dict):
                value[self.random.choice(("", "unknown", "token", "mask_value", "colour", "requires"))] = value.pop(key)
            elif what == 2 and isinstance(value, dict):
                value[self.random.choice(list(value))] = value[key]
            else:
                value[key] = self._hostile()
            return

    def _hostile(self) -> Any:
        if self.random.random() < 0.002:
            return [self.random.choice((0, {}, [], "x"))] * 30_000
        return copy.deepcopy(self.random.choice(self.random.choice((_NUMBERS, _NUMBERS, _TEXTS, _OTHERS))))

    def _written(self, header: Any) -> bytes:
        text = json.dumps(header, ensure_ascii=self.random.random() < 0.5)
        return text.encode("utf-8", "surrogatepass")

    def _text_changed(self, frames: list[bytes], _: list[bytes]) -> list[bytes]:
        """What is JSON no more, or only just."""
        if len(frames) < 3:
            return frames
        text = frames[2]
        middle = self.random.randrange(len(text) + 1)
        chosen = self.random.choice(
            (
                text[:middle] + b"\xff\xfe" + text[middle:],
                b"\xef\xbb\xbf" + text,
                text.decode("utf-8", "replace").encode("utf-16"),
                text + b" {}",
                text[:middle] + b"NaN" + text[middle:],
                b"{" + text[1:-1] + b"," + text[1:-1] + b"}",  # every key twice
                b'{"payloads":' + DEEP[: self.random.choice((100, 1_000, 100_000))],
                b'{"x":' + DEEP[:800] + b"]" * 800 + b"," + text[1:],
                b"[" + text + b"]",
                b"",
                b"null",
                text + b" " * (1024 * 1024) if self.random.random() < 0.02 else b"1",
                b'{"payloads":[],"payloads":' + b"9" * 5000 + b"}",
            )
        )
        return [*frames[:2], chosen, *frames[3:]]

    def _pixels(self, frames: list[bytes], _: list[bytes]) -> list[bytes]:
        """Payloads of the right size and any content."""
        return [*frames[:3], *(self.random.randbytes(len(frame)) if self.random.random() < 0.6 else frame for frame in frames[3:])]

    _WAYS: tuple[Callable[[Mutator, list[bytes], list[bytes]], list[bytes]], ...] = (
        _bytes_changed, _cut_or_longer, _frames_moved, _noise_alone, _prefix, _id, _values_changed, _text_changed, _pixels,
    )  # fmt: skip
    _WEIGHTS = (20, 8, 10, 4, 5, 5, 40, 5, 6)


class RequestFuzzer(Mutator):
    """Requests to a server without a token, nearly all of them broken."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._known = requests_of_every_kind()
        # Half of what is sent are frames.
        self._weights = [2 if kind != Kind.INFER else 3 for kind, _, _ in self._known]

    def message(self, number: int) -> list[bytes]:
        """The next one, with an id of its own unless that is what is wrong with it."""
        found = (
            self.broken(self._real(b"%d" % number), self._real(b"%d" % number)) if self.random.random() < 0.97 else self._real(b"%d" % number)
        )
        return [b"", *found] if self.random.random() < 0.05 else found

    def _real(self, request_id: bytes) -> list[bytes]:
        kind, header, payloads = self.random.choices(self._known, self._weights)[0]
        if kind == Kind.CANCEL and self.random.random() < 0.7:
            request_id = b"%d" % max(0, int(request_id) - self.random.randrange(40))
        return [bytes(frame) for frame in pack_message(kind, request_id, header, payloads)]
