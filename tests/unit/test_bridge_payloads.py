# SPDX-License-Identifier: Apache-2.0
"""What a server makes of the bytes it is sent: every layout gives the same pixels, every mistake one sentence with its code."""

from __future__ import annotations

import copy
import io
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from depthbridge.unity_bridge.errors import BridgeError
from depthbridge.unity_bridge.framing import MAX_HEADER_BYTES
from depthbridge.unity_bridge.serving.headers import PlainHeader, RequestError, TokenHeader, parse_header
from depthbridge.unity_bridge.serving.payloads import InferRequest, ServerLimits, parse_infer

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def parse(header, *payloads, limits=None):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return parse_infer(raw, [memoryview(payload) for payload in payloads], "m", limits or ServerLimits())


def described(name, width, height, origin="top_left", **more):
    return {"name": name, "width": width, "height": height, "origin": origin, **more}


def raw_image(image):
    return described("image", image.shape[1], image.shape[0], dtype="u8", channels=image.shape[2]), image.tobytes()


def png(pixels, mode=None):
    out = io.BytesIO()
    Image.fromarray(pixels, mode).save(out, "PNG")
    return out.getvalue()


def jpeg(pixels, **options):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", **options)
    return out.getvalue()


def refused(header, *payloads, limits=None, then=lambda request: (request.decode_image(), request.decode_mask())):
    with pytest.raises(RequestError) as caught:
        then(parse(header, *payloads, limits=limits))
    assert str(caught.value).endswith(".") and "Traceback" not in str(caught.value) and not caught.value.retryable
    return caught.value


# ---- layouts ---------------------------------------------------------------------------------------------------


@st.composite
def pictures(draw, channels):
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)


@st.composite
def laid_out(draw, pixels):
    """The bytes of raw pixels (H,W,C) in some layout, and what a description must say of it."""
    origin = draw(st.sampled_from(["top_left", "bottom_left"]))
    rows = pixels[::-1] if origin == "bottom_left" else pixels
    row = rows.shape[1] * rows.shape[2] * rows.itemsize
    stride = row + draw(st.integers(0, 9))
    padded = np.full((rows.shape[0], stride), 0xA5, np.uint8)
    padded[:, :row] = np.ascontiguousarray(rows).view(np.uint8).reshape(rows.shape[0], row)
    data = padded.tobytes()
    if draw(st.booleans()):
        data = data[: stride * (rows.shape[0] - 1) + row]
    about = {"origin": origin, "channels": rows.shape[2]}
    return data, about | ({"stride": stride} if stride != row or draw(st.booleans()) else {})


@relaxed
@given(data=st.data(), image=pictures(channels=4), channels=st.sampled_from([3, 4]), order=st.sampled_from(["rgb", "bgr"]))
def test_every_layout_of_an_image_gives_the_same_pixels(data, image, channels, order):
    rgb = image[..., :3]
    sent = image[..., [2, 1, 0, 3]] if order == "bgr" else image
    payload, about = data.draw(laid_out(sent[..., :channels]))
    header = {"payloads": [described("image", image.shape[1], image.shape[0], dtype="u8", order=order, **about)], "outputs": ["depth"]}
    got = parse(header, payload).decode_image()
    assert got.dtype == np.uint8 and got.flags.c_contiguous and np.array_equal(got, rgb)


@relaxed
@given(image=pictures(channels=4), channels=st.sampled_from([1, 2, 3, 4]), origin=st.sampled_from(["top_left", "bottom_left"]))
def test_a_png_of_an_image_gives_its_pixels(image, channels, origin):
    pixels = image[..., :channels] if channels > 1 else image[..., 0]
    want = image[..., :3] if channels > 2 else np.repeat(image[..., :1], 3, axis=2)
    rows, size = pixels[::-1] if origin == "bottom_left" else pixels, image.shape[1::-1]
    # What is said of raw pixels does not count.
    header = {"payloads": [described("image", *size, origin, encoding="png", dtype="x", channels=77, stride=-3, order="bgr")], "outputs": ["depth"]}
    assert np.array_equal(parse(header, png(np.ascontiguousarray(rows))).decode_image(), want)


