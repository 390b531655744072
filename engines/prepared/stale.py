# SPDX-License-Identifier: Apache-2.0
"""Entries of the engine cache that nothing will ask for again: of models that are gone, or of libraries that were replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..errors import ModelError
from ..model_store import installed
from ..tuning.libraries import library_versions
from .engine_cache import MODEL_HASHES, CacheEntry, EngineCache, model_sha256
from .model_hash import hashes_of_models_there

# First word of a key's runtime -> the packages that bring it.
_PACKAGES = {
    "openvino": ("openvino",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"),
    "onnxruntime-tensorrt": ("onnxruntime", "onnxruntime-gpu"),
    "tensorrt": ("tensorrt", "tensorrt-cu12", "tensorrt-cu13"),
}


def stale_entries(cache: EngineCache, models_dir: Path | None = None) -> list[CacheEntry]:
    """Entries of model files that are gone or changed, and of library versions that are not installed. Engines made of a converted graph that
    is stale itself are stale too. Models that are installed, or were ever opened from where they still lie, count as there."""
    there = hashes_of_models_there(cache.note_path(MODEL_HASHES))
    with suppress(ModelError):
        for model in installed(models_dir):
            with suppress(ModelError):
                there.add(model_sha256(model.path, cache))
    versions = library_versions()
    entries = cache.entries()
    stale: list[CacheEntry] = []
    while True:
        found = [entry for entry in entries if entry not in stale and not _is_wanted(entry, there, versions)]
        if not found:
            return stale
        stale += found
        # A graph that goes takes with it what was compiled of it.
        there -= {model_sha256(file, cache) for entry in found for file in _graphs_in(entry)}


def _is_wanted(entry: CacheEntry, there: Iterable[str], versions: dict[str, str]) -> bool:
    if entry.key.model_sha256 not in there:
        return False
    library, _, version = entry.key.runtime.partition(" ")
    packages = _PACKAGES.get(library)
    if packages is None or not version:
        return True
    return any(_same_version(version, versions[name]) for name in packages if name in versions)


def _same_version(told: str, installed_one: str) -> bool:
    """Packages and libraries spell one version differently: "2026.4.1-20412-abc", "1.31.1+cu13"."""
    first, second = (re.split(r"[-+ ]", text)[0] for text in (told, installed_one))
    return first == second


def _graphs_in(entry: CacheEntry) -> list[Path]:
    return [path for path in entry.folder.glob("*.onnx") if path.is_file()]
