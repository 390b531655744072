# SPDX-License-Identifier: Apache-2.0
"""What can go wrong while an extension zip is made."""

from __future__ import annotations

from ..engines.errors import DepthbridgeError


class PackagingError(DepthbridgeError):
    """A zip that cannot be built as asked: an option, a wheel, a checkout, or Blender's builder says no."""

    code = "cannot_package"