@relaxed
@given(image=pictures(channels=3), orientation=st.sampled_from([None, 1, 3, 6, 8]), quality=st.integers(5, 100))
def test_a_jpeg_is_read_as_it_lies_in_the_file(image, orientation, quality):
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    data = jpeg(image, quality=quality, exif=exif)
    with Image.open(io.BytesIO(data)) as file:
        want = np.array(file.convert("RGB"))
    for origin in ("top_left", "bottom_left"):
        header = {"payloads": [described("image", *image.shape[1::-1], origin, encoding="jpeg")], "outputs": ["depth"]}
        assert np.array_equal(parse(header, data).decode_image(), want if origin == "top_left" else want[::-1])


@relaxed
@given(data=st.data(), code=st.sampled_from(["u8", "u16", "i32", "u32"]), seed=st.integers(0, 2**32))
def test_every_layout_of_a_mask_gives_the_same_ids(data, code, seed):
    rng = np.random.default_rng(seed)
    dtype = np.dtype({"u8": "<u1", "u16": "<u2", "i32": "<i4", "u32": "<u4"}[code])
    limits = np.iinfo(dtype)
    ids = rng.integers(limits.min, limits.max, rng.integers(1, 20, 2), dtype=dtype.newbyteorder("="), endpoint=True)
    payload, about = data.draw(laid_out(ids.astype(dtype)[..., None]))
    image = raw_image(np.zeros((*ids.shape, 3), np.uint8))
    header = {"payloads": [image[0], described("mask", ids.shape[1], ids.shape[0], dtype=code, **about)]}
    got = parse(header, image[1], payload).decode_mask()
    assert got.unlisted_pixels is None and got.values.flags.c_contiguous and np.array_equal(got.values, ids)


@relaxed
@given(kind=st.sampled_from(["L", "I;16", "P"]), origin=st.sampled_from(["top_left", "bottom_left"]), seed=st.integers(0, 2**32))
def test_a_png_of_a_mask_gives_its_ids(kind, origin, seed):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 65536 if kind == "I;16" else 256, rng.integers(1, 20, 2)).astype(np.uint16 if kind == "I;16" else np.uint8)
    rows = np.ascontiguousarray(ids[::-1] if origin == "bottom_left" else ids)
    file = Image.fromarray(rows) if kind != "P" else Image.frombytes("P", rows.shape[::-1], rows.tobytes())
    if kind == "P":
        file.putpalette(rng.integers(0, 256, 768, dtype=np.uint8).tobytes())
    out = io.BytesIO()
    file.save(out, "PNG")
    image = raw_image(np.zeros((*ids.shape, 3), np.uint8))
    header = {"payloads": [image[0], described("mask", ids.shape[1], ids.shape[0], origin, encoding="png")]}
    assert np.array_equal(parse(header, image[1], out.getvalue()).decode_mask().values, ids)


# ---- colours ---------------------------------------------------------------------------------------------------


