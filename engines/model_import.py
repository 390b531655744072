# SPDX-License-Identifier: Apache-2.0
"""Brings a user's own ONNX file into the store: what ``depthbridge models add`` does."""

from __future__ import annotations

import math
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from .atomic import make_folder, writing_to
from .catalog import load_catalog
from .errors import ModelError, OutputError
from .file_hash import hash_file
from .file_lock import working_in
from .model_lock import ModelLock, Pin, now_utc, read_lock, write_lock
from .model_paths import check_model_id, inside
from .model_spec import Family, InputPolicy, ModelSpec
from .onnx_graph import external_data_files
from .recognise import CANONICAL_FOCAL_PX, Recognised, recognise
from .sidecar import read_sidecar, sidecar_path, write_sidecar


@dataclass(frozen=True, slots=True)
class AddRequest:
    """What the user says of the file; None where the file itself, its sidecar or the catalogue shall tell.

    ``canonical_focal_px`` (pixels) is for the family da3-metric, ``max_depth_m`` (metres) for da2-metric.
    """

    source: Path
    model_id: str | None = None
    family: Family | None = None
    canonical_focal_px: float | None = None
    max_depth_m: float | None = None
    replace_existing: bool = False


@dataclass(frozen=True, slots=True)
class Added:
    """The copy in the store, what is now known of it, how that was found out, and sentences for the user."""

    path: Path
    spec: ModelSpec
    evidence: str
    notes: tuple[str, ...]


def add_model(request: AddRequest, models_dir: Path) -> Added:
    """Checks that ``request.source`` is a depth model whose signature is understood, and copies it with its weights and a sidecar.

    Raises :class:`ModelError` (no ONNX file, signature not understood, weights missing, id taken, numbers that make no sense, a catalogue
    id of another family) and :class:`~.errors.OutputError`. Nothing is left behind then.
    """
    source = request.source.expanduser()
    recognised = recognise(source, read_sidecar(source))
    weights = external_data_files(source)
    model_id = _model_id(request, source, recognised)
    spec, evidence = _spec(request, model_id, recognised)
    folder = models_dir / model_id
    if read_lock(folder) is not None and not request.replace_existing:
        raise ModelError(f"A model {model_id} is installed already in {folder}; choose another --id, or replace it with --force.")
    if folder.is_dir() and source.resolve().is_relative_to(folder.resolve()):
        raise ModelError(f"{source} lies in the folder it would be copied to; move it elsewhere first.")
    with working_in(folder, model_id):
        older = read_lock(folder)
        pins = _copy_all(source.parent, folder, (source.name, *weights), replace_existing=older is not None)
        path = inside(folder, source.name, model_id)
        write_sidecar(path, spec)
        write_lock(folder, ModelLock(model_id, pins))
        if older is not None:
            _remove_replaced(folder, older, pins)
    return Added(path, spec, evidence, recognised.notes)


def _model_id(request: AddRequest, source: Path, recognised: Recognised) -> str:
    if request.model_id is not None:
        model_id = check_model_id(request.model_id.strip().lower())
    else:
        # From the file's name, except that a file which says its own id is believed.
        stem = recognised.spec.id if recognised.evidence == "metadata" else source.stem
        model_id = re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")[:80] or "model"
    if load_catalog().embedded.id == model_id:
        raise ModelError(f"{model_id} is the embedded model's id; choose another with --id.")
    return model_id


def _spec(request: AddRequest, model_id: str, recognised: Recognised) -> tuple[ModelSpec, str]:
    catalog = load_catalog()
    spec, evidence = recognised.spec, recognised.evidence
    if model_id in catalog and request.family is None:
        known = catalog.get(model_id)
        if not _may_be(known.family, spec.family):
            raise ModelError(
                f"{request.source.name} is of the family {spec.family} (by its {evidence}), but {model_id} is {known.family}; "
                "choose another --id, or say --family if you know better."
            )
        spec, evidence = replace(known, trace_size=spec.trace_size, files=()), "catalogue"
    if request.family is not None and request.family is not spec.family:
        policy = InputPolicy.for_family(request.family)
        spec = replace(spec, family=request.family, input=policy, canonical_focal_px=None, max_depth_m=None)
    if request.family is not None:
        evidence = "--family"
    focal, depth = _number(request.canonical_focal_px, "--canonical-focal"), _number(request.max_depth_m, "--max-depth")
    if focal is not None and spec.family is not Family.DA3_METRIC:
        raise ModelError(f"--canonical-focal is for the family {Family.DA3_METRIC}, but {request.source.name} is {spec.family}.")
    if depth is not None and spec.family is not Family.DA2_METRIC:
        raise ModelError(f"--max-depth is for the family {Family.DA2_METRIC}, but {request.source.name} is {spec.family}.")
    if spec.family is Family.DA3_METRIC:
        spec = replace(spec, canonical_focal_px=focal or spec.canonical_focal_px or CANONICAL_FOCAL_PX)
    return replace(spec, id=model_id, max_depth_m=depth or spec.max_depth_m, embedded=False), evidence


def _may_be(wanted: Family, found: Family) -> bool:
    """Whether a graph found to be ``found`` may be ``wanted``: the families of Depth Anything 3 look alike, those of 2 do not."""
    da2 = {Family.DA2_RELATIVE, Family.DA2_METRIC}
    return found is Family.UNKNOWN or wanted is found or (wanted not in da2 and found not in da2)


def _number(value: float | None, option: str) -> float | None:
    if value is not None and (not math.isfinite(value) or value <= 0):
        raise ModelError(f"{option} must be a positive number, not {value}.")
    return value


def _copy_all(source: Path, folder: Path, names: tuple[str, ...], *, replace_existing: bool) -> tuple[Pin, ...]:
    """Copies ``names`` from ``source`` to ``folder``: all of them under their names, or none."""
    targets = [inside(folder, name, names[0]) for name in names]
    taken = next((target for target in targets if target.exists() and not replace_existing), None)
    if taken is not None:
        raise OutputError(f"Cannot write {taken}: it exists already and did not come from `depthbridge models`; move it elsewhere.")
    copies = [target.with_name(target.name + ".part") for target in targets]
    pins: list[Pin] = []
    try:
        for name, target, copy in zip(names, targets, copies, strict=True):
            make_folder(copy.parent)
            with writing_to(target):
                shutil.copyfile(source / name, copy)
            pins.append(Pin(name, "", hash_file(copy), copy.stat().st_size, None, "a file of your own", None, now_utc()))
        for target, copy in zip(targets, copies, strict=True):
            with writing_to(target):
                copy.replace(target)
    finally:
        for copy in copies:
            copy.unlink(missing_ok=True)
            if copy.parent != folder:
                with suppress(OSError):
                    copy.parent.rmdir()
    return tuple(pins)


def _remove_replaced(folder: Path, older: ModelLock, pins: tuple[Pin, ...]) -> None:
    """Files of the replaced model that the new one does not have would lie there for ever."""
    kept = {pin.path for pin in pins}
    for pin in older.pins:
        if pin.path not in kept:
            inside(folder, pin.path, folder.name).unlink(missing_ok=True)
            sidecar_path(inside(folder, pin.path, folder.name)).unlink(missing_ok=True)
