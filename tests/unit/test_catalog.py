# SPDX-License-Identifier: Apache-2.0
"""The shipped catalogue says what is known of each model, and a broken catalogue says what is wrong with it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from depthbridge.engines.catalog import CATALOG_FILE, load_catalog
from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.errors import ModelError
from depthbridge.engines.model_paths import check_model_id, default_models_dir, inside
from depthbridge.engines.model_spec import Family, ResizeMethod

WANTED = [
    "depthbridge-mini",
    *(f"da2-{size}" for size in ("small", "base", "large")),
    *(f"da2-metric-{scene}-{size}" for scene in ("indoor", "outdoor") for size in ("small", "base", "large")),
    *("da3-small", "da3-base", "da3-large-1.1", "da3-giant-1.1"),
    *("da3metric-large", "da3mono-large", "da3nested-giant-large-1.1"),
]  # fmt: skip


def test_every_model_of_the_family_is_listed() -> None:
    assert [spec.id for spec in load_catalog()] == WANTED


def test_what_each_model_is() -> None:
    catalog = load_catalog()
    for spec in catalog:
        assert spec.output and spec.parameters_note and spec.title
        assert bool(spec.files) + bool(spec.how_to_get) + spec.embedded == 1
        method, size = (ResizeMethod.DA2_LOWER_BOUND, 518) if spec.id.startswith("da2") else (ResizeMethod.UPPER_BOUND_RESIZE, 504)
        assert (spec.input.method, spec.input.process_res) == (method, size)
        assert ("metres" in spec.output) == (spec.kind is DepthKind.METRIC)
        assert ("larger is nearer" in spec.output) == (spec.kind is DepthKind.DISPARITY)
    assert catalog.get("depthbridge-mini").canonical_focal_px == catalog.get("da3metric-large").canonical_focal_px == 300.0
    assert {spec.id: spec.max_depth_m for spec in catalog if spec.max_depth_m} == {
        spec_id: 20.0 if "indoor" in spec_id else 80.0 for spec_id in WANTED if "da2-metric" in spec_id
    }


def test_licences_are_those_of_the_repositories() -> None:
    licences = {spec.id: spec.licence for spec in load_catalog()}
    free = {"da2-small", "da3-small", "da3-base", "da3metric-large", "da3mono-large"}
    assert {model_id for model_id, licence in licences.items() if licence == "Apache-2.0"} == free
    assert {model_id for model_id, licence in licences.items() if licence == "unclear"} == {i for i in WANTED if "da2-metric" in i}
    assert licences["depthbridge-mini"] == "CC0-1.0"
    others = set(WANTED) - free - {"depthbridge-mini"} - {i for i in WANTED if "da2-metric" in i}
    assert {licences[model_id] for model_id in others} == {"CC-BY-NC-4.0"}


def test_published_files_are_encrypted_addresses_that_nobody_here_has_checked() -> None:
    for spec in load_catalog():
        for file in spec.files:
            assert file.url.startswith(("https://huggingface.co/", "https://github.com/"))
            assert file.url.rpartition("/")[2] == file.path.rpartition("/")[2]
            assert not file.checked
    assert [file.path for file in load_catalog().get("da3-small").files] == ["model.onnx", "model.onnx_data"]


def test_an_unknown_id_names_the_nearest() -> None:
    catalog = load_catalog()
    assert catalog.get(" DA3Metric-Large ").id == "da3metric-large"
    with pytest.raises(ModelError, match=r"no model 'da3-metric-large'; did you mean da3metric-large"):
        catalog.get("da3-metric-large")
    with pytest.raises(ModelError, match="models list"):
        catalog.get("zzzzzz")


def test_it_is_found_under_another_package_name(tmp_path: Path) -> None:
    # Inside Blender the package is called bl_ext.user_default.depthbridge.
    package = tmp_path / "outer" / "inner" / "other_name"
    root = CATALOG_FILE.parents[1]
    shutil.copytree(root / "engines", package / "engines", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "models").mkdir()
    shutil.copy(CATALOG_FILE, package / "models")
    code = "from outer.inner.other_name.engines.catalog import load_catalog; print(len(load_catalog().specs))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == str(len(WANTED)), done.stderr


GOOD = """
format = 1
[[model]]
id = "mini"
title = "Mini"
family = "da3-mono"
output = "relative depth"
input = { method = "upper_bound_resize", process_res = 504 }
parameters_note = "none"
licence = "CC0-1.0"
embedded = true
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("format = 1", "format = 2", "has format 2"),
        ('id = "mini"', "", "id must be a text"),
        ('id = "mini"', 'id = "../mini"', "cannot be a model's id"),
        ('"da3-mono"', '"da4"', "family 'da4' is none of"),
        ("504", "500", "multiple of 14"),
        ('"upper_bound_resize"', '"stretch"', "method 'stretch'"),
        ('licence = "CC0-1.0"', 'license = "CC0-1.0"', "unknown key license"),
        ("embedded = true", "embedded = 1", "embedded must be true or false"),
        ("embedded = true", 'how_to_get = "ask"', "exactly one model as embedded"),
        ("embedded = true", "", "either files or how_to_get"),
        ("embedded = true", "embedded = true\nparameters = -3", "positive count"),
        ("embedded = true", "embedded = true\nmax_depth_m = 20.0", "belongs to the family da2-metric"),
        ("embedded = true", "embedded = true\ncanonical_focal_px = nan", "positive number"),
        ("embedded = true", 'embedded = true\nfiles = [{path = "../x", url = "https://a/x"}]', "not a plain name"),
        ("embedded = true", 'embedded = true\nfiles = [{path = "x", url = "file:///x"}]', "must begin with https"),
        ("format = 1", "format = ", "cannot be read"),
    ],
)
def test_a_broken_catalogue_says_where(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(GOOD)
    assert load_catalog(path).embedded.id == "mini"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ModelError, match=said):
        load_catalog(path)