@relaxed
@given(
    data=st.data(),
    seed=st.integers(0, 2**32),
    alpha=st.booleans(),
    channels=st.sampled_from([3, 4]),
    order=st.sampled_from(["rgb", "bgr"]),
    encoding=st.sampled_from(["raw", "png"]),
)
def test_colours_become_the_places_of_their_objects(data, seed, alpha, channels, order, encoding):
    """Against the plain way: one dictionary, pixel by pixel. Few different bytes, so that colours differ in their alpha alone, or in their order."""
    rng = np.random.default_rng(seed)
    bytes_ = np.array([0, 1, 254, 255], np.uint8)
    pixels = bytes_[rng.integers(0, 4, (*rng.integers(1, 16, 2), 4))]
    if channels == 3:
        pixels, alpha = pixels[..., :3], False
    numbers = 4 if alpha else 3
    candidates = sorted({tuple(map(int, pixel[:numbers])) for pixel in bytes_[rng.integers(0, 4, (40, 4))]})
    named = data.draw(st.lists(st.sampled_from(candidates), unique=True, max_size=12))
    table = {colour: place for place, colour in enumerate(named, 1)}
    want = np.array([[table.get(tuple(map(int, pixel[:numbers])), 0) for pixel in row] for row in pixels], np.uint16)
    unlisted = int(((want == 0) & pixels[..., :3].any(axis=2)).sum())
    if encoding == "raw":
        stored = pixels[..., [2, 1, 0, 3][:channels]] if order == "bgr" else pixels
        payload, about = data.draw(laid_out(stored))
        about |= {"dtype": "u8", "order": order}
    else:
        origin = data.draw(st.sampled_from(["top_left", "bottom_left"]))
        payload = png(np.ascontiguousarray(pixels[::-1] if origin == "bottom_left" else pixels))
        about = {"encoding": "png", "origin": origin, "order": order}  # a file's colours are what they are
    image = raw_image(np.zeros((*want.shape, 3), np.uint8))
    header = {
        "payloads": [image[0], {**described("mask", want.shape[1], want.shape[0]), **about, "ids": "colour"}],
        "objects": [{"colour": list(colour)} for colour in named],
    }
    request = parse(header, image[1], payload)
    got = request.decode_mask()
    assert np.array_equal(got.values, want) and got.values.dtype == np.uint16 and got.unlisted_pixels == unlisted
    assert [(item.id, item.mask_value, item.by_colour) for item in request.objects] == [(n, n, True) for n in range(1, len(named) + 1)]


def test_a_palette_of_colours_is_a_picture_of_colours():
    colours = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]]], np.uint8)
    file = Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE)
    out = io.BytesIO()
    file.save(out, "PNG")
    image = raw_image(colours)
    header = {"payloads": [image[0], described("mask", 2, 2, encoding="png", ids="colour")], "objects": [{"colour": [0, 0, 255]}, {"colour": [255, 0, 0]}]}
    got = parse(header, image[1], out.getvalue()).decode_mask()
    assert got.values.tolist() == [[2, 0], [1, 0]] and got.unlisted_pixels == 2


def test_a_server_measures_no_more_objects_than_colours_are_numbered():
    assert ServerLimits(max_objects=65535).max_objects == 65535
    with pytest.raises(BridgeError, match="max_objects is 65536 and a mask of colours tells at most 65535"):
        ServerLimits(max_objects=65536)


# ---- objects and pose ------------------------------------------------------------------------------------------

GREY = np.full((3, 4, 3), 90, np.uint8)
IMAGE, PIXELS = raw_image(GREY)
MASK = described("mask", 4, 3, dtype="u8")
IDS = bytes(12)
CAMERA = {"fx": 4.0, "fy": 4.0}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@relaxed
@given(
    items=st.lists(
        st.fixed_dictionaries(
            {"mask_value": st.integers(1, 2**32 - 1)},
            optional={
                "id": st.integers(-(2**70), 2**70) | st.text(max_size=5),
                "category": json_values,
                "bbox": json_values,
                "parent_id": json_values,
                "known_distance_m": st.floats(min_value=1e-9, max_value=1e9),
                "something_newer": json_values,
            },
        ),
        max_size=5,
        unique_by=(lambda item: item["mask_value"], lambda item: (str(type(item.get("id"))), item.get("id", item["mask_value"]))),
    )
)
def test_what_is_said_of_objects_arrives(items):
    ids = [item.get("id", item["mask_value"]) for item in items]
    if len(set(ids)) < len(ids):
        return
    request = parse({"payloads": [IMAGE, MASK], "objects": items}, PIXELS, IDS)
    assert [item.id for item in request.objects] == ids
    assert [item.mask_value for item in request.objects] == [item["mask_value"] for item in items]
    assert [item.known_distance_m for item in request.objects] == [item.get("known_distance_m") for item in items]
    passed = [{name: item[name] for name in ("category", "bbox", "parent_id") if name in item} for item in items]
    assert [dict(item.record) for item in request.objects] == passed


