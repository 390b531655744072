# SPDX-License-Identifier: Apache-2.0
"""Where only NumPy and OpenCV are, as in the extension for Pythons without wheels of their own: depth files are read, the rest says what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_ABSENT = (
    "import sys\nfor name in ('PIL', 'onnxruntime', 'trimesh', 'platformdirs', 'msgspec', 'rich', 'click'):\n    sys.modules[name] = None\n"
)


def run(program: str, *arguments: str) -> str:
    """What ``program`` prints in a Python where the libraries cannot be imported."""
    done = subprocess.run([sys.executable, "-c", _ABSENT + program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "module",
    [
        "engine",
        "estimator",
        "images",
        "depth_file",
        "scale_fit",
        "grid_mesh",
        "model_store",
        "export.exr",
        "export.npz",
        "export.png16",
        "export.formats",
    ],
)
def test_modules_load_without_the_larger_libraries(module: str) -> None:
    assert run(f"import depthbridge.engines.{module} as module; print(module.__name__)").strip() == f"depthbridge.engines.{module}"


def test_depth_files_are_written_and_read(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; import numpy as np\n"
        "from depthbridge.engines.camera import CameraIntrinsics\n"
        "from depthbridge.engines.depth_file import read_depth_file\n"
        "from depthbridge.engines.depth_map import DepthMap\n"
        "from depthbridge.engines.export.formats import ExportFormat, write_formats\n"
        "depth = DepthMap.exact(np.full((6, 8), 2.5, np.float32), CameraIntrinsics.assumed(8, 6), 'oracle')\n"
        "wanted = [ExportFormat.NPZ, ExportFormat.EXR, ExportFormat.PNG16]\n"
        "write_formats(wanted, Path(sys.argv[1]), 'x', depth, np.zeros((6, 8, 3), np.uint8))\n"
        "for each in wanted:\n"
        "    back = read_depth_file(Path(sys.argv[1]) / each.file_names('x')[0])\n"
        "    assert abs(back.values - 2.5).max() < 1e-4 and back.camera == depth.camera, each\n"
        "print('read')\n"
    )
    assert run(program, str(tmp_path)).strip() == "read"


@pytest.mark.parametrize(("wanted", "missing"), [("PREVIEW", "PIL"), ("GLB", "PIL"), ("PLY", "trimesh")])
def test_formats_that_need_more_say_what(wanted: str, missing: str, tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; import numpy as np\n"
        "from depthbridge.engines.camera import CameraIntrinsics\n"
        "from depthbridge.engines.depth_map import DepthMap\n"
        "from depthbridge.engines.errors import OutputError\n"
        "from depthbridge.engines.export.formats import ExportFormat, write_formats\n"
        "depth = DepthMap.exact(np.full((6, 8), 2.5, np.float32), CameraIntrinsics.assumed(8, 6), 'oracle')\n"
        f"try: write_formats([ExportFormat.{wanted}], Path(sys.argv[1]), 'x', depth, np.zeros((6, 8, 3), np.uint8))\n"
        "except OutputError as error: print(error)\n"
    )
    assert f"{missing}" in (said := run(program, str(tmp_path))) and "is not installed" in said
    assert list(tmp_path.iterdir()) == []


def test_an_engine_says_that_it_needs_a_runtime() -> None:
    program = (
        "from depthbridge.engines.engine import DepthEngine\n"
        "from depthbridge.engines.errors import RuntimeUnavailableError\n"
        "try: DepthEngine.open()\n"
        "except RuntimeUnavailableError as error: print(error)\n"
    )
    assert "onnxruntime is not there" in run(program)
