# SPDX-License-Identifier: Apache-2.0
"""Models on this machine: the embedded one, and the folder that ``fetch`` and ``add`` fill (one sub-folder per model).

Nothing here touches the network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from .catalog import Catalog, load_catalog, unknown_model
from .errors import ModelError
from .file_hash import hash_file
from .model_lock import ModelLock, Pin, read_lock
from .model_paths import ENGINE_SUFFIXES, SHIPPED_MODELS, default_models_dir
from .model_spec import ModelSpec
from .sidecar import read_sidecar


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """An ONNX file and what is known of it; ``spec`` is None when nothing is, and the graph itself must be asked."""

    path: Path
    spec: ModelSpec | None


class Origin(StrEnum):
    """How a model came here."""

    EMBEDDED = "embedded"
    FETCHED = "fetched"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that can be opened. ``pins`` is empty for the embedded one."""

    id: str
    path: Path
    spec: ModelSpec | None
    origin: Origin
    pins: tuple[Pin, ...]


class FileState(StrEnum):
    """What :func:`verify` found."""

    OK = "ok"
    CHANGED = "changed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class FileCheck:
    """One file of an installed model, compared with its pin (``pin`` is None for the embedded model: it is only there or not)."""

    model_id: str
    path: Path
    state: FileState
    pin: Pin | None


def resolve(model: str | Path, models_dir: Path | None = None) -> ResolvedModel:
    """The ONNX file that ``model`` means: an id of the catalogue or of an added model, or the path of an ``.onnx`` file
    or of an engine of TensorRT.

    A text with a slash or with such an ending is a path, any other an id. ``models_dir`` defaults to :func:`default_models_dir`.
    Raises :class:`ModelError` saying how to get a model that is not installed.
    """
    if isinstance(model, Path) or "/" in model or "\\" in model or model.lower().endswith((".onnx", *ENGINE_SUFFIXES)):
        return _resolve_path(Path(model).expanduser())
    catalog = load_catalog()
    wanted = model.strip().lower()
    if wanted == catalog.embedded.id:
        return ResolvedModel(_embedded_path(catalog), catalog.embedded)
    store = default_models_dir() if models_dir is None else models_dir
    lock = read_lock(store / wanted) if _is_name(wanted) else None
    if lock is not None:
        found = _from_lock(store / wanted, lock, catalog)
        _require_complete(store / wanted, found)
        return ResolvedModel(found.path, found.spec)
    if wanted in catalog:
        raise _not_installed(catalog.get(wanted), store)
    raise unknown_model(model, [*(spec.id for spec in catalog), *_stored_ids(store)])


def installed(models_dir: Path | None = None) -> tuple[InstalledModel, ...]:
    """Every model on this machine, the embedded one first. Models whose files are incomplete are left out."""
    catalog = load_catalog()
    store = default_models_dir() if models_dir is None else models_dir
    found: list[InstalledModel] = []
    embedded = SHIPPED_MODELS / f"{catalog.embedded.id}.onnx"
    if embedded.is_file():
        found.append(InstalledModel(catalog.embedded.id, embedded, catalog.embedded, Origin.EMBEDDED, ()))
    for model_id in _stored_ids(store):
        lock = read_lock(store / model_id)
        if lock is not None:
            candidate = _from_lock(store / model_id, lock, catalog)
            if not _missing(store / model_id, candidate):
                found.append(candidate)
    return tuple(found)


def verify(model_id: str | None = None, models_dir: Path | None = None) -> tuple[FileCheck, ...]:
    """Hashes the files of one installed model, or of all, and compares them with their pins.

    Raises :class:`ModelError` when ``model_id`` is not installed.
    """
    catalog = load_catalog()
    store = default_models_dir() if models_dir is None else models_dir
    wanted = None if model_id is None else model_id.strip().lower()
    checks: list[FileCheck] = []
    if wanted in (None, catalog.embedded.id):
        path = SHIPPED_MODELS / f"{catalog.embedded.id}.onnx"
        checks.append(FileCheck(catalog.embedded.id, path, FileState.OK if path.is_file() else FileState.MISSING, None))
    for stored in _stored_ids(store):
        lock = read_lock(store / stored) if wanted in (None, stored) else None
        for pin in lock.pins if lock is not None else ():
            checks.append(FileCheck(stored, store / stored / pin.path, _state(store / stored / pin.path, pin), pin))
    if not checks:
        assert wanted is not None
        if wanted in catalog:
            raise _not_installed(catalog.get(wanted), store)
        raise unknown_model(wanted, [*(spec.id for spec in catalog), *_stored_ids(store)])
    return tuple(checks)


def _resolve_path(path: Path) -> ResolvedModel:
    if path.is_dir():
        raise ModelError(f"{path} is a folder; name the .onnx file inside it.")
    if not path.is_file():
        raise ModelError(f"The model file {path} does not exist; check the path, or see `depthbridge models list` for ids.")
    return ResolvedModel(path, read_sidecar(path))


def _embedded_path(catalog: Catalog) -> Path:
    path = SHIPPED_MODELS / f"{catalog.embedded.id}.onnx"
    if not path.is_file():
        raise ModelError(f"The embedded model {path.name} is missing from this installation ({path.parent}); reinstall Depthbridge.")
    return path


def _from_lock(folder: Path, lock: ModelLock, catalog: Catalog) -> InstalledModel:
    path = folder / lock.pins[0].path
    known = catalog.get(folder.name) if folder.name in catalog else None
    origin = Origin.FETCHED if lock.pins[0].url else Origin.ADDED
    return InstalledModel(folder.name, path, _merged(read_sidecar(path), known), origin, lock.pins)


def _merged(told: ModelSpec | None, known: ModelSpec | None) -> ModelSpec | None:
    """A sidecar says how this file is used, the catalogue everything else; a sidecar of another family is no longer that model."""
    if told is None or known is None or told.family is not known.family:
        return told or known
    return replace(
        known,
        input=told.input,
        canonical_focal_px=told.canonical_focal_px,
        max_depth_m=told.max_depth_m or known.max_depth_m,
        trace_size=told.trace_size,
    )


def _missing(folder: Path, model: InstalledModel) -> list[str]:
    return [pin.path for pin in model.pins if not (folder / pin.path).is_file() or (folder / pin.path).stat().st_size != pin.size]


def _require_complete(folder: Path, model: InstalledModel) -> None:
    missing = _missing(folder, model)
    if missing:
        again = f"fetch {model.id}" if model.origin is Origin.FETCHED else f"add FILE --id {model.id} --force"
        raise ModelError(
            f"The model {model.id} is incomplete: {', '.join(missing)} in {folder} is missing or has another size; "
            f"run `depthbridge models {again}`."
        )


def _not_installed(spec: ModelSpec, store: Path) -> ModelError:
    if spec.files:
        return ModelError(f"The model {spec.id} is not installed in {store}; `depthbridge models fetch {spec.id}` downloads it.")
    return ModelError(f"The model {spec.id} is not installed in {store}. {spec.how_to_get}")


def _stored_ids(store: Path) -> list[str]:
    try:
        return sorted(path.name for path in store.iterdir() if path.is_dir() and not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ModelError(f"The folder for models {store} cannot be read ({error.strerror}).") from error


def _is_name(text: str) -> bool:
    return bool(text) and text not in (".", "..") and "\0" not in text


def _state(path: Path, pin: Pin) -> FileState:
    try:
        if path.stat().st_size == pin.size and hash_file(path) == pin.sha256:
            return FileState.OK
        return FileState.CHANGED
    except (FileNotFoundError, NotADirectoryError):
        return FileState.MISSING
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}).") from error