def test_without_objects_there_are_none_and_an_empty_list_is_one():
    assert parse({"payloads": [IMAGE, MASK]}, PIXELS, IDS).objects is None
    assert parse({"payloads": [IMAGE, MASK], "objects": []}, PIXELS, IDS).objects == ()


@relaxed
@given(seed=st.integers(0, 2**32), mirrored=st.booleans(), scale=st.floats(-3e-4, 3e-4))
def test_a_turned_and_moved_camera_is_taken_and_a_scaled_one_is_not(seed, mirrored, scale):
    rng = np.random.default_rng(seed)
    turned, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turned *= np.sign(np.linalg.det(turned)) * (-1 if mirrored else 1)
    pose = np.hstack([turned * (1 + scale), rng.normal(0, 100, (3, 1))])
    header = {"payloads": [IMAGE, MASK], "camera": {**CAMERA, "extrinsics": pose.tolist()}}
    got = parse(header, PIXELS, IDS).extrinsics
    assert got.dtype == np.float64 and np.array_equal(got, pose)
    header["camera"]["extrinsics"] = (np.diag([1.002, 1, 1]) @ pose).tolist()
    assert refused(header, PIXELS, IDS).code == "bad_camera"


# ---- mistakes --------------------------------------------------------------------------------------------------


def changed(**changes):
    """A request with parts of it replaced: ``image``, ``mask`` by what is added to the description, other keys in the header."""
    header = {"payloads": [{**IMAGE, **changes.pop("image", {})}, {**MASK, **changes.pop("mask", {})}], "camera": dict(CAMERA)}
    return header | changes


