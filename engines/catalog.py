# SPDX-License-Identifier: Apache-2.0
"""The models Depthbridge knows, read from ``models/catalog.toml`` and checked."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ModelError
from .model_paths import SHIPPED_MODELS, check_model_id, inside
from .model_spec import Family, InputPolicy, ModelFile, ModelSpec, ResizeMethod

CATALOG_FILE = SHIPPED_MODELS / "catalog.toml"
_FORMAT = 1
_MODEL_KEYS = {
    "id", "title", "family", "output", "input", "parameters", "parameters_note", "licence", "licence_note", "canonical_focal_px",
    "max_depth_m", "source_note", "how_to_get", "embedded", "files",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Catalog:
    """The known models, in the order of the file."""

    specs: tuple[ModelSpec, ...]

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self.specs)

    def __contains__(self, model_id: object) -> bool:
        return any(spec.id == model_id for spec in self.specs)

    def get(self, model_id: str) -> ModelSpec:
        """The entry of ``model_id`` (case does not matter). Raises :class:`ModelError` with the nearest ids when there is none."""
        wanted = model_id.strip().lower()
        for spec in self.specs:
            if spec.id == wanted:
                return spec
        raise unknown_model(model_id, [spec.id for spec in self.specs])

    @property
    def embedded(self) -> ModelSpec:
        """The model that comes with the package."""
        return next(spec for spec in self.specs if spec.embedded)


def unknown_model(model_id: str, known: list[str]) -> ModelError:
    """The error for an id that nobody knows, naming the nearest ones."""
    near = difflib.get_close_matches(model_id.strip().lower(), known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`depthbridge models list` shows the known ones."
    return ModelError(f"There is no model {model_id!r}; {hint}")


def load_catalog(path: Path = CATALOG_FILE) -> Catalog:
    """Reads the catalogue. Raises :class:`ModelError` naming the entry and what is wrong with it."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"The model catalogue {path} is missing; reinstall Depthbridge.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"The model catalogue {path} cannot be read ({error}); reinstall Depthbridge.") from error
    if data.get("format") != _FORMAT:
        raise ModelError(f"The model catalogue {path} has format {data.get('format')!r}; this version reads format {_FORMAT}.")
    entries = data.get("model")
    if not isinstance(entries, list) or not entries:
        raise ModelError(f"The model catalogue {path} lists no models.")
    specs = tuple(_Entry(entry, f"{path.name}, model {number}").spec() for number, entry in enumerate(entries, 1))
    ids = [spec.id for spec in specs]
    double = sorted({model_id for model_id in ids if ids.count(model_id) > 1})
    if double:
        raise ModelError(f"The model catalogue {path} lists {', '.join(double)} twice.")
    if sum(spec.embedded for spec in specs) != 1:
        raise ModelError(f"The model catalogue {path} must mark exactly one model as embedded.")
    return Catalog(specs)


class _Entry:
    """One table of the file; every accessor names the entry and the key in its error."""

    def __init__(self, table: object, where: str) -> None:
        if not isinstance(table, Mapping):
            raise ModelError(f"{where}: a table was expected.")
        self._table: Mapping[str, Any] = table
        self._where = f"{where} ({table.get('id', 'without id')})"

    def spec(self) -> ModelSpec:
        unknown = sorted(set(self._table) - _MODEL_KEYS)
        if unknown:
            raise self._wrong(f"unknown key {', '.join(unknown)}")
        family = self._family()
        spec = ModelSpec(
            id=check_model_id(self._text("id")),
            title=self._text("title"),
            family=family,
            input=self._input(),
            parameters=self._parameters(),
            licence=self._text("licence"),
            licence_note=self._text("licence_note", ""),
            canonical_focal_px=self._positive("canonical_focal_px"),
            max_depth_m=self._positive("max_depth_m"),
            files=self._files(),
            how_to_get=self._text("how_to_get", ""),
            embedded=self._flag(self._table, "embedded"),
            output=self._text("output"),
            parameters_note=self._text("parameters_note"),
            source_note=self._text("source_note", ""),
        )
        if (spec.canonical_focal_px is not None) != (family is Family.DA3_METRIC):
            raise self._wrong("canonical_focal_px belongs to the family da3-metric, and only there")
        if (spec.max_depth_m is not None) != (family is Family.DA2_METRIC):
            raise self._wrong("max_depth_m belongs to the family da2-metric, and only there")
        if not spec.embedded and bool(spec.files) == bool(spec.how_to_get):
            raise self._wrong("either files or how_to_get is needed, not both")
        return spec

    def _wrong(self, what: str) -> ModelError:
        return ModelError(f"{self._where}: {what}.")

    def _text(self, key: str, default: str | None = None) -> str:
        value = self._table.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self._wrong(f"{key} must be a text, not {value!r}")
        return value.strip()

    def _family(self) -> Family:
        value = self._text("family")
        if value not in list(Family):
            raise self._wrong(f"family {value!r} is none of {', '.join(Family)}")
        return Family(value)

    def _input(self) -> InputPolicy:
        value = self._table.get("input")
        if not isinstance(value, Mapping) or set(value) != {"method", "process_res"}:
            raise self._wrong("input must be a table of method and process_res")
        method, size = value["method"], value["process_res"]
        if method not in list(ResizeMethod):
            raise self._wrong(f"method {method!r} is none of {', '.join(ResizeMethod)}")
        if type(size) is not int or size < 14 or size % 14:
            raise self._wrong(f"process_res must be a positive multiple of 14, not {size!r}")
        return InputPolicy(ResizeMethod(method), size)

    def _parameters(self) -> int | None:
        value = self._table.get("parameters")
        if value is not None and (type(value) is not int or value <= 0):
            raise self._wrong(f"parameters must be a positive count, not {value!r}")
        return value

    def _positive(self, key: str) -> float | None:
        value = self._table.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
            raise self._wrong(f"{key} must be a positive number, not {value!r}")
        return float(value)

    def _flag(self, table: Mapping[str, Any], key: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            raise self._wrong(f"{key} must be true or false, not {value!r}")
        return value

    def _files(self) -> tuple[ModelFile, ...]:
        tables = self._table.get("files", [])
        if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
            raise self._wrong("files must be tables")
        files = tuple(self._file(table) for table in tables)
        if len({file.path for file in files}) != len(files):
            raise self._wrong("two files have the same path")
        return files

    def _file(self, table: Mapping[str, Any]) -> ModelFile:
        unknown = sorted(set(table) - {"path", "url", "about_mb", "checked"})
        path, url, about = table.get("path"), table.get("url"), table.get("about_mb")
        if unknown or not isinstance(path, str) or not isinstance(url, str):
            raise self._wrong(f"a file needs path and url, and may have about_mb and checked; got {dict(table)!r}")
        if not url.startswith(("https://", "http://")):
            raise self._wrong(f"url must begin with https://, not {url!r}")
        if about is not None and (type(about) is not int or about <= 0):
            raise self._wrong(f"about_mb must be a positive count, not {about!r}")
        inside(Path(), path, self._where)
        return ModelFile(path, url, None if about is None else about * 1_000_000, self._flag(table, "checked"))