def test_a_model_listed_twice_is_told(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(GOOD + GOOD.replace("format = 1", ""))
    with pytest.raises(ModelError, match="lists mini twice"):
        load_catalog(path)
    with pytest.raises(ModelError, match="is missing"):
        load_catalog(tmp_path / "gone.toml")


def test_the_file_has_no_checksum_of_its_own() -> None:
    # Only hosts vouch for their files; a checksum written down here would be one more thing to be wrong.
    assert "sha256 =" not in CATALOG_FILE.read_text() and tomllib.loads(CATALOG_FILE.read_text())["format"] == 1


# ---- names and folders ---------------------------------------------------------------------------------------------


@given(st.text(alphabet="ab./\\:~ \0", max_size=12) | st.text(max_size=12))
@hypothesis_settings(max_examples=300, deadline=None)
def test_no_accepted_name_leaves_its_folder(name: str) -> None:
    folder = Path("/folder/of/models")
    try:
        path = inside(folder, name, "A graph")
    except ModelError:
        return
    assert path != folder and Path(str(path)).resolve().is_relative_to(folder)
    assert path.relative_to(folder).as_posix() == name


@pytest.mark.parametrize("name", ["", ".", "..", "/a", "a//b", "a/", "../a", "a/../b", "C:a", "a\\b", "a\0b"])
def test_names_that_leave_or_mean_two_things_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match="not a plain name"):
        inside(Path("/folder"), name, "A graph")


@pytest.mark.parametrize("model_id", ["", "-a", ".a", "a/b", "A", "a b", "a" * 81, "a."])
def test_ids_are_folder_names_everywhere(model_id: str) -> None:
    with pytest.raises(ModelError, match="cannot be a model's id"):
        check_model_id(model_id)


def test_the_models_folder_can_be_named() -> None:
    assert default_models_dir({"DEPTHBRIDGE_MODELS": "/data/models"}) == Path("/data/models")
    usual = default_models_dir({})
    assert usual.is_absolute() and usual.parts[-2:] == ("depthbridge", "models")
    assert default_models_dir({"DEPTHBRIDGE_MODELS": "  "}) == usual


def test_every_family_is_spoken_for() -> None:
    assert {spec.family for spec in load_catalog()} == set(Family) - {Family.UNKNOWN}