RGBA = described("mask", 4, 3, dtype="u8", channels=4, ids="colour")
ROTATION = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize(
    ("header", "code", "words"),
    [
        (changed(image={"order": "grb"}), "bad_header", "order"),
        (changed(image={"dtype": None}), "bad_header", "no dtype"),
        (changed(image={"dtype": "u16"}), "unsupported_encoding", "u16"),
        (changed(image={"channels": 1}), "unsupported_encoding", "1 channels"),
        (changed(image={"encoding": "webp"}), "unsupported_encoding", "webp"),
        (changed(image={"colour": "linear"}), "unsupported_encoding", "linear"),
        (changed(image={"origin": "centre"}), "bad_header", "origin"),
        (changed(image={"stride": 5}), "size_mismatch", "stride of 5"),
        (changed(image={"stride": -12}), "size_mismatch", "stride of -12"),
        (changed(image={"width": 0}), "bad_header", "width"),
        (changed(mask={"encoding": "jpeg"}), "unsupported_encoding", "mixes neighbouring ids"),
        (changed(mask={"ids": "colour"}, objects=[]), "unsupported_encoding", "colour-coded and has 1 channels"),
        (changed(mask={"ids": "hue"}), "bad_header", "ids"),
        (changed(mask={"dtype": "f32"}), "unsupported_encoding", "f32"),
        (changed(mask={"width": 3, "height": 4}), "size_mismatch", "3x4"),
        (changed(objects={}), "bad_header", "objects"),
        (changed(objects=[{}]), "bad_header", "Object 1 of the list needs a mask_value"),
        (changed(objects=[{"mask_value": 1, "colour": [1, 2, 3]}]), "bad_header", "no colour"),
        (changed(objects=[{"mask_value": 0}]), "bad_header", "mask_value"),
        (changed(objects=[{"mask_value": 1.5}]), "bad_header", "mask_value"),
        (changed(objects=[{"mask_value": 2**32}]), "bad_header", "mask_value"),
        (changed(objects=[{"mask_value": 5}, {"mask_value": 5, "id": 6}]), "bad_header", "mask_value 5 of an earlier one"),
        (changed(objects=[{"mask_value": 5}, {"mask_value": 6, "id": 5}]), "bad_header", "id 5 of an earlier one"),
        (changed(objects=[{"mask_value": 5, "id": "a"}, {"mask_value": 6, "id": "a"}]), "bad_header", "id 'a'"),
        (changed(objects=[{"mask_value": 5, "id": True}]), "bad_header", "id"),
        (changed(objects=[{"mask_value": 5, "id": [1]}]), "bad_header", "id"),
        (changed(objects=[{"mask_value": 5, "known_distance_m": 0}]), "bad_header", "known_distance_m"),
        (changed(objects=[{"mask_value": 5, "known_distance_m": -2}]), "bad_header", "known_distance_m"),
        (changed(objects=[{"mask_value": 5, "known_distance_m": 1e20}]), "bad_header", "known_distance_m"),
        (changed(objects=[{"mask_value": n + 1} for n in range(4097)]), "too_large", "4097 objects"),
        (changed(outputs=["objects", "normals"]), "unsupported", "normals"),
        (changed(outputs=[]), "bad_header", "empty"),
        (changed(outputs=["overlay"]), "bad_header", "overlay"),
        (changed(outputs=["depth"]), "bad_header", "no objects are asked for"),
        (changed(depth_dtype="f64"), "bad_header", "depth_dtype"),
        (changed(overlay_encoding="gif"), "bad_header", "overlay_encoding"),
        (changed(camera={**CAMERA, "extrinsics": [[1, 0, 0, 0], [0, 1, 0, 0]]}), "bad_header", "extrinsics"),
        (changed(camera={**CAMERA, "extrinsics": [*ROTATION, [0, 0, 0, 1]]}), "bad_header", "extrinsics"),
        (changed(camera={**CAMERA, "extrinsics": [[0, 0, 0, 0]] * 3}), "bad_camera", "not a rotation"),
        (changed(camera={**CAMERA, "extrinsics": [[1, 0, 0, 1e30], *ROTATION[1:]]}), "bad_camera", "1e+30"),
        (changed(camera={**CAMERA, "extrinsics": [[1e200, 0, 0, 0], *ROTATION[1:]]}), "bad_camera", "1e+200"),
        (changed(camera={"fx": -4, "fy": 4}), "bad_camera", "-4"),
        (changed(token=5), "bad_header", "token"),
        (changed(deadline_ms=0), "bad_header", "deadline_ms"),
        (changed(model="other"), "unknown_model", "other"),
        (changed(requires=["teleport"]), "unsupported", "teleport"),
    ],
)
def test_every_mistake_has_its_code_and_its_sentence(header, code, words):
    error = refused(header, PIXELS, IDS)
    assert (error.code, words in error.message) == (code, True), error.message


@pytest.mark.parametrize(
    ("objects", "mask", "code", "words"),
    [
        (None, RGBA, "bad_header", "no list of objects"),
        ([{"colour": [1, 2, 3]}, {"colour": [1, 2, 3]}], RGBA, "bad_header", r"Two objects have the colour [1, 2, 3]"),
        ([{"colour": [1, 2, 3]}, {"colour": [1, 2, 3, 4]}], RGBA, "bad_header", "some 4"),
        ([{"colour": [1, 2, 256]}], RGBA, "bad_header", "colour"),
        ([{"colour": [1, 2]}], RGBA, "bad_header", "colour"),
        ([{"colour": "red"}], RGBA, "bad_header", "colour"),
        ([{"mask_value": 3}], RGBA, "bad_header", "needs a colour"),
        ([{"colour": [1, 2, 3], "mask_value": 3}], RGBA, "bad_header", "no mask_value"),
        ([{"colour": [1, 2, 3, 4]}], {**RGBA, "channels": 3}, "bad_header", "send the mask with its alpha"),
    ],
)
def test_every_mistake_of_colours_has_its_sentence(objects, mask, code, words):
    error = refused({"payloads": [IMAGE, mask], "objects": objects}, PIXELS, bytes(12 * mask["channels"]))
    assert (error.code, words in error.message) == (code, True), error.message


def test_objects_without_a_mask_are_told():
    assert "without a mask" in refused({"payloads": [IMAGE], "outputs": ["depth"], "objects": []}, PIXELS).message


