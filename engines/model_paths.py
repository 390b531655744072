# SPDX-License-Identifier: Apache-2.0
"""Where models lie, and which names may become files and folders there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from .errors import ModelError

ENVIRONMENT_VARIABLE = "DEPTHBRIDGE_MODELS"
"""Names the folder of the models, instead of the user's data folder."""

# Relative to this file, for the package has another name inside Blender (bl_ext.user_default.depthbridge).
SHIPPED_MODELS = Path(__file__).resolve().parent.parent / "models"
"""The package's own ``models`` folder: the catalogue and the embedded model. Never written to."""

ENGINE_SUFFIXES = (".engine", ".plan")
"""Files that TensorRT compiled for one kind of card."""

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


def default_models_dir(environ: Mapping[str, str] | None = None) -> Path:
    """``DEPTHBRIDGE_MODELS``, else ``models`` in the user's data folder for Depthbridge. The folder need not exist.

    Raises :class:`ModelError` where the platform's data folder cannot be told (platformdirs is absent, as inside Blender, whose
    extension passes its own folder).
    """
    named = (os.environ if environ is None else environ).get(ENVIRONMENT_VARIABLE, "").strip()
    if named:
        return Path(named).expanduser()
    try:
        import platformdirs
    except ImportError as error:
        raise ModelError(f"The folder for models is not known here; name one in the environment as {ENVIRONMENT_VARIABLE}.") from error
    return platformdirs.user_data_path("depthbridge", appauthor=False) / "models"


def is_engine_file(path: Path) -> bool:
    """Whether ``path`` is named like an engine of TensorRT."""
    return path.suffix.lower() in ENGINE_SUFFIXES


def check_model_id(model_id: str) -> str:
    """``model_id`` when it can be the name of a folder on every system. Raises :class:`ModelError` otherwise."""
    if not _ID.fullmatch(model_id) or model_id.endswith("."):
        raise ModelError(f"{model_id!r} cannot be a model's id; use lower-case letters, digits, '.', '_' and '-' (at most 80).")
    return model_id


def inside(folder: Path, name: str, what: str) -> Path:
    """The path of ``name`` below ``folder``; ``what`` says whose name it is, for the message.

    A graph or a catalogue names files; a name that is absolute, climbs out ("../"), or means something else on another system
    (backslash, drive letter) would let it reach a stranger's files. Raises :class:`ModelError` for such a name.
    """
    parts = name.split("/")
    if not name or any(part in ("", ".", "..") for part in parts) or re.search(r'[\\:*?"<>|\x00-\x1f]', name):
        raise ModelError(f"{what} names the file {name!r}, which is not a plain name inside its folder; that is refused.")
    return folder.joinpath(*parts)
