# SPDX-License-Identifier: Apache-2.0
"""The C# package's engine-free core on mono: its NUnit tests, its JSON against Python's, its camera against projected points."""

from __future__ import annotations

import base64
import json
import math
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.mono import CORE, PACKAGE, ROOT, compile_cs, require_mono, run_nunit, sources

STEADY = settings(deadline=None)


@pytest.fixture(scope="session")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_mono()
    return compile_cs(tmp_path_factory.mktemp("core") / "Depthbridge.Core.dll", sources(CORE))


def test_nunit(core):
    """Everything in Tests/Core but the transport, which has sockets and a test file of its own."""
    files = [path for path in sources(PACKAGE / "Tests" / "Core") if not path.name.startswith("Transport")]
    result = run_nunit(compile_cs(core.parent / "Depthbridge.Core.Tests.dll", files, references=[core], nunit=True))
    assert not result.failures, "\n".join(result.failures)
    assert result.passed > 190


def test_the_core_compiles_without_unity_and_mentions_it_nowhere():
    for path in sources(CORE):
        code = "\n".join(line.split("//")[0] for line in path.read_text(encoding="utf-8").splitlines())
        assert "UnityEngine" not in code and "UnityEditor" not in code, path


def test_nothing_that_il2cpp_strips_or_cannot_compile():
    for path in sources(CORE):
        code = path.read_text(encoding="utf-8")
        for word in ("dynamic ", "System.Linq.Expressions", "Reflection.Emit", "async void", "Activator.", ".GetMethod(", "Thread.Abort"):
            assert word not in code, f"{path.name} has {word}"


def test_no_static_holds_state():
    for path in sources(CORE):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            words = line.split("//")[0].split("=")[0].split("(")[0].split()
            if "static" in words and line.rstrip().endswith(";") and "(" not in line.split("=")[0]:
                assert "readonly" in words, f"{path.name}:{number} is a static that can change"


class Tool:
    """The program, asked line by line."""

    def __init__(self, program: Path) -> None:
        self.process = subprocess.Popen(["mono", "--debug", str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii")

    def ask(self, *words: str) -> tuple[bool, bytes]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        verdict, answer = self.process.stdout.readline().split()
        return verdict == "ok", base64.b64decode(answer)

    def json(self, document: bytes) -> tuple[bool, bytes]:
        return self.ask("json", base64.b64encode(document).decode())

    def projection(self, matrix: np.ndarray, width: int, height: int) -> Any:
        good, answer = self.ask("projection", base64.b64encode(matrix.astype("<f8").tobytes()).decode(), str(width), str(height))
        return np.frombuffer(answer, "<f8") if good else answer.decode()


@pytest.fixture(scope="session")
def tool(core: Path) -> Iterator[Tool]:
    asked = Tool(compile_cs(core.parent / "CoreTool.exe", [ROOT / "tests" / "unity" / "core" / "CoreTool.cs"], references=[core]))
    yield asked
    asked.process.kill()
    asked.process.communicate()


# ---- JSON ----------------------------------------------------------------------------------------------------------

numbers = st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=6),
    max_leaves=40,
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same kind, but that a number may be written as 1 or 1.0, and that mono's own double.Parse is sometimes one unit in the
    last place off, and more below 2.3e-308; it is asked twice here. Whole numbers that 64 bits do not hold are doubles in C#."""
    if isinstance(one, int) and not isinstance(one, bool) and not -(2**63) <= one < 2**63:
        one = float(one)
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, int | float):
        return abs(one - other) <= max(2 * math.ulp(one), 1e-307)
    return isinstance(one, str) == isinstance(other, str) and one == other


@STEADY
@given(values, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_what_python_writes_is_read_and_written_again_the_same(tool, value, escaped, indent):
    text = json.dumps(value, ensure_ascii=escaped, allow_nan=False, indent=indent)
    good, again = tool.json(text.encode())
    assert good, again.decode()
    assert same(value, json.loads(again)), again


def refuse(name: str) -> float:
    raise ValueError(name)


def python_reads(document: bytes) -> tuple[bool, Any]:
    """Python's reader, without its liberties: NaN, numbers that become infinite, halves of surrogate pairs."""
    try:
        value = json.loads(document.decode("utf-8"), parse_constant=refuse)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError):
        return False, None
    return True, value


