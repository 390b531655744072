# SPDX-License-Identifier: Apache-2.0
"""Which libraries that run models are installed, told by their packages' own records: none is loaded for it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

PACKAGES = (
    "onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "openvino", "tensorrt", "tensorrt-cu12", "tensorrt-cu13",
)  # fmt: skip
"""Packages that run models, as pip names them."""

HELPERS = ("onnx", "onnxconverter-common", "cuda-python", "cuda-bindings")
"""Packages that prepare models, or that the others need."""

_ONNX_RUNTIMES = PACKAGES[:3]


def library_versions(names: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Package -> version, of those of ``names`` that are installed, in their order."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str] = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name) or "unknown"
    return found


def package_troubles(versions: dict[str, str]) -> tuple[str, ...]:
    """What is wrong with a set of packages, in sentences. The builds of ONNX Runtime install into one folder and overwrite each other."""
    builds = [name for name in _ONNX_RUNTIMES if name in versions]
    if len(builds) < 2:
        return ()
    return (
        f"{' and '.join(builds)} are both installed and overwrite each other's files, so that devices go missing; "
        f"keep one: pip uninstall {' '.join(builds)}, then install the one you want again.",
    )
