# SPDX-License-Identifier: Apache-2.0
"""``depthbridge engines`` as a user runs it: another process, its two streams and its exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from depthbridge.engines.model_import import AddRequest, add_model
from depthbridge.engines.model_paths import SHIPPED_MODELS
from depthbridge.engines.model_spec import Family
from depthbridge.engines.prepared.engine_cache import EngineCache, EngineKey
from support import onnx_models as models
from support.sample_pictures import pictures_in

MINI = SHIPPED_MODELS / "depthbridge-mini.onnx"


def environment(folder: Path) -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if name != "DEPTHBRIDGE_RUNTIME"}
    return known | {"DEPTHBRIDGE_CACHE": str(folder / "cache"), "DEPTHBRIDGE_MODELS": str(folder / "models")}


def run(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "depthbridge.cli.main", "engines", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(folder), stdin=subprocess.DEVNULL, timeout=240)


def listed(folder: Path) -> list[dict[str, Any]]:
    done = run("list", "--json", folder=folder)
    assert done.returncode == 0 and done.stderr == "", done
    rows = json.loads(done.stdout)
    assert isinstance(rows, list)
    return rows


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The sentence that a refusal consists of."""
    assert done.returncode == 2 and "Traceback" not in done.stderr, done
    return done.stderr


def keep(folder: Path, name: str = "gone.onnx", runtime: str = "openvino 2020.1", size: int = 2_000_000) -> None:
    key = EngineKey("ab" * 32, name, runtime, "AMD EPYC", "bf16", "as exported")
    EngineCache(folder / "cache").obtain(key, lambda to: (to / "blob").write_bytes(bytes(size)) and None)


# ---- list ---------------------------------------------------------------------------------------------------------------


def test_an_empty_cache_is_a_sentence_and_makes_no_folder(tmp_path: Path) -> None:
    done = run("list", folder=tmp_path)
    assert done.returncode == 0 and done.stdout == f"Nothing is kept in {tmp_path / 'cache'}.\n"
    assert listed(tmp_path) == [] and not (tmp_path / "cache").exists()


def test_the_list_shows_what_is_kept_and_how_large(tmp_path: Path) -> None:
    keep(tmp_path)
    keep(tmp_path, "a model with a name that is longer than any column should ever be, truly.onnx")
    done = run("list", folder=tmp_path)
    assert done.returncode == 0 and "2 prepared engines, 4.0 MB" in done.stderr
    for word in ("gone.onnx", "openvino 2020.1", "AMD EPYC", "bf16", "as exported", "2.0 MB", "now"):
        assert word in done.stdout
    rows = listed(tmp_path)
    assert {row["model"] for row in rows} >= {"gone.onnx"} and {row["bytes"] for row in rows} == {2_000_000}


# ---- build --------------------------------------------------------------------------------------------------------------


def test_building_prepares_what_opening_would(tmp_path: Path) -> None:
    done = run("build", "depthbridge-mini", "--runtime", "openvino", "--sizes", "308,504x280", folder=tmp_path)
    assert done.returncode == 0 and "is ready on openvino" in done.stdout, done
    assert "depthbridge-mini at 308\n" in done.stderr and "depthbridge-mini at 504x280\n" in done.stderr
    (row,) = listed(tmp_path)
    assert row["model"] == MINI.name and row["runtime"].startswith("openvino ") and row["bytes"] > 1_000_000
    again = run("build", "depthbridge-mini", "--runtime", "openvino", folder=tmp_path)
    assert again.returncode == 0 and "nothing had to be prepared" in again.stdout
    assert listed(tmp_path)[0]["built"] == row["built"]


def test_a_runtime_that_needs_nothing_prepared_says_so_in_one_line(tmp_path: Path) -> None:
    done = run("build", "depthbridge-mini", "--runtime", "onnxruntime", "--device", "cpu", folder=tmp_path)
    assert done.returncode == 0 and done.stdout.count("\n") == 1 and "nothing had to be prepared" in done.stdout
    assert listed(tmp_path) == []


def test_an_added_model_works_by_its_id(tmp_path: Path) -> None:
    path = models.da2_relative(tmp_path / "own.onnx")
    added = add_model(AddRequest(path, "my-own", Family.DA2_RELATIVE, None, None, False), tmp_path / "models")
    done = run("build", "my-own", "--runtime", "openvino", folder=tmp_path)
    assert done.returncode == 0 and "my-own is ready" in done.stdout, done
    keep(tmp_path)
    done = run("clear", "my-own", "--yes", folder=tmp_path)
    assert done.returncode == 0 and "Removed 1 entry" in done.stdout and added.path.is_file()
    assert [row["model"] for row in listed(tmp_path)] == ["gone.onnx"]


