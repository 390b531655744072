# SPDX-License-Identifier: Apache-2.0
"""The static repository: one index whose zips exclude each other, from which a bare Blender installs."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest

from depthbridge.packaging.errors import PackagingError
from depthbridge.packaging.extension import default_cache
from depthbridge.packaging.repository import build_repository, variants
from support.bare_blender import bare_blender
from support.extension import PLATFORM


@pytest.fixture(autouse=True)
def empty_file() -> None:
    """Nothing here happens in the Blender of this process: the extension need not be installed in it."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of this platform alone: every wheel of the others would have to be downloaded."""
    return build_repository(tmp_path_factory.mktemp("site") / "repository", default_cache(), [PLATFORM], untracked=True)


def entries(folder: Path) -> list[dict[str, object]]:
    data = json.loads((folder / "index.json").read_text())["data"]
    assert isinstance(data, list)
    return data


def test_the_indexes_list_every_zip_beside_them(repository: Path) -> None:
    for folder in (repository, repository / "any-python"):
        listed = {str(entry["archive_url"]).removeprefix("./") for entry in entries(folder)}
        assert listed == {path.name for path in folder.glob("*.zip")} and listed
        assert all(name in (folder / "index.html").read_text() for name in listed)
    assert {tuple(entry["python_versions"]) for entry in entries(repository)} >= {("3.11", "3.13")}


def test_no_two_zips_of_an_index_fit_the_same_blender() -> None:
    """Of all platforms, asked of the wheels they would hold: Blender takes whichever of two that fit comes first."""
    for wanted in variants().values():
        pythons = {variant: {wheel.floor for wheel in variant.wheels() if not wheel.any_later_python} for variant in wanted}
        for one, other in combinations(wanted, 2):
            assert one.platform != other.platform or (pythons[one] and pythons[other] and not pythons[one] & pythons[other]), (one, other)


def test_blender_installs_from_the_index(repository: Path, tmp_path: Path) -> None:
    blender = bare_blender(tmp_path)
    code = f"""
repositories = bpy.context.preferences.extensions.repos
repositories.new(name="Depthbridge", module="depthbridge_site", remote_url={repository.as_uri() + "/index.json"!r})
bpy.context.preferences.system.use_online_access = True
bpy.ops.extensions.repo_sync(repo_index=len(repositories) - 1)
bpy.ops.extensions.package_install(repo_index=len(repositories) - 1, pkg_id="depthbridge", enable_on_install=True)
import onnxruntime
print("bl_ext.depthbridge_site.depthbridge" in bpy.context.preferences.addons)
"""
    done = blender.run(code)
    assert done.stdout.splitlines()[-1] == "True", done.stdout + done.stderr


def test_an_earlier_repository_is_replaced_and_nothing_else(repository: Path, tmp_path: Path) -> None:
    out = tmp_path / "site"
    (out / "any-python").mkdir(parents=True)
    for name in ("index.json", "depthbridge-0.0.1-linux_x64.zip", "any-python/index.html"):
        (out / name).write_text("earlier")
    (out / "letter.txt").write_text("mine")
    with pytest.raises(PackagingError, match=r"letter\.txt"):
        build_repository(out, default_cache(), [PLATFORM])
    assert (out / "index.json").read_text() == "earlier"
    (out / "letter.txt").unlink()
    build_repository(out, default_cache(), [PLATFORM], untracked=True)
    assert {path.name for path in out.rglob("*")} == {path.name for path in repository.rglob("*")}


def test_a_file_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("mine")
    with pytest.raises(PackagingError, match="is a file"):
        build_repository(tmp_path / "site", default_cache(), [PLATFORM])
    assert (tmp_path / "site").read_text() == "mine"
