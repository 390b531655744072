# SPDX-License-Identifier: Apache-2.0
"""What is done with one frame, besides running the engine: its pixels decoded, its map measured, the answer written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from ...engines.camera import CameraSource
from ...engines.depth_map import DepthKind, DepthMap
from ..framing import ErrorCode
from ..maps import map_to_wire, overlay_payload
from ..measuring.frame import FrameMeasure, measure_frame
from ..measuring.measure import MaskObjects
from ..measuring.records import ObjectRecord
from .headers import RequestError
from .jobs import OK, Answer, Job
from .payloads import ServerLimits

_Mask = npt.NDArray[Any]


class Measure(Protocol):
    """What :func:`~..measuring.frame.measure_frame` is."""

    def __call__(
        self,
        depth_map: DepthMap,
        mask: _Mask | MaskObjects,
        records: Sequence[ObjectRecord] | None = None,
        *,
        extrinsics: npt.NDArray[np.float64] | None = None,
        image: npt.NDArray[np.uint8] | None = None,
    ) -> FrameMeasure: ...


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """The pixels of a request: uint8 RGB (H,W,3); ids (H,W), or None when no objects are asked for; the objects in them, where nobody named
    them; and, of a colour-coded mask, how many pixels have a colour that nobody named."""

    image: npt.NDArray[np.uint8]
    mask: _Mask | None
    found: MaskObjects | None
    unlisted_pixels: int | None


class FrameWork:
    """For any thread, one frame at a time or several."""

    def __init__(self, limits: ServerLimits, measure: Measure = measure_frame) -> None:
        self._limits = limits
        self._measure = measure

    def decode(self, job: Job) -> DecodedFrame:
        """The pixels, unless it is too late for them. Raises :class:`RequestError`, and ``CancelledError`` for a job given up."""
        job.cancel.check()
        job.check_deadline()
        started = time.monotonic()
        try:
            image, mask = job.request.decode_image(), job.request.decode_mask()
            if mask is None:
                return DecodedFrame(image, None, None, None)
            found = self._find(mask.values) if job.request.objects is None else None
            return DecodedFrame(image, mask.values, found, mask.unlisted_pixels)
        finally:
            job.stage_ms["decode"] = (time.monotonic() - started) * 1e3

    def answer(self, job: Job, frame: DecodedFrame, depth_map: DepthMap) -> Answer:
        """The ok reply. Raises a ``DepthbridgeError`` for a map that cannot be measured, and ``CancelledError`` for a job given up."""
        job.cancel.check()  # nobody waits for this any more, though it was too late to stop the engine
        if depth_map.values.shape != frame.image.shape[:2]:
            raise ValueError(f"the engine answered {depth_map.values.shape} for an image of {frame.image.shape[:2]}")
        if depth_map.camera_source is CameraSource.GIVEN and job.request.camera_source is not CameraSource.GIVEN:
            depth_map = replace(depth_map, camera_source=job.request.camera_source)
        measured = self._measured(job, frame, depth_map)
        started = time.monotonic()
        result: dict[str, Any] = {
            "model": depth_map.model_id,
            "kind": str(depth_map.kind),
            "unit": "m" if depth_map.kind is DepthKind.METRIC else "relative",
            "camera_source": str(depth_map.camera_source),
            "width": depth_map.width,
            "height": depth_map.height,
        }
        if measured is not None:
            result |= measured.to_json()
            depth_map = measured.depth_map
        about, payloads = self._blobs(job, frame, depth_map, measured)
        if about is not None:
            result["depth"] = about
        header: dict[str, Any] = {"status": OK}
        if payloads:
            header["payloads"] = [described for described, _ in payloads]
        body = msgspec.Raw(msgspec.json.encode(result))
        job.stage_ms["encode"] = (time.monotonic() - started) * 1e3
        timing = job.timing_ms()
        header |= {"timing_ms": timing, "batch": job.batch, "result": body}
        frames = job.reply_to.frames(msgspec.json.encode(header), [data for _, data in payloads])
        return Answer(frames, OK, timing, job.batch)

    def _find(self, mask: _Mask) -> MaskObjects:
        """The objects of a mask of which nobody says what is in it: before an inference is spent on it."""
        found = MaskObjects.of(mask)
        if len(found.ids) > self._limits.max_objects:
            raise RequestError(
                ErrorCode.TOO_LARGE,
                f"The mask holds {len(found.ids)} different ids and at most {self._limits.max_objects} objects are measured; "
                "is it a picture of colours, or antialiased?",
            )
        return found

    def _measured(self, job: Job, frame: DecodedFrame, depth_map: DepthMap) -> FrameMeasure | None:
        if frame.mask is None:
            return None
        started = time.monotonic()
        try:
            mask = frame.mask if frame.found is None else frame.found
            measured = self._measure(depth_map, mask, job.request.objects, extrinsics=job.request.extrinsics, image=frame.image)
            return measured if frame.unlisted_pixels is None else replace(measured, unlisted_pixels=frame.unlisted_pixels)
        finally:
            job.stage_ms["measure"] = (time.monotonic() - started) * 1e3

    def _blobs(
        self, job: Job, frame: DecodedFrame, depth_map: DepthMap, measured: FrameMeasure | None
    ) -> tuple[dict[str, Any] | None, list[tuple[dict[str, Any], Any]]]:
        """What the header says of the map, and the payloads, each with its description."""
        request = job.request
        about: dict[str, Any] | None = None
        payloads: list[tuple[dict[str, Any], Any]] = []
        if request.depth:
            wire = map_to_wire(depth_map, request.depth_dtype)
            about, payloads = wire.about, list(zip(wire.payloads, wire.layers, strict=True))
        if request.overlay and measured is not None and frame.mask is not None:
            from ..measuring.overlay import draw_overlay  # few requests ask for one

            picture = draw_overlay(
                frame.image, frame.mask, measured.objects, request.overlay_encoding, unit=measured.unit, mask_values=measured.mask_values
            )
            payloads.append((overlay_payload(request.overlay_encoding, depth_map.width, depth_map.height), picture))
        return about, payloads
