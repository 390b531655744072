# SPDX-License-Identifier: Apache-2.0
"""The package's components on mono: all shipped C#, stubs of UnityEngine with the arithmetic of the shipped shaders, and a player."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.mono import CORE, PACKAGE, ROOT, compile_cs, require_mono, run_mono, sources

RESOURCES = PACKAGE / "Runtime" / "Resources"
UNITY_TESTS = ROOT / "tests" / "unity"
_SHADER_FUNCTIONS = RESOURCES / "Depthbridge" / "Depthbridge.hlsl"


@dataclass(frozen=True)
class PlayBuild:
    """What was compiled, side by side in ``folder``."""

    folder: Path

    @property
    def core(self) -> Path:
        return self.folder / "Depthbridge.Core.dll"

    @property
    def engine(self) -> Path:
        return self.folder / "UnityEngine.dll"

    @property
    def components(self) -> Path:
        return self.folder / "Depthbridge.Unity.dll"

    def play(self, scenario: str, *, timeout_s: float = 180.0, **options: Any) -> dict[str, Any]:
        """What a scenario of ``tests/unity/play`` reports. An exception in it, or one that Unity would have logged, fails the test."""
        given = [f"{name}={value}" for name, value in {"python": sys.executable, **options}.items()]
        done = run_mono(self.folder / "Play.exe", scenario, str(RESOURCES), *given, timeout_s=timeout_s)
        assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert not [line for line in report["log"] if line.startswith("exception")], report["log"]
        return report


def build_play(folder: Path) -> PlayBuild:
    """Compile everything; mcs takes some seconds."""
    require_mono()
    build = PlayBuild(folder)
    shader_code = folder / "ShaderCode.cs"
    shader_code.write_text(shader_functions_in_cs(_SHADER_FUNCTIONS.read_text(encoding="utf-8")), encoding="utf-8")
    runtime = [path for path in sources(PACKAGE / "Runtime") if CORE not in path.parents]
    compile_cs(build.core, sources(CORE))
    compile_cs(build.engine, [*sources(UNITY_TESTS / "stubs"), shader_code])
    compile_cs(build.components, runtime, references=[build.core, build.engine])
    compile_cs(folder / "Play.exe", sources(UNITY_TESTS / "play"), references=[build.core, build.engine, build.components])
    return build


def shader_functions_in_cs(hlsl: str) -> str:
    """HLSL functions over floats and float vectors as methods of a C# class; the bodies are the same but for ``new`` and ``f``."""
    code = "\n".join(line for line in hlsl.splitlines() if not line.startswith("#"))
    code = re.sub(r"\b(\d+\.\d+)\b", r"\1f", code)
    code = re.sub(r"^(float\d?) ", r"public static \1 ", code, flags=re.MULTILINE)
    code = re.sub(r"\b(float[234])\(", r"new \1(", code)
    return "namespace StubUnity\n{\npublic sealed class ShaderCode : HlslBuiltIns\n{\n" + code + "\n}\n}\n"
