# SPDX-License-Identifier: Apache-2.0
"""What a server says of itself: the answers to hello, health, models and stats."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ... import __version__
from ...engines.estimator import Estimator
from ..framing import MAX_HEADER_BYTES, PROTOCOL_VERSION
from ..maps import OUTPUTS
from .counters import Statistics
from .headers import CAPABILITIES
from .jobs import OK
from .payloads import ENCODINGS, MASK_DTYPES, MASK_IDS, ServerLimits


def hello(engine: Estimator, limits: ServerLimits, max_in_flight: int, batch_max: int) -> dict[str, Any]:
    """Who answers, within which limits."""
    return {
        "status": OK,
        "server": "depthbridge",
        "server_version": __version__,
        "protocol": PROTOCOL_VERSION,
        "model": engine.model_id,
        "kind": str(engine.kind),
        "needs_camera": engine.needs_camera,
        "capabilities": list(CAPABILITIES),
        "encodings": list(ENCODINGS),
        "mask_dtypes": list(MASK_DTYPES),
        "mask_ids": list(MASK_IDS),
        "outputs": list(OUTPUTS),
        "max_in_flight": max_in_flight,
        "batch_max": batch_max,
        "max_header_bytes": MAX_HEADER_BYTES,
        **asdict(limits),
    }


def models(engine: Estimator) -> dict[str, Any]:
    """The one model."""
    about = {"id": engine.model_id, "ready": True, "kind": str(engine.kind), "needs_camera": engine.needs_camera}
    return {"status": OK, "models": [about]}


def stats(statistics: Statistics) -> dict[str, Any]:
    """Counters since the start, and the stages of the last frames."""
    stages = {name: asdict(summary) for name, summary in statistics.stages().items()}
    return {"status": OK, "counters": asdict(statistics.counters), "stages": stages}
