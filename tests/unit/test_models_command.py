# SPDX-License-Identifier: Apache-2.0
"""``depthbridge models`` as a user runs it: another process, its two streams and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from depthbridge.engines.catalog import CATALOG_FILE, load_catalog
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import ModelError
from depthbridge.engines.model_import import AddRequest, add_model
from depthbridge.engines.model_spec import Family, ResizeMethod
from depthbridge.engines.model_store import Origin, installed, resolve
from depthbridge.engines.sidecar import read_sidecar, sidecar_path
from support import onnx_models as models
from support.fetching import onnx_bytes
from support.model_host import ModelHost, serving


@pytest.fixture
def host() -> Iterator[ModelHost]:
    with serving() as running:
        yield running


def run(*arguments: object, store: Path, python: tuple[str, ...] = ("-m", "depthbridge.cli.main")) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DEPTHBRIDGE_MODELS": str(store), "no_proxy": "*", "COLUMNS": "140"}
    command = [sys.executable, *python, "models", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL, timeout=120)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refusal consists of."""
    assert done.returncode == 2, done
    assert done.stderr.startswith("depthbridge: ") and done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


# ---- list and info -------------------------------------------------------------------------------------------------


def test_the_list_shows_every_model_with_its_licence(tmp_path: Path) -> None:
    done = run("list", store=tmp_path)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    for spec in load_catalog():
        (line,) = [line for line in lines if line.split()[:1] == [spec.id]]
        assert spec.licence in line and ("(non-commercial)" in line) == ("NC" in spec.licence)
    assert list(tmp_path.iterdir()) == []


def test_the_list_is_there_for_programs_too(tmp_path: Path) -> None:
    rows = json.loads(run("list", "--json", store=tmp_path).stdout)
    assert [row["id"] for row in rows] == [spec.id for spec in load_catalog()]
    small = next(row for row in rows if row["id"] == "da2-small")
    assert (small["kind"], small["parameters"], small["installed"]) == ("disparity", 24_785_089, None)
    assert small["files"][0]["checked"] is False


def test_info_tells_how_to_get_what_nobody_publishes(tmp_path: Path) -> None:
    text = run("info", "da3mono-large", store=tmp_path).stdout
    assert "models add FILE --id da3mono-large" in text and "Apache-2.0" in text and "334171394" in text
    assert "published as 0.35B" in text
    assert json.loads(run("info", "da2-base", "--json", store=tmp_path).stdout)["licence"] == "CC-BY-NC-4.0 (non-commercial)"


def test_an_unknown_id_is_one_line(tmp_path: Path) -> None:
    assert "did you mean da2-small" in refused(run("info", "da2-smal", store=tmp_path))
    assert "did you mean da2-small" in refused(run("fetch", "da2-smal", "--yes", store=tmp_path))
    assert "did you mean da2-small" in refused(run("verify", "da2-smal", store=tmp_path))
    assert "models fetch da2-small" in refused(run("verify", "da2-small", store=tmp_path))


# ---- fetch ---------------------------------------------------------------------------------------------------------

# Runs the real command on a copy of the real catalogue, with da2-base's address on this machine.
WITH_CATALOGUE = """
import sys
from pathlib import Path
from depthbridge.engines import catalog
catalog.load_catalog.__defaults__ = (Path(sys.argv.pop(1)),)
from depthbridge.cli.main import main
main()
"""


def local_catalogue(folder: Path, url: str) -> tuple[str, ...]:
    address = load_catalog().get("da2-base").files[0].url
    copy = folder / "catalog.toml"
    copy.write_text(CATALOG_FILE.read_text().replace(address, url))
    return ("-c", WITH_CATALOGUE, str(copy))


def test_fetch_shows_licence_size_and_checksum_first(host: ModelHost, tmp_path: Path) -> None:
    content = onnx_bytes(tmp_path)
    python = local_catalogue(tmp_path, host.put_repository("/b/model.onnx", content))
    store = tmp_path / "store"
    done = run("fetch", "da2-base", store=store, python=python)
    assert done.returncode == 2 and "Nobody is here to agree to the licence of da2-base; add --yes" in done.stderr
    assert "CC-BY-NC-4.0 (non-commercial)" in done.stderr and f"{len(content)} bytes" in done.stderr
    assert "anything commercial" in done.stderr and "sha256:" in done.stderr and "have not seen this file" in done.stderr
    assert not store.exists() and host.ranges_asked("/b/model.onnx") == []
    done = run("fetch", "da2-base", "--yes", store=store, python=python)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"da2-base is installed: {store / 'da2-base' / 'model.onnx'}\n"
    assert "installed already" in run("fetch", "da2-base", store=store, python=python).stdout
    assert len(host.ranges_asked("/b/model.onnx")) == 1
    assert "fetched" in run("list", store=store).stdout
    assert "X-Linked-Etag" in run("info", "da2-base", store=store).stdout
    (store / "da2-base" / "model.onnx").unlink()
    host.put_repository("/b/model.onnx", onnx_bytes(tmp_path, seed=1))
    assert "--accept-change" in refused(run("fetch", "da2-base", "--yes", store=store, python=python))
    assert run("fetch", "da2-base", "--yes", "--accept-change", store=store, python=python).returncode == 0


