# SPDX-License-Identifier: Apache-2.0
"""The one exact text of a described scene, and its hash: by them a list knows whether a seed still draws what was frozen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def exact_json(description: DataclassInstance) -> str:
    """Sorted keys, no spaces."""
    return json.dumps(asdict(description), sort_keys=True, separators=(",", ":"))


def exact_hash(description: DataclassInstance) -> str:
    """SHA-256 of :func:`exact_json`, hexadecimal."""
    return hashlib.sha256(exact_json(description).encode()).hexdigest()
