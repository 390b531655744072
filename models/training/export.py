# SPDX-License-Identifier: Apache-2.0
"""Writes a trained checkpoint as ONNX and proves that the file does what the network does at many sizes and batches.

    python -m depthbridge.models.training.export --checkpoint DIR/checkpoint.pt --out models/depthbridge-mini.onnx

Large weights are stored in half precision, each with a Cast that a runtime computes once, at loading; all else stays float32.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch

from .checkpoint import load_average
from .fused import HALVED_FROM, fused, rounded
from .network import MiniDepth

OPSET = 17
MAX_BYTES = 10_000_000
OUTPUTS = ("depth", "sky", "confidence")
SIZES = ((14, 14), (14, 504), (504, 14), (28, 42), (280, 504), (294, 518), (378, 504), (504, 280), (518, 518), (700, 1036), (1036, 1036))
"""Heights and widths at which the exported file is compared with torch."""
_BATCHES = (2, 5, 8)
_BATCHED_SIZES = ((14, 14), (98, 154), (154, 98), (280, 504))
SHAPES = tuple((1, *size) for size in SIZES) + tuple((batch, *size) for batch in _BATCHES for size in _BATCHED_SIZES)
"""Batch, height and width."""
TOLERANCE = 1e-3

METADATA = {
    "depthbridge.family": "da3-metric",
    "depthbridge.model_id": "depthbridge-mini",
    "depthbridge.canonical_focal": "300",
    "depthbridge.licence": "CC0-1.0",
    "depthbridge.trained_on": "procedural scenes of this project (models/training), a few with free photographs on their walls",
}


Floats = npt.NDArray[np.float32]
Runner = Callable[[Floats], list[Floats]]
"""From an image (B, 3, H, W) to the three outputs."""


class ExportDiffers(Exception):
    """The written file does not reproduce the network."""


def load_network(checkpoint: Path, mirror: bool = False) -> MiniDepth:
    """The kept weights of a checkpoint, as the file will hold them, ready for inference."""
    network = MiniDepth(mirror)
    network.load_state_dict(load_average(checkpoint))
    return rounded(fused(network.eval()))


def write_onnx(network: MiniDepth, out: Path) -> None:
    """Exports with dynamic batch, height and width, checks the file, adds metadata; replaces `out` whole or not at all."""
    partial = out.with_suffix(".partial.onnx")
    torch.onnx.export(
        network,
        (torch.rand(2, 3, 280, 504),),
        str(partial),
        input_names=["image"],
        output_names=list(OUTPUTS),
        dynamic_axes={name: {0: "batch", 2: "height", 3: "width"} for name in ("image", *OUTPUTS)},
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load(partial)
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[1].dim_value = 1
    halve_weights(model)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, METADATA)
    model.ir_version = min(model.ir_version, 10)
    model.doc_string = "depthbridge-mini: canonical depth (metres = depth * f / 300), sky (high on sky), confidence (1 is the lowest)"
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, partial)
    partial.replace(out)


def halve_weights(model: onnx.ModelProto) -> None:
    """Stores large float32 weights as float16, each followed by a Cast that gives back the name the graph knows."""
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or int(np.prod(weight.dims)) < HALVED_FROM:
            continue
        name, stored = weight.name, f"{weight.name}.half"
        values = onnx.numpy_helper.to_array(weight).astype(np.float16)
        weight.CopyFrom(onnx.numpy_helper.from_array(values, stored))
        casts.append(onnx.helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


def deviation(found: list[Floats], wanted: list[Floats]) -> float:
    """Largest, relative for depth and confidence, absolute for sky."""
    relative = [np.abs(found[i] / wanted[i] - 1).max() for i in (0, 2)]
    return float(max(*relative, np.abs(found[1] - wanted[1]).max()))


def onnxruntime_runner(path: Path) -> Runner:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda image: [np.asarray(layer) for layer in session.run(list(OUTPUTS), {"image": image})]


def openvino_runner(path: Path) -> Runner | None:
    """In float32, as far as the processor has other habits; None where OpenVINO is not installed."""
    try:
        import openvino
    except ImportError:
        return None
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(image: Floats) -> list[Floats]:
        found = compiled({"image": image})
        return [np.array(found[name]) for name in OUTPUTS]

    return run


def compare(network: MiniDepth, run: Runner) -> float:
    """Largest deviation from torch over all sizes and batches, smallest first, of the network as `load_network` gives it.

    Raises `ExportDiffers` above `TOLERANCE`.
    """
    generator = np.random.Generator(np.random.PCG64(0))
    worst = 0.0
    for batch, height, width in SHAPES:
        image = generator.standard_normal((batch, 3, height, width)).astype(np.float32)
        with torch.no_grad():
            wanted = [t.numpy() for t in network(torch.from_numpy(image))]
        found = run(image)
        if any(layer.shape != (batch, 1, height, width) for layer in found):
            raise ExportDiffers(f"{batch}x3x{height}x{width} gives {[layer.shape for layer in found]}")
        worst = max(worst, deviation(found, wanted))
    if not worst < TOLERANCE:
        raise ExportDiffers(f"deviates from torch by {worst:.2e}")
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--mirror", action="store_true", help="a graph that looks twice, once mirrored: twice the time")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    network = load_network(given.checkpoint, given.mirror)
    write_onnx(network, given.out)
    runners = {"onnxruntime": onnxruntime_runner(given.out), "openvino": openvino_runner(given.out)}
    for name, run in runners.items():
        print(f"{name}: " + (f"at most {compare(network, run):.1e} from torch over {len(SHAPES)} shapes" if run else "not installed"))
    size, count = given.out.stat().st_size, sum(p.numel() for p in network.parameters())
    if size > MAX_BYTES:
        raise ExportDiffers(f"{given.out.name} has {size} bytes, more than {MAX_BYTES}")
    print(f"{given.out.name}: {size / 1e6:.2f} MB, {count} parameters")


if __name__ == "__main__":
    main()