damages = st.tuples(st.integers(0, 200), st.sampled_from([*b'{}[]",:\\ue.+-0123456789tfn \n\x00\x7f\x80\xff\xed']), st.integers(0, 2))


@settings(deadline=None, max_examples=600)
@given(values, st.lists(damages, max_size=3))
def test_damaged_documents_are_judged_as_python_does(tool, value, damage):
    document = bytearray(json.dumps(value, ensure_ascii=True).encode())
    for place, byte, how in damage:
        at = place % (len(document) + 1)
        if how == 0:
            document.insert(at, byte)
        elif how == 1 and at < len(document):
            document[at] = byte
        else:
            del document[at : at + 1]
    good, expected = python_reads(bytes(document))
    read, again = tool.json(bytes(document))
    assert read == good, (bytes(document), again)
    if good:
        assert same(expected, json.loads(again)), (bytes(document), again)


@pytest.mark.parametrize("text", ['{"a":1,"b":2,"a":[3]}', '{"":0,"":1}'])
def test_of_two_members_of_one_name_the_last_counts_as_in_python(tool, text):
    good, again = tool.json(text.encode())
    assert good and same(json.loads(text), json.loads(again))


def test_whole_numbers_beyond_64_bits_become_the_nearest_double(tool):
    for number in (2**63, -(2**63) - 1, 10**30, 12345678901234567890123):
        good, again = tool.json(str(number).encode())
        assert good and float(json.loads(again)) == float(number)


# ---- the camera ----------------------------------------------------------------------------------------------------

sides = st.integers(1, 8192)
edges = st.floats(0.05, 8)
shifts = st.floats(-2, 2)


@STEADY
@given(sides, sides, edges, edges, shifts, shifts, st.floats(0.001, 10), st.floats(11, 10000), st.integers(0, 2**31))
def test_the_camera_sees_points_where_the_projection_puts_them(tool, width, height, half_x, half_y, off_x, off_y, near, far, seed):
    """A frustum with its own aspect and off its centre: pixels by the projection, through clip space, and by fx, fy, cx, cy."""
    left, right, bottom, top = (off_x - half_x) * near, (off_x + half_x) * near, (off_y - half_y) * near, (off_y + half_y) * near
    matrix = np.array(
        [
            [2 * near / (right - left), 0, (right + left) / (right - left), 0],
            [0, 2 * near / (top - bottom), (top + bottom) / (top - bottom), 0],
            [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)],
            [0, 0, -1, 0],
        ]
    )
    fx, fy, cx, cy = tool.projection(matrix, width, height)
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.1, 100, 50)
    across, up = rng.uniform(off_x - half_x, off_x + half_x, 50) * depth, rng.uniform(off_y - half_y, off_y + half_y, 50) * depth
    clip = matrix @ np.stack([across, up, -depth, np.ones(50)])  # OpenGL's camera looks along -z
    u = (clip[0] / clip[3] + 1) / 2 * width
    v = (1 - clip[1] / clip[3]) / 2 * height
    scale = max(width, height)
    assert np.abs(fx * across / depth + cx - u).max() < 1e-9 * scale
    assert np.abs(fy * -up / depth + cy - v).max() < 1e-9 * scale


def test_a_target_of_another_aspect_has_two_focal_lengths(tool):
    matrix = np.array([[1 / np.tan(np.pi / 6) / 2, 0, 0, 0], [0, 1 / np.tan(np.pi / 6), 0, 0], [0, 0, -1, -0.2], [0, 0, -1, 0]])  # aspect 2
    fx, fy, cx, cy = tool.projection(matrix, 400, 400)
    assert (fx, fy) == pytest.approx((173.2050808, 346.4101615)) and (cx, cy) == (200, 200)


def test_what_has_no_focal_length_is_refused_with_a_sentence(tool):
    assert "orthographic" in tool.projection(np.diag([0.1, 0.2, -0.01, 1]), 640, 360)
    assert "skewed" in tool.projection(np.array([[1, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, -1, -0.2], [0, 0, -1, 0]]), 640, 360)
    assert "finite" in tool.projection(np.full((4, 4), np.nan), 640, 360)
