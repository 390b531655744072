# SPDX-License-Identifier: Apache-2.0
"""The shipped model: its interface at any size, its size on disk, and that it looks at the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from depthbridge.models.training import dataset
from depthbridge.models.training.evaluation_sets import generator_samples
from depthbridge.models.training.judging import Judged, judge, summary
from depthbridge.models.training.mini_model import MiniModel

MODEL = Path(dataset.__file__).parents[1] / "depthbridge-mini.onnx"
SIZES = [(14, 14), (14, 504), (504, 14), (280, 504), (378, 504), (504, 280), (518, 518), (700, 1036)]


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return MiniModel(MODEL).session


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return judge(MiniModel(MODEL), generator_samples(24))


def test_it_is_small() -> None:
    assert MODEL.stat().st_size <= 10_000_000


def test_it_says_what_it_is(session: onnxruntime.InferenceSession) -> None:
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata["depthbridge.family"] == "da3-metric"
    assert metadata["depthbridge.model_id"] == "depthbridge-mini"
    assert metadata["depthbridge.canonical_focal"] == "300"
    assert metadata["depthbridge.licence"] == "CC0-1.0"
    assert "depthbridge.trained_on" in metadata


def test_its_interface_is_da3metrics(session: onnxruntime.InferenceSession) -> None:
    (image,) = session.get_inputs()
    assert image.name == "image" and image.type == "tensor(float)" and image.shape[1] == 3
    assert all(isinstance(image.shape[axis], str) for axis in (0, 2, 3))
    assert [output.name for output in session.get_outputs()] == ["depth", "sky", "confidence"]
    assert all(output.shape[1] == 1 for output in session.get_outputs())


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("batch", [1, 3])
def test_output_size_follows_input_size(session: onnxruntime.InferenceSession, batch: int, height: int, width: int) -> None:
    image = np.random.default_rng(0).standard_normal((batch, 3, height, width)).astype(np.float32)
    depth, sky, confidence = (np.asarray(a) for a in session.run(["depth", "sky", "confidence"], {"image": image}))
    assert depth.shape == sky.shape == confidence.shape == (batch, 1, height, width)
    assert np.isfinite(depth).all() and (depth > 0).all()
    assert (sky >= 0).all() and (sky <= 1).all()
    assert np.isfinite(confidence).all() and (confidence >= 1).all()


def test_a_picture_in_a_batch_is_what_it_is_alone(session: onnxruntime.InferenceSession) -> None:
    images = np.random.default_rng(1).standard_normal((3, 3, 98, 154)).astype(np.float32)
    together = session.run(None, {"image": images})
    for place in range(3):
        alone = session.run(None, {"image": images[place : place + 1]})
        for several, one in zip(together, alone, strict=True):
            assert np.allclose(np.asarray(several)[place], np.asarray(one)[0], rtol=1e-3, atol=1e-4)


def test_it_beats_the_priors_and_shuffled_pictures_do_not(judged: list[Judged]) -> None:
    """A loose bar on 24 of the 300 frozen scenes: the card has the real figures."""
    found = summary(judged)
    assert found.ratio < 0.45
    assert found.shuffled_ratio > 0.9


def test_it_finds_the_sky(judged: list[Judged]) -> None:
    assert np.mean([j.sky_accuracy for j in judged]) > 0.97


def test_it_does_not_call_a_ceiling_sky(judged: list[Judged]) -> None:
    indoors = [j for j in judged if j.group in ("room", "tabletop")]
    assert len(indoors) > 5 and np.mean([j.sky_accuracy for j in indoors]) > 0.98


def test_it_finds_outlines_and_knows_where_it_is_right(judged: list[Judged]) -> None:
    found = summary(judged)
    assert found.edges > 0.4
    assert found.trust < 0.85
