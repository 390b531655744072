# SPDX-License-Identifier: Apache-2.0
"""Which layout a folder or file is in."""

from __future__ import annotations

from pathlib import Path

from ..samples import Dataset, DatasetError


def open_dataset(path: Path, layout: str | None = None) -> Dataset:
    """The data set at ``path``, in the layout of that key or in the one that is recognised.

    Raises :class:`DatasetError` with what was looked for where there is none.
    """
    raise DatasetError(f"{path} is in no layout that is known ({layout}).")
