# SPDX-License-Identifier: Apache-2.0
"""The zip in a Blender that has nothing of this project's: installs, runs its embedded model, leaves no trace, and goes again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.model_paths import SHIPPED_MODELS
from depthbridge.unity_bridge.serving.server import BridgeServer
from support.bare_blender import BareBlender, bare_blender
from support.extension import PLATFORM

UNINSTALL = """
repositories = [repository.module for repository in bpy.context.preferences.extensions.repos]
bpy.ops.extensions.package_uninstall(repo_index=repositories.index("user_default"), pkg_id="depthbridge")
"""
SHIPPED_WHEELS = ("onnxruntime", "cv2", "PIL", "zmq")


@pytest.fixture(autouse=True)
def empty_file() -> None:
    """Nothing here happens in the Blender of this process: the extension need not be installed in it."""


@pytest.fixture
def blender(tmp_path: Path) -> BareBlender:
    return bare_blender(tmp_path)


def answer(blender: BareBlender, archive: Path, code: str) -> dict[str, object]:
    """What ``code`` puts into ``result``, run after installing."""
    done = blender.install(archive, code + "\nprint('RESULT', json.dumps(result))")
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert done.returncode == 0 and lines and "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    found = json.loads(lines[-1].removeprefix("RESULT "))
    assert isinstance(found, dict)
    return found


def test_a_bare_blender_has_none_of_the_wheels(blender: BareBlender) -> None:
    """Otherwise the tests below would prove nothing."""
    done = blender.run(f"import importlib.util; print([n for n in {SHIPPED_WHEELS!r} if importlib.util.find_spec(n)], NAME in sys.modules)")
    assert done.stdout.splitlines()[-1] == "[] False", done.stdout + done.stderr


def test_the_embedded_model_runs_from_the_wheels_of_the_zip(blender: BareBlender, extension_zip: Path) -> None:
    code = f"""
import importlib, numpy
engine = importlib.import_module(NAME + ".engines.engine")
with engine.DepthEngine.open("depthbridge-mini") as opened:
    depth = opened.estimate(numpy.zeros((48, 64, 3), numpy.uint8))
homes = [importlib.import_module(name).__file__ for name in {SHIPPED_WHEELS!r}]
result = dict(shape=depth.values.shape, finite=bool(numpy.isfinite(depth.values[depth.valid]).all()), homes=homes)
"""
    result = answer(blender, extension_zip, code)
    assert result["shape"] == [48, 64] and result["finite"]
    wheels = str(blender.profile / "extensions" / ".local")
    assert all(str(home).startswith(wheels) for home in result["homes"]), result["homes"]


def test_blender_sees_no_policy_violation(blender: BareBlender, extension_zip: Path) -> None:
    """By Blender's own judgement (what it shows in the add-on's panel), and by what it looks at: sys.path and the top level."""
    code = """
before, modules = list(sys.path), set(sys.modules)
addon_utils.disable(NAME); addon_utils.enable(NAME)
import importlib, pkgutil
package = sys.modules[NAME]
for item in pkgutil.walk_packages(package.__path__, NAME + "."):
    if item.name.startswith((NAME + ".addon", NAME + ".engines")):
        importlib.import_module(item.name)
addon_utils._is_first_reset()
new = {name.partition(".")[0] for name in set(sys.modules) - modules} - {"bl_ext"}
home = str(Path(package.__file__).parent)
strangers = sorted(n for n in new if str(getattr(sys.modules.get(n), "__file__", "")).startswith(home))
result = dict(warnings=addon_utils._extensions_warnings_get().get(NAME, []), path=[p for p in sys.path if p not in before], strangers=strangers,
    inside=[p for p in sys.path if p.startswith(home)], bare=[n for n in ("depthbridge", "engines", "addon", "models") if n in sys.modules])
"""
    assert answer(blender, extension_zip, code) == {"warnings": [], "path": [], "strangers": [], "inside": [], "bare": []}


def test_switching_off_and_on_again_leaves_nothing_behind(blender: BareBlender, extension_zip: Path) -> None:
    code = """
def registered():
    return sorted(name for name in dir(bpy.types) if name.lower().startswith("depthbridge")) + sorted(set(dir(bpy.ops.depthbridge)))
on = registered()
bpy.ops.preferences.addon_disable(module=NAME)
off, scene = registered(), hasattr(bpy.types.Scene, "depthbridge")
bpy.ops.preferences.addon_enable(module=NAME)
result = dict(off=off, scene=scene, same=registered() == on)
"""
    assert answer(blender, extension_zip, code) == {"off": [], "scene": False, "same": True}


def test_uninstalling_takes_the_wheels_along(blender: BareBlender, extension_zip: Path) -> None:
    code = f"""
