# SPDX-License-Identifier: Apache-2.0
"""The converters that come with ONNX Runtime, imported without their side effect."""

from __future__ import annotations

import importlib
import sys
from typing import Any

_PACKAGE = "onnxruntime.transformers"


def import_tool(name: str) -> Any:
    """The module ``name`` of ONNX Runtime. Raises ``ImportError``.

    Importing its ``transformers`` puts that folder, full of common names, on the search path for good, and others of its modules rely on it. The
    path is restored here; and the package is forgotten, so that whoever imports it next finds the path extended again.
    """
    before, known = list(sys.path), _PACKAGE in sys.modules
    try:
        importlib.import_module(_PACKAGE)
        return importlib.import_module(name)
    finally:
        sys.path[:] = before
        if not known:
            sys.modules.pop(_PACKAGE, None)