def test_int8_tells_its_loss_for_each_runtime(tmp_path: Path) -> None:
    pictures_in(tmp_path / "pictures")
    (tmp_path / "pictures" / "notes.txt").write_text("no picture")
    done = run("build", "depthbridge-mini", "--int8", tmp_path / "pictures", "--runtime", "onnxruntime", "--json", folder=tmp_path)
    assert done.returncode == 0, done
    told = json.loads(done.stdout)
    (name,) = told["int8"]
    assert name == "onnxruntime" and list(told["int8"][name]["by_picture"]) == ["p1.png", "p4.png"]
    assert 0 < told["int8"][name]["loss"] < 0.2 and told["runs_on"].endswith("cpu int8")
    shown = run("build", "depthbridge-mini", "--int8", tmp_path / "pictures", "--runtime", "onnxruntime", folder=tmp_path)
    assert "median deviation of INT8 in onnxruntime" in shown.stdout and "p4.png" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no-such-model"], "no-such-model"),
        (["missing.onnx"], "missing.onnx does not exist"),
        (["depthbridge-mini", "--device", "toaster"], "'toaster' is not known"),
        (["depthbridge-mini", "--sizes", "300"], "300 is no multiple of 14"),
        (["depthbridge-mini", "--sizes", "504x280x3"], "504x280x3"),
        (["depthbridge-mini", "--sizes", "large"], "large"),
        (["depthbridge-mini", "--int8", "."], "holds no pictures"),
        (["depthbridge-mini", "--int8", ".", "--precision", "bf16"], "leave out --precision bf16"),
        (["depthbridge-mini", "--precision", "int8", "--runtime", "onnxruntime"], "engines build MODEL --int8 FOLDER"),
    ],
)
def test_what_cannot_be_is_a_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    (tmp_path / "empty").mkdir()
    arguments = [str(tmp_path / "empty") if argument == "." else argument for argument in arguments]
    assert sentence in refused(run("build", *arguments, folder=tmp_path))
    assert listed(tmp_path) == []


def test_what_cannot_be_kept_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    said = refused(run("build", "depthbridge-mini", "--runtime", "openvino", folder=tmp_path))
    assert "could not be kept" in said and "DEPTHBRIDGE_CACHE" in said


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_what_cannot_be_written_in_full_leaves_sentences_alone(tmp_path: Path) -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "from depthbridge.cli.main import main; main()"
    )  # fmt: skip
    command = [sys.executable, "-c", program, "engines", "build", "depthbridge-mini", "--runtime", "openvino"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(tmp_path), stdin=subprocess.DEVNULL, timeout=240)
    assert all(line.startswith("depthbridge: ") for line in refused(done).splitlines()), done.stderr
    assert listed(tmp_path) == []


def test_ctrl_c_leaves_nothing_half_built(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(400):  # seconds of calibration on any machine
        (pictures / f"{number}.jpg").write_bytes((SHIPPED_MODELS / "samples" / "room.jpg").read_bytes())
    command = [sys.executable, "-m", "depthbridge.cli.main", "engines", "build", "depthbridge-mini", "--int8", str(pictures)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment(tmp_path), stdin=subprocess.DEVNULL)
    assert running.stderr is not None
    for line in running.stderr:
        if "Quantising" in line:
            break
    running.send_signal(signal.SIGINT)
    _, rest = running.communicate(timeout=120)
    assert running.returncode == 130 and "stopped" in rest and "Traceback" not in rest
    assert listed(tmp_path) == []
    assert list((tmp_path / "cache" / "engines").iterdir()) == []


# ---- clear --------------------------------------------------------------------------------------------------------------


def test_clearing_asks_unless_told_not_to(tmp_path: Path) -> None:
    keep(tmp_path)
    assert "add --yes" in refused(run("clear", folder=tmp_path))
    assert len(listed(tmp_path)) == 1
    done = run("clear", "--yes", folder=tmp_path)
    assert done.returncode == 0 and done.stdout == "Removed 1 entry (2.0 MB).\n"
    assert listed(tmp_path) == [] and list((tmp_path / "cache" / "engines").iterdir()) == []
    assert run("clear", folder=tmp_path).stdout == "Removed 0 entries (0 bytes).\n"


def test_a_model_that_is_gone_is_cleared_by_its_files_name(tmp_path: Path) -> None:
    keep(tmp_path)
    keep(tmp_path, "other.onnx")
    done = run("clear", tmp_path / "gone.onnx", "--yes", "--json", folder=tmp_path)
    assert json.loads(done.stdout) == {"removed": 1, "in_use": 0, "bytes": 2_000_000}
    assert [row["model"] for row in listed(tmp_path)] == ["other.onnx"]


def test_stale_takes_only_what_nobody_will_ask_for_again(tmp_path: Path) -> None:
    keep(tmp_path)
    assert run("build", "depthbridge-mini", "--runtime", "openvino", folder=tmp_path).returncode == 0
    done = run("clear", "--stale", "--yes", folder=tmp_path)
    assert done.returncode == 0 and "Removed 1 stale entry" in done.stdout
    assert [row["model"] for row in listed(tmp_path)] == [MINI.name]