def test_fetch_of_a_vanished_file_is_one_line(host: ModelHost, tmp_path: Path) -> None:
    python = local_catalogue(tmp_path, f"{host.address}/gone/model.onnx")
    assert "HTTP 404" in refused(run("fetch", "da2-base", "--yes", store=tmp_path / "store", python=python))
    assert not (tmp_path / "store").exists()


def test_only_fetch_uses_the_network(host: ModelHost, tmp_path: Path) -> None:
    python = local_catalogue(tmp_path, host.put_repository("/b/model.onnx", onnx_bytes(tmp_path)))
    for arguments in (["list"], ["info", "da2-base"], ["verify"]):
        run(*arguments, store=tmp_path / "store", python=python)
    refused(run("verify", "da2-base", store=tmp_path / "store", python=python))
    assert host.asked == []


# ---- add -----------------------------------------------------------------------------------------------------------


def test_random_bytes_are_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "random.onnx"
    for content in (os.urandom(5000), b"", b"\0" * 100, onnx_bytes(tmp_path)[:20_000]):
        file.write_bytes(content)
        assert "is not an ONNX model" in refused(run("add", file, store=tmp_path / "store"))
    assert "does not exist" in refused(run("add", tmp_path / "gone.onnx", store=tmp_path / "store"))
    assert "is a folder" in refused(run("add", tmp_path, store=tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_an_unwritable_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    model = models.da2_relative(tmp_path / "own.onnx")
    (tmp_path / "file").write_text("mine")
    assert "Cannot write" in refused(run("add", model, store=tmp_path / "file" / "store"))
    assert (tmp_path / "file").read_text() == "mine"


def test_an_added_model_is_listed_verified_and_opened(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    source = models.da3_main(tmp_path / "mine" / "My DA3 model.onnx", views=1, external="weights.bin")
    store = tmp_path / "store"
    done = run("add", source, store=store)
    assert done.returncode == 0, done.stderr
    assert "my-da3-model is installed" in done.stdout and "family da3" in done.stdout
    assert "my-da3-model" in run("list", store=store).stdout
    assert json.loads(run("info", "my-da3-model", "--json", store=store).stdout)["installed"] == "added"
    assert "OK       my-da3-model  weights.bin" in run("verify", "my-da3-model", store=store).stdout
    with DepthEngine.open("my-da3-model", models_dir=store) as engine:
        assert engine.info.family is Family.DA3_MAIN and engine.model_id == "my-da3-model"
    assert "installed already" in refused(run("add", source, store=store))
    assert run("add", source, "--force", store=store).returncode == 0


def test_verify_finds_what_changed_and_what_is_gone(tmp_path: Path) -> None:
    source = models.da3_main(tmp_path / "da3.onnx", views=1, external="weights.bin")
    store = tmp_path / "store"
    assert run("add", source, store=store).returncode == 0
    weights = store / "da3" / "weights.bin"
    weights.write_bytes(bytes([weights.read_bytes()[0] ^ 1]) + weights.read_bytes()[1:])
    done = run("verify", "da3", store=store)
    assert done.returncode == 2 and "CHANGED  da3  weights.bin" in done.stdout and "OK       da3  da3.onnx" in done.stdout
    assert "da3 (weights.bin changed)" in done.stderr
    weights.unlink()
    assert "MISSING  da3  weights.bin" in run("verify", "da3", store=store).stdout
    with pytest.raises(ModelError, match=r"weights\.bin in .* is missing .* models add FILE --id da3 --force"):
        resolve("da3", store)


def test_weights_that_are_missing_or_elsewhere_are_refused(tmp_path: Path) -> None:
    source = models.da3_main(tmp_path / "da3.onnx", views=1, external="weights.bin")
    (tmp_path / "weights.bin").rename(tmp_path / "away.bin")
    with pytest.raises(ModelError, match=r"weights\.bin, which is not beside it"):
        add_model(AddRequest(source), tmp_path / "store")
    content = source.read_bytes().replace(b"weights.bin", b"../away.bin")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "da3.onnx").write_bytes(content)
    with pytest.raises(ModelError, match="not a plain name inside its folder"):
        add_model(AddRequest(tmp_path / "deeper" / "da3.onnx"), tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_catalogue_id_lends_its_meaning_unless_the_graph_disagrees(tmp_path: Path) -> None:
    metric_or_mono = models.da3_single(tmp_path / "export.onnx")
    added = add_model(AddRequest(metric_or_mono, "da3metric-large"), tmp_path / "store")
    assert (added.spec.family, added.spec.canonical_focal_px, added.evidence) == (Family.DA3_METRIC, 300.0, "catalogue")
    found = resolve("da3metric-large", tmp_path / "store").spec
    assert found is not None and (found.family, found.licence) == (Family.DA3_METRIC, "Apache-2.0")
    disparity = models.da2_relative(tmp_path / "other.onnx")
    with pytest.raises(ModelError, match=r"family da2-relative .* but da3mono-large is da3-mono"):
        add_model(AddRequest(disparity, "da3mono-large"), tmp_path / "store")
    with pytest.raises(ModelError, match="embedded model's id"):
        add_model(AddRequest(disparity, "depthbridge-mini"), tmp_path / "store")


def test_what_the_user_says_is_kept_in_the_sidecar(tmp_path: Path) -> None:
    source = models.da3_single(tmp_path / "export.onnx")
    store = tmp_path / "store"
    done = run("add", source, "--id", "mine", "--family", "da3-metric", "--canonical-focal", "450", store=store)
    assert done.returncode == 0 and "by --family" in done.stdout
    spec = resolve("mine", store).spec
    assert spec is not None and (spec.family, spec.canonical_focal_px, spec.id) == (Family.DA3_METRIC, 450.0, "mine")
    assert "--canonical-focal must be a positive number" in refused(
        run("add", source, "--id", "b", "--family", "da3-metric", "--canonical-focal", "nan", store=store)
    )
    assert "--canonical-focal is for the family da3-metric" in refused(
        run("add", source, "--id", "c", "--family", "da3-mono", "--canonical-focal", "300", store=store)
    )
    assert "--max-depth is for the family da2-metric" in refused(run("add", source, "--id", "d", "--max-depth", "20", store=store))
    assert "cannot be a model's id" in refused(run("add", source, "--id", "../d", store=store))
    assert [path.name for path in store.iterdir()] == ["mine"]


def test_replacing_a_model_leaves_nothing_of_the_old_one(tmp_path: Path) -> None:
    store = tmp_path / "store"
    add_model(AddRequest(models.da3_main(tmp_path / "old.onnx", views=1, external="weights.bin"), "mine"), store)
    add_model(AddRequest(models.da2_relative(tmp_path / "new.onnx"), "mine", replace_existing=True), store)
    assert sorted(path.name for path in (store / "mine").iterdir()) == ["depthbridge.lock.json", "new.onnx", "new.onnx.json"]
    (model,) = [model for model in installed(store) if model.id == "mine"]
    assert model.origin is Origin.ADDED and model.spec is not None and model.spec.family is Family.DA2_RELATIVE


# ---- sidecars ------------------------------------------------------------------------------------------------------


def test_a_sidecar_says_what_a_file_is(tmp_path: Path) -> None:
    model = models.da3_single(tmp_path / "export.onnx")
    assert read_sidecar(model) is None and resolve(model).spec is None
    sidecar_path(model).write_text('{"family": "da3-metric", "trace_size": [280, 504], "somebody else\'s": 1}')
    spec = resolve(str(model)).spec
    assert spec is not None
    assert (spec.family, spec.canonical_focal_px, spec.trace_size, spec.id) == (Family.DA3_METRIC, 300.0, (280, 504), "export")
    assert (spec.input.method, spec.input.process_res) == (ResizeMethod.UPPER_BOUND_RESIZE, 504)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not readable JSON"),
        ("[]", "must hold a JSON object"),
        ("{}", "family must be one of"),
        ('{"family": "da3-metric", "canonical_focal_px": -1}', "canonical_focal_px must be a positive number"),
        ('{"family": "da3", "trace_size": [280]}', "trace_size must be"),
        ('{"family": "da3", "process_res": 500}', "multiple of 14"),
        ('{"family": "da3", "method": "stretch"}', "method must be one of"),
    ],
)
def test_a_broken_sidecar_is_told(tmp_path: Path, text: str, said: str) -> None:
    model = models.da3_single(tmp_path / "export.onnx")
    sidecar_path(model).write_text(text)
    with pytest.raises(ModelError, match=said):
        resolve(model)
    assert "export.onnx.json" in refused(run("add", model, store=tmp_path / "store"))
