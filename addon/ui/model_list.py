# SPDX-License-Identifier: GPL-3.0-or-later
"""The models as the sidebar lists them: read from disk when something changed, never while Blender draws. Imports no bpy."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

from ...engines.catalog import load_catalog
from ...engines.depth_map import DepthKind
from ...engines.errors import DepthbridgeError
from ...engines.model_spec import Family, ModelSpec
from ...engines.model_store import installed

# identifier, name, description, icon, number
EnumItem = tuple[str, str, str, str, int]

_GIVES = {
    DepthKind.METRIC: "metres",
    DepthKind.RELATIVE: "depth without a unit",
    DepthKind.DISPARITY: "disparity: its scale is guessed until you measure",
}


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model that can be used now. ``spec`` is None for a file of which nothing is known."""

    id: str
    title: str
    spec: ModelSpec | None
    embedded: bool

    @property
    def gives(self) -> str:
        """What its numbers are, in a few words."""
        return "its numbers' meaning is read from the file" if self.spec is None else _GIVES[self.spec.kind]

    @property
    def predicts_camera(self) -> bool:
        """Whether it may tell the camera of a picture."""
        return self.spec is None or self.spec.family in (Family.DA3_MAIN, Family.DA3_NESTED)


class ModelList:
    """What was found at the last :meth:`refresh`. Blender keeps pointers to the texts of an enumeration, so they are held here."""

    def __init__(self) -> None:
        self.installed: tuple[ListedModel, ...] = ()
        self.others: tuple[ModelSpec, ...] = ()
        """Catalogued models that are not installed; those with ``files`` can be downloaded."""
        self.problem = ""
        """Why the folder could not be read; empty when it could."""
        self.items: list[EnumItem] = []
        self._read = False

    def refresh(self, folder: Path) -> None:
        """Look again. Never raises: what is wrong is in :attr:`problem`, and the embedded model stays."""
        self._read, self.problem = True, ""
        catalog = load_catalog()
        try:
            found = installed(folder)
        except DepthbridgeError as error:
            self.problem = str(error)
            found = installed(Path(__file__))  # no folder: the embedded one alone
        self.installed = tuple(
            ListedModel(model.id, model.spec.title if model.spec is not None else model.id, model.spec, model.id == catalog.embedded.id)
            for model in found
        )
        here = {model.id for model in self.installed}
        self.others = tuple(spec for spec in catalog if spec.id not in here)
        self.items = [_item(model) for model in self.installed]

    def ensure(self, folder: Path) -> None:
        """:meth:`refresh` unless that was done before."""
        if not self._read:
            self.refresh(folder)

    def get(self, model_id: str) -> ListedModel | None:
        """The installed model of this id."""
        return next((model for model in self.installed if model.id == model_id), None)


def _item(model: ListedModel) -> EnumItem:
    name = f"{model.title} (preview quality)" if model.embedded else model.title
    licence = "" if model.spec is None else f". Licence: {model.spec.licence}"
    return model.id, name, f"Gives {model.gives}{licence}", "NONE", _number(model)


def _number(model: ListedModel) -> int:
    """What a .blend keeps of the choice: the same for the same model, whatever else is installed. The embedded one is the default."""
    return 0 if model.embedded else zlib.crc32(model.id.encode()) & 0x7FFFFFFF or 1


MODELS = ModelList()
"""Names and facts of models, never a model itself."""
