# SPDX-License-Identifier: Apache-2.0
"""Models to publish on :mod:`support.model_host`, and a patience fit for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from depthbridge.engines.checksums import GitHubHost
from depthbridge.engines.download import DownloadSettings
from depthbridge.engines.fetch import FetchSettings, plan_fetch
from depthbridge.engines.fetch import fetch as fetch_planned
from depthbridge.engines.model_spec import Family, InputPolicy, ModelFile, ModelSpec
from depthbridge.engines.web import RetryPolicy
from support import onnx_models as models


def settings(github: str = "https://github.invalid", timeout_s: float = 10.0) -> FetchSettings:
    """Three attempts without waiting."""
    retry = RetryPolicy(attempts=3, first_wait_s=0.0, longest_wait_s=0.05)
    return FetchSettings(DownloadSettings(timeout_s, retry), GitHubHost(github, f"{github}/api"))


def spec(*urls: str, model_id: str = "tiny") -> ModelSpec:
    """A model whose files are published at ``urls``; each keeps its name."""
    files = tuple(ModelFile(url.rpartition("/")[2], url) for url in urls)
    return ModelSpec(model_id, "Tiny", Family.DA2_RELATIVE, InputPolicy.for_family(Family.DA2_RELATIVE), None, "CC0-1.0", files=files)


def fetch(wanted: ModelSpec, folder: Path, *, accept_change: bool = False, using: FetchSettings | None = None, **more: object) -> Path:
    """Plans and fetches; the path of the graph."""
    plan = plan_fetch(wanted, folder, accept_change=accept_change, settings=using or settings())
    return fetch_planned(plan, **more).path  # type: ignore[arg-type]


def onnx_bytes(folder: Path, seed: int = 0, weights: int = 10_000) -> bytes:
    """An ONNX model of a little more than four times ``weights`` bytes; every ``seed`` gives another of the same size."""
    graph = models.Graph("image", [1, 3, "h", "w"])
    table = np.random.default_rng(seed).standard_normal(weights).astype(np.float32)
    graph.constant("table", table)
    graph.output(graph.squeeze(graph.node("Relu", [graph.mean()], "relu"), 1, "map"), "depth", [1, "h", "w"])
    path = folder / "built.onnx"
    content = graph.save(path).read_bytes()
    path.unlink()
    return content


def split_model(folder: Path, location: str = "model.onnx_data") -> tuple[bytes, bytes]:
    """A graph whose weights lie in the file ``location``, and that file."""
    path = folder / "split.onnx"
    models.da3_main(path, external="weights.bin")
    data = (folder / "weights.bin").read_bytes()
    import onnx

    model = onnx.load(path, load_external_data=False)
    for weight in model.graph.initializer:
        for entry in weight.external_data:
            if entry.key == "location":
                entry.value = location
    graph = model.SerializeToString()
    path.unlink()
    (folder / "weights.bin").unlink()
    return graph, data
