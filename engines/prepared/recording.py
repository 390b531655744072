# SPDX-License-Identifier: Apache-2.0
"""Real inputs for a graph: pictures through the engine's own preprocessing, and what the graph answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..cancel import CancelToken
from ..errors import DepthbridgeError
from ..images import decode_image
from ..model_paths import SHIPPED_MODELS
from ..network import Network
from ..recognise import Recognised
from ..runtimes.runtime import Runtime
from ..runtimes.targets import Precision

Array = npt.NDArray[np.generic]
Picture = npt.NDArray[np.uint8]

_SAMPLE = SHIPPED_MODELS / "samples" / "photo.jpg"


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """One run: the input tensor, and the depth output as the graph gave it."""

    feeds: dict[str, Array]
    depth: Array


class _Recorder:
    """A runtime that remembers its last run. What a network is really fed is known only once it ran: its size may be found by trying."""

    def __init__(self, inner: Runtime, depth_name: str) -> None:
        self._inner = inner
        self._depth_name = depth_name
        self.last: Recorded | None = None

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def device(self) -> str:
        return self._inner.device

    @property
    def precision(self) -> Precision:
        return self._inner.precision

    @property
    def notes(self) -> tuple[str, ...]:
        return self._inner.notes

    def run(self, feeds: dict[str, Array], outputs: Sequence[str], cancel: CancelToken | None = None) -> list[Array]:
        answers = self._inner.run(feeds, outputs, cancel)
        depth = answers[list(outputs).index(self._depth_name)]
        self.last = Recorded({name: np.array(value) for name, value in feeds.items()}, np.array(depth))
        return answers

    def close(self) -> None:
        self._inner.close()


def record(
    runtime: Runtime, recognised: Recognised, path: Path, pictures: Sequence[Picture], cancel: CancelToken | None = None
) -> Iterator[Recorded]:
    """What ``runtime`` is fed and answers for each picture, through the preprocessing of the engine. Raises as an engine's ``estimate``."""
    recorder = _Recorder(runtime, recognised.signature.depth.name)
    network = Network(recorder, recognised.signature, recognised.spec, path, recognised.spec.input)
    for pixels in pictures:
        network.infer(pixels, cancel)
        assert recorder.last is not None
        yield recorder.last


def check_pictures() -> list[Picture]:
    """Three pictures that every installation has: the shipped photo (a made one where samples are left out), a street and a noisy wall."""
    photo = _street(3)
    if _SAMPLE.is_file():
        photo = decode_image(_SAMPLE).rgb
    return [photo, _street(1), _wall()]


def read_pictures(paths: Sequence[Path], limit: int) -> list[tuple[str, Picture]]:
    """Names and pixels of at most ``limit`` of the pictures at ``paths``, evenly spread; those that cannot be read are left out."""
    count = min(limit, len(paths))
    pictures = []
    for path in (paths[place * len(paths) // count] for place in range(count)):
        try:
            pictures.append((path.name, decode_image(path).rgb))
        except DepthbridgeError:
            continue
    return pictures


def _street(seed: int) -> Picture:
    """A ground that runs to the horizon, a sky, and boxes of several sizes on it; (360,640,3)."""
    random = np.random.default_rng(seed)
    rows = np.linspace(0, 1, 360)[:, None, None]
    picture = np.where(rows < 0.45, (150, 190, 235) + 40 * rows, (90, 85, 75) + 90 * (rows - 0.45)) + np.zeros((360, 640, 3))
    for _ in range(12):
        size, left = int(random.integers(15, 120)), int(random.integers(0, 600))
        bottom = 165 + size
        picture[max(0, bottom - 2 * size) : bottom, left : left + size] = random.integers(20, 230, 3)
    return np.clip(picture + random.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def _wall() -> Picture:
    """Noise of strong contrast at several scales, (480,480,3): values that no photograph of a calm scene reaches."""
    random = np.random.default_rng(2)
    layers = [np.kron(random.uniform(-1, 1, (480 // size, 480 // size, 3)), np.ones((size, size, 1))) for size in (2, 12, 60)]
    return np.clip(128 + 90 * sum(layers), 0, 255).astype(np.uint8)