def there():
    extensions = Path(bpy.utils.user_resource("EXTENSIONS"))
    return sorted(p.name for p in extensions.rglob("*") if p.name in ("depthbridge", *{SHIPPED_WHEELS!r}))
before, was_enabled = there(), NAME in bpy.context.preferences.addons
{UNINSTALL}
result = dict(before=before, was_enabled=was_enabled, after=there(), enabled=NAME in bpy.context.preferences.addons)
"""
    result = answer(blender, extension_zip, code)
    assert (result["before"], result["was_enabled"]) == (sorted(("depthbridge", *SHIPPED_WHEELS)), True)
    assert (result["after"], result["enabled"]) == ([], False)


def test_downloaded_models_stay_on_updating_and_go_on_uninstalling(blender: BareBlender, extension_zip: Path) -> None:
    """Blender's doing; the page on installing says it."""
    code = f"""
model = Path(bpy.utils.extension_path_user(NAME, path="models", create=True)) / "large.onnx"
model.write_bytes(b"a model")
bpy.ops.extensions.package_install_files(filepath={str(extension_zip)!r}, repo="user_default", enable_on_install=True)
updated = model.is_file()
{UNINSTALL}
result = dict(updated=updated, uninstalled=model.is_file())
"""
    assert answer(blender, extension_zip, code) == {"updated": True, "uninstalled": False}


def test_the_fallback_opens_depth_files_and_says_what_it_lacks(blender: BareBlender, fallback_zip: Path, tmp_path: Path) -> None:
    depth = tmp_path / "depth.npz"
    np.savez(depth, depth=np.linspace(1, 2, 12, dtype=np.float32).reshape(3, 4))
    code = f"""
import importlib
errors = importlib.import_module(NAME + ".engines.errors")
files = importlib.import_module(NAME + ".engines.depth_file")
client = importlib.import_module(NAME + ".unity_bridge.client") if sys.version_info >= (3, 12) else None
read = files.read_depth_file(Path({str(depth)!r}), files.DepthMeaning.METRES)
try:
    importlib.import_module(NAME + ".engines.engine").DepthEngine.open("depthbridge-mini")
    said = "opened"
except errors.DepthbridgeError as error:
    said = str(error)
result = dict(shape=read.values.shape, near=float(read.values.min()), said=said, enabled=NAME in bpy.context.preferences.addons)
"""
    result = answer(blender, fallback_zip, code)
    assert (result["shape"], result["near"], result["enabled"]) == ([3, 4], 1.0, True)
    assert "onnxruntime" in str(result["said"])


BUILD = """
import importlib
status = importlib.import_module(NAME + ".addon.batch.command_line").run({words!r})
result = dict(status=status, out=sorted(path.name for path in Path({out!r}).glob("*")))
"""


def test_the_command_builds_from_a_photo_with_nothing_but_the_zip(blender: BareBlender, extension_zip: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    words = ["build", str(SHIPPED_MODELS / "samples" / "photo.jpg"), "--out", out, "--stride", "8", "--save", "blend,glb,ply,exr"]
    assert answer(blender, extension_zip, BUILD.format(words=words, out=out)) == {
        "status": 0,
        "out": ["photo.blend", "photo.exr", "photo.glb", "photo.ply"],
    }


@pytest.mark.skipif(sys.version_info < (3, 12), reason="pyzmq's wheel of the stable ABI begins with Python 3.12, and so does the fallback zip")
def test_the_fallback_builds_from_a_photo_through_a_remote_engine(blender: BareBlender, fallback_zip: Path, tmp_path: Path) -> None:
    """No Pillow and no onnxruntime in that Blender; a real server in this process."""
    out = str(tmp_path / "out")
    words = ["build", str(SHIPPED_MODELS / "samples" / "photo.jpg"), "--out", out, "--stride", "8", "--save", "blend"]
    with DepthEngine.open("depthbridge-mini") as engine, BridgeServer(engine, "tcp://127.0.0.1:0") as server:
        remote = BUILD.format(words=[*words, "--remote", server.endpoint], out=out)
        assert answer(blender, fallback_zip, remote) == {"status": 0, "out": ["photo.blend"]}


def test_the_full_zip_of_this_platform_installs(blender: BareBlender, full_zip: Path) -> None:
    """Wheels for both of Blender's Pythons inside: Blender takes those that fit."""
    code = f"""
import importlib
result = dict(loaded=[bool(importlib.import_module(name)) for name in {SHIPPED_WHEELS!r}])
"""
    assert answer(blender, full_zip, code)["loaded"] == [True] * len(SHIPPED_WHEELS)
    assert PLATFORM.replace("-", "_") in full_zip.name
