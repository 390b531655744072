# SPDX-License-Identifier: Apache-2.0
"""The cache of prepared engines: real folders, real processes that wait, die and get in each other's way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.errors import CancelledError, ModelError
from depthbridge.engines.file_hash import hash_file
from depthbridge.engines.file_lock import exclusive
from depthbridge.engines.prepared.engine_cache import EngineCache, EngineKey, model_sha256
from depthbridge.engines.prepared.stale import stale_entries
from support import onnx_models as models
from support.disks import small_disk

KEY = EngineKey("ab" * 32, "tiny.onnx", "openvino 2026.4.1", "AMD EPYC", "bf16", "as exported")


class Builder:
    """Writes two files, one in a folder of its own, and counts how often it was asked."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, folder: Path) -> None:
        assert list(folder.iterdir()) == []
        self.count += 1
        (folder / "engine.blob").write_bytes(b"engine" * 1000)
        (folder / "parts").mkdir()
        (folder / "parts" / "table").write_bytes(b"table")


def left_in(cache: EngineCache) -> list[str]:
    return sorted(path.name for path in (cache.folder / "engines").iterdir())


# ---- keys ---------------------------------------------------------------------------------------------------------------


@given(st.sampled_from(fields(EngineKey)), st.text(), st.text())
def test_another_value_in_any_field_is_another_folder(field: object, first: str, second: str) -> None:
    name = field.name  # type: ignore[attr-defined]
    one, other = replace(KEY, **{name: first}), replace(KEY, **{name: second})
    assert (one.slug == other.slug) == (first == second)