def test_header_limits():
    fits = {"token": "x" * (MAX_HEADER_BYTES - 13)}
    assert len(json.dumps(fits)) == MAX_HEADER_BYTES and parse_header(json.dumps(fits).encode(), TokenHeader).token == fits["token"]
    with pytest.raises(RequestError, match=f"at most {MAX_HEADER_BYTES}"):
        parse_header(json.dumps(fits).encode() + b" ", TokenHeader)
    for raw in (b"[" * MAX_HEADER_BYTES, b'{"x":' * 100_000, b"\xff\xfe", b'{"requires":NaN}', b"[]", b"null", b""):
        for kind in (PlainHeader, TokenHeader):
            if not (raw.startswith(b'{"requires') and kind is TokenHeader):
                with pytest.raises(RequestError) as caught:
                    parse_header(raw, kind)
                assert caught.value.code == "bad_header"
    with pytest.raises(RequestError, match="holds NaN"):
        parse_header(b'{"requires":NaN}', PlainHeader)


# ---- files -----------------------------------------------------------------------------------------------------


def grey_png(width, height, depth, colour, data=b""):
    """A PNG with any header."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)) + data + chunk(b"IEND", b"")


def packed(raw, name=b"IDAT", before=b""):
    """A chunk of compressed bytes."""
    body = before + zlib.compress(raw)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def scans(data, count):
    """A JPEG with its scan repeated."""
    start = data.index(b"\xff\xda")
    return data[:start] + data[start:-2] * count + data[-2:]


@pytest.mark.parametrize(
    ("name", "encoding", "data", "code", "words"),
    [
        ("image", "png", jpeg(GREY), "bad_image", "is no PNG file"),
        ("image", "jpeg", png(GREY), "bad_image", "is no JPEG file"),
        ("image", "png", b"", "bad_image", "is no PNG file"),
        ("image", "png", b"\x89PNG\r\n\x1a\n", "size_mismatch", "0x0"),
        ("image", "png", png(GREY)[:-30], "bad_image", "damaged"),
        ("image", "jpeg", jpeg(np.random.default_rng(0).integers(0, 255, (3, 4, 3), np.uint8))[:-20], "bad_image", "damaged"),
        ("image", "jpeg", b"\xff\xd8\xff\xe0", "bad_image", "damaged"),
        ("image", "png", png(GREY[:2]), "size_mismatch", "4x2"),
        ("image", "jpeg", jpeg(GREY[:, :3]), "size_mismatch", "3x3"),
        ("image", "png", grey_png(60000, 60000, 8, 2, packed(bytes(64))), "size_mismatch", "60000x60000"),
        ("image", "png", grey_png(4, 3, 8, 2, packed(bytes(2**26), b"zTXt", b"k\0\0") + packed(bytes(39))), "bad_image", "damaged"),
        ("image", "png", grey_png(4, 3, 16, 2, packed(bytes(3 * 25))), "unsupported_encoding", "16 bits"),
        ("image", "png", grey_png(4, 3, 16, 0, packed(bytes(3 * 9))), "unsupported_encoding", "16 bits"),
        ("image", "jpeg", jpeg(np.zeros((3, 4, 4), np.uint8)[..., :3]).replace(b"\xff\xda", b"\xff\xda" * 200), "bad_image", "scans"),
        ("image", "jpeg", scans(jpeg(GREY), 200), "bad_image", "128 scans"),
        ("mask", "png", png(GREY), "unsupported_encoding", "RGB"),
        ("mask", "png", grey_png(4, 3, 4, 0, packed(bytes(3 * 3))), "unsupported_encoding", "4 bits per pixel"),
        ("mask", "png", grey_png(4, 3, 1, 0, packed(bytes(3 * 2))), "unsupported_encoding", "1 bits per pixel"),
        ("mask", "png", grey_png(4, 3, 16, 2, packed(bytes(3 * 25))), "unsupported_encoding", "16 bits"),
        ("mask", "png", b"GIF89a", "bad_image", "is no PNG file"),
    ],
)
def test_every_mistake_of_a_file_has_its_sentence(name, encoding, data, code, words):
    about = {"image": IMAGE, "mask": MASK} | {name: described(name, 4, 3, encoding=encoding)}
    sent = {"image": PIXELS, "mask": IDS} | {name: data}
    error = refused({"payloads": list(about.values())}, *sent.values())
    assert (error.code, words in error.message) == (code, True), error.message


def test_a_mask_of_grey_is_no_mask_of_colours():
    mask = described("mask", 4, 3, encoding="png", ids="colour")
    error = refused({"payloads": [IMAGE, mask], "objects": []}, PIXELS, png(GREY[..., 0]))
    assert error.code == "unsupported_encoding" and "colours" in error.message


def test_pixels_are_limited_before_a_file_is_opened():
    limits = ServerLimits(max_pixels=11)
    for encoding in ("png", "jpeg"):
        error = refused({"payloads": [described("image", 4, 3, encoding=encoding)], "outputs": ["depth"]}, b"", limits=limits, then=lambda request: None)
        assert error.code == "too_large"


noise = np.random.default_rng(3).integers(0, 256, (24, 32, 3), dtype=np.uint8)
FILES = {"png": png(noise), "jpeg": jpeg(noise), "progressive": jpeg(noise, progressive=True)}


@settings(max_examples=400, deadline=None)
@given(kind=st.sampled_from(sorted(FILES)), cut=st.integers(0, 3000), flips=st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 255)), max_size=4))
def test_a_broken_file_is_a_picture_or_one_sentence(kind, cut, flips):
    data = bytearray(FILES[kind][: max(1, len(FILES[kind]) - cut)] if cut < 2000 else FILES[kind])
    for place, bits in flips:
        data[place % len(data)] ^= bits
    header = {"payloads": [described("image", 32, 24, encoding="png" if kind == "png" else "jpeg")], "outputs": ["depth"]}
    try:
        got = parse(header, bytes(data)).decode_image()
    except RequestError as error:
        assert error.code in ("bad_image", "size_mismatch", "unsupported_encoding") and error.message.count("\n") == 0
    else:
        assert got.shape == (24, 32, 3) and got.dtype == np.uint8


def test_a_file_that_ends_early_is_never_half_a_picture():
    for kind, whole in FILES.items():
        header = {"payloads": [described("image", 32, 24, encoding="png" if kind == "png" else "jpeg")], "outputs": ["depth"]}
        for length in range(0, len(whole) - 40, 7):
            assert refused(header, whole[:length], then=InferRequest.decode_image).code in ("bad_image", "size_mismatch")


# ---- any header ------------------------------------------------------------------------------------------------

VALID = changed(objects=[{"mask_value": 1, "id": "a", "bbox": [1, 2, 3, 4]}], outputs=["objects", "depth", "overlay"], requires=["objects"])
VALID["camera"]["extrinsics"] = ROTATION


def places(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*path, key))


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_whatever_stands_anywhere_in_a_header_it_is_read_or_refused(data):
    header = copy.deepcopy(VALID)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([path for path in places(header) if path]))
        target = header
        for key in path[:-1]:
            target = target[key]
        if data.draw(st.booleans()):
            target[path[-1]] = data.draw(json_values)
        else:
            del target[path[-1]]
    try:
        request = parse(header, PIXELS, IDS)
        request.decode_image(), request.decode_mask()
    except RequestError as error:
        assert error.message.endswith(".") and len(error.message) < 1000
    else:
        assert isinstance(request, InferRequest)


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 10_000))
def test_whatever_bytes_a_header_has_it_is_read_or_refused(place, byte, cut):
    raw = bytearray(json.dumps(VALID).encode())
    raw[place % len(raw)] = byte
    if cut < 1000:
        del raw[cut % len(raw) :]
    try:
        parse(bytes(raw), PIXELS, IDS)
    except RequestError as error:
        assert len(error.message) < 1000