@given(st.builds(EngineKey, *[st.text()] * 6))
def test_folder_names_are_safe_on_every_system(key: EngineKey) -> None:
    assert set(key.slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(key.slug) <= 100
    assert key.slug.split("-")[0] not in ("con", "prn", "aux", "nul", "com1", "lpt1")
    assert key.slug == replace(key).slug


@given(st.text(max_size=5), st.text(max_size=5))
def test_text_does_not_wander_from_field_to_field(first: str, second: str) -> None:
    together, apart = replace(KEY, runtime=first + second, device=""), replace(KEY, runtime=first, device=second)
    assert (together.slug == apart.slug) == (second == "")


# ---- one entry ----------------------------------------------------------------------------------------------------------


def test_an_entry_is_built_once_and_found_by_every_cache_of_that_folder(tmp_path: Path) -> None:
    build, told = Builder(), []
    folder = EngineCache(tmp_path).obtain(KEY, build, progress=told.append)
    again = EngineCache(tmp_path).obtain(KEY, build, progress=told.append)
    assert folder == again and build.count == 1 and len(told) == 1 and "tiny.onnx" in told[0]
    assert (folder / "engine.blob").read_bytes() == b"engine" * 1000
    (entry,) = EngineCache(tmp_path).entries()
    assert entry.key == KEY and entry.size == 6005 and entry.folder == folder and entry.took_s >= 0
    assert abs(entry.built - time.time()) < 60 and entry.used >= entry.built - 1
    assert left_in(EngineCache(tmp_path)) == [KEY.slug]


def bytes_changed(folder: Path) -> None:
    path = folder / "engine.blob"
    before = path.stat()
    path.write_bytes(b"ENGINE" * 1000)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut_short(folder: Path) -> None:
    (folder / "engine.blob").write_bytes(b"engine" * 10)


def file_gone(folder: Path) -> None:
    (folder / "parts" / "table").unlink()


def entry_file_broken(folder: Path) -> None:
    (folder / "entry.json").write_text('{"format": 1, "key"')


def entry_file_of_another(folder: Path) -> None:
    data = json.loads((folder / "entry.json").read_text())
    data["key"]["device"] = "another"
    (folder / "entry.json").write_text(json.dumps(data))


def entry_file_climbs_out(folder: Path) -> None:
    outside = folder.parent / "outside"
    (folder / "engine.blob").rename(outside)
    facts = outside.stat()
    data = json.loads((folder / "entry.json").read_text())
    data["files"][0] |= {"path": "../outside", "ctime_ns": facts.st_ctime_ns}
    (folder / "entry.json").write_text(json.dumps(data))


@pytest.mark.parametrize(
    "damage", [bytes_changed, cut_short, file_gone, entry_file_broken, entry_file_of_another, entry_file_climbs_out], ids=lambda f: f.__name__
)
def test_a_damaged_entry_is_rebuilt_with_one_note(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    cache, build = EngineCache(tmp_path), Builder()
    damage(cache.obtain(KEY, build))
    folder = cache.obtain(KEY, build)
    assert build.count == 2
    assert (folder / "engine.blob").read_bytes() == b"engine" * 1000 and (folder / "parts" / "table").read_bytes() == b"table"
    (note,) = cache.take_notes()
    assert "damaged" in note and "tiny.onnx" in note
    cache.obtain(KEY, build)
    assert build.count == 2 and cache.take_notes() == ()


def test_an_entry_that_was_only_touched_or_copied_is_kept(tmp_path: Path) -> None:
    cache, build = EngineCache(tmp_path), Builder()
    folder = cache.obtain(KEY, build)
    os.utime(folder / "engine.blob", (1, 1))
    assert cache.obtain(KEY, build) == folder and build.count == 1
    times = [item["mtime_ns"] for item in json.loads((folder / "entry.json").read_text())["files"] if item["path"] == "engine.blob"]
    assert times == [10**9], "hashed again at every opening"
    cache.obtain(KEY, build)
    assert build.count == 1 and cache.take_notes() == ()


def test_a_discarded_entry_is_rebuilt_without_a_word(tmp_path: Path) -> None:
    cache, build = EngineCache(tmp_path), Builder()
    cache.discard(KEY)
    cache.obtain(KEY, build)
    cache.discard(KEY)
    assert cache.entries() == []
    cache.obtain(KEY, build)
    assert build.count == 2 and cache.take_notes() == ()


def test_what_the_builder_raises_is_raised_and_nothing_is_left(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)

    def fail(folder: Path) -> None:
        (folder / "half").write_bytes(b"half")
        raise ModelError("The graph is no good.")

    with pytest.raises(ModelError, match="no good"):
        cache.obtain(KEY, fail)
    assert left_in(cache) == [] and cache.take_notes() == ()
    build = Builder()
    cache.obtain(KEY, build)
    assert build.count == 1


def test_errors_about_other_files_are_not_taken_for_a_full_cache(tmp_path: Path) -> None:
    cache, tries = EngineCache(tmp_path / "cache"), []

    def fail(folder: Path) -> None:
        tries.append(folder)
        (tmp_path / "weights that are gone").read_bytes()

    with pytest.raises(FileNotFoundError):
        cache.obtain(KEY, fail)
    assert len(tries) == 1 and cache.take_notes() == ()


def test_a_cancelled_build_leaves_nothing(tmp_path: Path) -> None:
    cache, cancel = EngineCache(tmp_path), CancelToken()

    def build(folder: Path) -> None:
        (folder / "whole").write_bytes(b"whole")
        cancel.cancel()

    with pytest.raises(CancelledError):
        cache.obtain(KEY, build, cancel=cancel)
    assert left_in(cache) == []


# ---- several programs ---------------------------------------------------------------------------------------------------

PROGRAM = """
import sys, time, json
from pathlib import Path
from depthbridge.engines.prepared.engine_cache import EngineCache, EngineKey
folder, log, wait = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
def build(staging):
    (staging / "engine.blob").write_bytes(b"half")
    with log.open("a") as file:
        file.write("built\\n")
    time.sleep(wait)
    (staging / "engine.blob").write_bytes(b"whole")
key = EngineKey(**json.loads(sys.argv[4]))
found = EngineCache(folder).obtain(key, build, progress=lambda line: print(line, flush=True))
print("has", (found / "engine.blob").read_bytes().decode(), flush=True)
"""


def program(cache: Path, log: Path, wait_s: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(cache), str(log), str(wait_s), json.dumps(asdict(KEY))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited for a minute"
        time.sleep(0.01)


def test_programs_that_want_the_same_build_it_once(tmp_path: Path) -> None:
    cache, log = tmp_path / "cache", tmp_path / "log"
    running = [program(cache, log, 1.0) for _ in range(4)]
    outputs = [each.communicate(timeout=120)[0] for each in running]
    assert log.read_text() == "built\n"
    assert all(output.splitlines()[-1] == "has whole" for output in outputs)
    assert sum("Another program is preparing tiny.onnx" in output for output in outputs) >= 1
    assert left_in(EngineCache(cache)) == [KEY.slug]


def test_a_killed_builder_stops_and_fools_nobody(tmp_path: Path) -> None:
    cache, log = EngineCache(tmp_path / "cache"), tmp_path / "log"
    doomed = program(cache.folder, log, 600)
    wait_for(log.exists)
    doomed.send_signal(signal.SIGKILL)
    doomed.communicate(timeout=60)
    assert any(name.startswith(".building-") for name in left_in(cache)) and cache.entries() == []
    build = Builder()
    folder = cache.obtain(KEY, build)
    assert build.count == 1 and (folder / "engine.blob").read_bytes() == b"engine" * 1000
    assert left_in(cache) == [KEY.slug] and cache.take_notes() == ()


def test_waiting_for_another_program_can_be_cancelled(tmp_path: Path) -> None:
    cache, log, cancel = EngineCache(tmp_path / "cache"), tmp_path / "log", CancelToken()
    other = program(cache.folder, log, 600)
    try:
        wait_for(log.exists)
        told: list[str] = []

        def say(text: str) -> None:
            told.append(text)
            threading.Timer(0.2, cancel.cancel).start()

        with pytest.raises(CancelledError):
            cache.obtain(KEY, Builder(), progress=say, cancel=cancel)
        assert len(told) == 1 and told[0].startswith("Another program is preparing")
    finally:
        other.kill()
        other.communicate(timeout=60)


# ---- folders that cannot be written -------------------------------------------------------------------------------------


def works_all_the_same(cache: EngineCache, reason: str) -> None:
    build = Builder()
    folder = cache.obtain(KEY, build)
    assert build.count >= 1 and (folder / "parts" / "table").read_bytes() == b"table"
    assert cache.folder not in folder.parents
    (note,) = cache.take_notes()
    assert reason in note and "each time" in note and str(cache.folder) in note


def test_below_a_file_there_is_no_cache_and_it_works_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    works_all_the_same(EngineCache(tmp_path / "file" / "cache"), "is a file")


def test_on_a_read_only_disk_it_works_all_the_same(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=1m") as disk:
        cache, build = EngineCache(disk), Builder()
        kept = cache.obtain(KEY, build)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert cache.obtain(KEY, build) == kept and build.count == 1 and cache.take_notes() == ()
        found = cache.obtain(replace(KEY, device="other"), build)
        assert build.count == 2 and disk not in found.parents
        (note,) = cache.take_notes()
        assert "read-only" in note


def test_an_entry_on_a_read_only_disk_is_used_whatever_its_times(tmp_path: Path) -> None:
    """As a package of prepared engines that was copied there."""
    with small_disk(tmp_path / "disk", "size=1m") as disk:
        cache, build = EngineCache(disk), Builder()
        kept = cache.obtain(KEY, build)
        os.utime(kept / "engine.blob", (1, 1))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert cache.obtain(KEY, build) == kept and build.count == 1 and cache.take_notes() == ()


def test_on_a_full_disk_it_works_all_the_same(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        cache = EngineCache(disk)

        def build(folder: Path) -> None:
            (folder / "engine.blob").write_bytes(bytes(200_000))

        folder = cache.obtain(KEY, build)
        assert (folder / "engine.blob").stat().st_size == 200_000 and disk not in folder.parents
        (note,) = cache.take_notes()
        assert "disk is full" in note
        assert cache.entries() == [] and left_in(cache) == []


def test_temporary_engines_go_with_the_process(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code = (
        "import sys; from pathlib import Path; from depthbridge.engines.prepared.engine_cache import EngineCache, EngineKey\n"
        "folder = EngineCache(Path(sys.argv[1])).obtain(EngineKey(*'abcdef'), lambda to: (to / 'x').touch()); print(folder, (folder / 'x').exists())"
    )
    output = subprocess.check_output([sys.executable, "-c", code, str(tmp_path / "file" / "cache")], text=True).split()
    assert output[1] == "True" and not Path(output[0]).exists()


# ---- all of them --------------------------------------------------------------------------------------------------------


def test_clearing_takes_all_or_one_models_and_what_the_dead_left(tmp_path: Path) -> None:
    cache, build = EngineCache(tmp_path), Builder()
    other = replace(KEY, model_name="other.onnx", model_sha256="cd" * 32)
    for key in (KEY, replace(KEY, precision="fp32"), other):
        cache.obtain(key, build)
    (tmp_path / "engines" / ".building-e-dead").mkdir()
    (tmp_path / "engines" / "e-broken").mkdir()
    assert cache.clear("nobody's") == 0
    assert cache.clear("tiny.onnx") == 2 and [entry.key for entry in cache.entries()] == [other]
    cache.obtain(KEY, build)
    assert cache.clear("cd" * 32) == 1 and [entry.key for entry in cache.entries()] == [KEY]
    assert cache.clear(only=lambda entry: entry.key.device == "none") == 0
    assert cache.clear() == 1 and left_in(cache) == []
    assert cache.clear() == 0 and EngineCache(tmp_path / "never made").clear() == 0


def test_clearing_leaves_what_another_is_building(tmp_path: Path) -> None:
    cache, build = EngineCache(tmp_path), Builder()
    folder = cache.obtain(KEY, build)
    with exclusive(tmp_path / "engines" / f"{KEY.slug}.lock") as ours:
        assert ours
        assert cache.clear() == 0 and folder.exists()
    assert cache.clear() == 1


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPTHBRIDGE_CACHE", f" {tmp_path} ")
    cache = EngineCache.default()
    assert cache is not None and cache.folder == tmp_path and cache.note_path("choices") == tmp_path / "choices.json"
    monkeypatch.setenv("DEPTHBRIDGE_CACHE", "")
    cache = EngineCache.default()
    assert cache is not None and cache.folder.name == "depthbridge"


def test_without_platformdirs_nothing_is_kept() -> None:
    code = "import sys; sys.modules['platformdirs'] = None\nfrom depthbridge.engines.prepared.engine_cache import EngineCache; print(EngineCache.default())"
    environment = {name: value for name, value in os.environ.items() if name != "DEPTHBRIDGE_CACHE"}
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=environment).strip() == "None"


# ---- hashes of models ---------------------------------------------------------------------------------------------------




def note_of(cache: EngineCache) -> dict[str, dict[str, object]]:
    data = json.loads(cache.note_path("model-hashes").read_text())
    assert isinstance(data, dict)
    return data


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    path = models.da2_relative(tmp_path / "tiny.onnx")
    assert model_sha256(path, EngineCache(tmp_path / "cache")) == hash_file(path)


def test_hashes_are_remembered_until_the_file_changes(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path / "cache")
    path = models.da2_relative(tmp_path / "tiny.onnx")
    first = model_sha256(path, cache)
    data = note_of(cache)
    data[str(path)] |= {"sha256": "remembered", "young": False}
    cache.note_path("model-hashes").write_text(json.dumps(data))
    assert model_sha256(path, cache) == "remembered"
    content, before = path.read_bytes(), path.stat()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as copying tools do
    assert model_sha256(path, cache) == hash_file(path) != first


def test_a_hash_of_a_file_written_just_now_is_not_trusted(tmp_path: Path) -> None:
    """Written again at once, it could have the same size and times."""
    cache = EngineCache(tmp_path / "cache")
    path = models.da2_relative(tmp_path / "tiny.onnx")
    model_sha256(path, cache)
    data = note_of(cache)
    assert data[str(path)]["young"] is True
    data[str(path)]["sha256"] = "remembered"
    cache.note_path("model-hashes").write_text(json.dumps(data))
    assert model_sha256(path, cache) == hash_file(path)


def test_weights_beside_the_file_count(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path / "cache")
    path = models.da3_main(tmp_path / "tiny.onnx", external="tiny.onnx_data")
    first = model_sha256(path, cache)
    weights = bytearray((tmp_path / "tiny.onnx_data").read_bytes())
    weights[0] ^= 1
    (tmp_path / "tiny.onnx_data").write_bytes(weights)
    assert model_sha256(path, cache) != first != hash_file(path)
    (tmp_path / "tiny.onnx_data").unlink()
    with pytest.raises(ModelError, match=r"tiny\.onnx"):
        model_sha256(path, cache)


@pytest.mark.parametrize("text", ["", "[]", '{"x": 1}', "nonsense", '{"x": {"files": [1], "sha256": "a", "young": false}}'])
def test_a_damaged_note_is_no_obstacle(tmp_path: Path, text: str) -> None:
    cache = EngineCache(tmp_path)
    cache.note_path("model-hashes").write_text(text)
    path = models.da2_relative(tmp_path / "tiny.onnx")
    assert model_sha256(path, cache) == hash_file(path)


# ---- stale --------------------------------------------------------------------------------------------------------------


def test_stale_is_what_nobody_will_ask_for_again(tmp_path: Path) -> None:
    """Models that are gone or changed, libraries of another version; and what was compiled of a converted graph that is stale itself."""
    cache, build = EngineCache(tmp_path / "cache"), Builder()
    runtime = f"onnxruntime {__import__('onnxruntime').__version__}"
    paths = {name: tmp_path / f"{name}.onnx" for name in ("kept", "gone", "changed")}
    for number, path in enumerate(paths.values()):
        onnx.save(models_with(number), path)
    keys = {name: EngineKey(model_sha256(path, cache), path.name, runtime, "cpu", "fp16", "graph") for name, path in paths.items()}
    for key in keys.values():
        cache.obtain(key, lambda folder, key=key: (folder / key.model_name).write_bytes(key.model_sha256.encode()))  # type: ignore[misc]
    compiled = {
        name: replace(key, model_sha256=model_sha256(cache.obtain(key, build) / key.model_name, cache), runtime="tensorrt-free 1")
        for name, key in keys.items()
    }
    for key in compiled.values():
        cache.obtain(key, build)
    old = replace(keys["kept"], runtime="onnxruntime 1.2.3")
    local = replace(keys["kept"], runtime=f"{runtime}+cu13")
    cache.obtain(old, build), cache.obtain(local, build)
    paths["gone"].unlink()
    onnx.save(models_with(9), paths["changed"])
    stale = {entry.key for entry in stale_entries(cache, tmp_path / "models")}
    assert stale == {keys["gone"], compiled["gone"], keys["changed"], compiled["changed"], old}


def models_with(number: int) -> onnx.ModelProto:
    graph = models.Graph("image", [1, 3, "h", "w"])
    graph.output(graph.node("Mul", [graph.mean(), graph.scalar("factor", float(number))], "scaled"), "depth", [1, 1, "h", "w"])
    info = onnx.helper.make_tensor_value_info("image", models.FLOAT, [1, 3, "h", "w"])
    return onnx.helper.make_model(onnx.helper.make_graph(graph.nodes, "tiny", [info], graph.outputs, graph.weights), ir_version=8)
