# SPDX-License-Identifier: Apache-2.0
"""Writes a trained checkpoint as ONNX and proves that the file does what the network does at many sizes.

python -m depthbridge.models.training.export --checkpoint DIR/checkpoint.pt --out models/depthbridge-mini.onnx
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from .network import MiniDepth

OPSET = 17
MAX_BYTES = 8 * 2**20
SIZES = (
    (14, 14),
    (14, 504),
    (504, 14),
    (280, 504),
    (378, 504),
    (504, 504),
    (504, 280),
    (518, 518),
    (700, 1036),
    (1036, 1036),
)
"""Heights and widths at which the exported file is compared with torch."""

METADATA = {
    "depthbridge.family": "da3-metric",
    "depthbridge.model_id": "depthbridge-mini",
    "depthbridge.canonical_focal": "300",
    "depthbridge.licence": "CC0-1.0",
    "depthbridge.trained_on": "procedural ray-cast scenes of this project (models/training), no photographs",
}


class ExportDiffers(Exception):
    """The written file does not reproduce the network."""


def load_network(checkpoint: Path, pool: int) -> MiniDepth:
    """The weights of a checkpoint, ready for inference on pictures averaged over `pool` pixels."""
    network = MiniDepth(pool)
    network.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["network"])
    return network.eval()


def write_onnx(network: MiniDepth, out: Path) -> None:
    """Exports with dynamic height and width, checks the file, adds metadata; replaces `out` whole or not at all."""
    partial = out.with_suffix(".partial.onnx")
    torch.onnx.export(
        network,
        (torch.rand(1, 3, 280, 504),),
        str(partial),
        input_names=["image"],
        output_names=["depth", "sky"],
        dynamic_axes={name: {2: "height", 3: "width"} for name in ("image", "depth", "sky")},
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load(partial)
    for output in model.graph.output:
        for axis, dim in enumerate(output.type.tensor_type.shape.dim):
            if axis < 2:
                dim.dim_value = 1
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, METADATA)
    model.ir_version = min(model.ir_version, 10)
    model.doc_string = "depthbridge-mini: canonical depth (metres = depth * f / 300) and sky (high on sky)"
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, partial)
    partial.replace(out)


def compare(network: MiniDepth, path: Path) -> float:
    """Largest deviation from torch over `SIZES` (depth relative, sky absolute); raises `ExportDiffers` above 1e-3."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    generator = np.random.Generator(np.random.PCG64(0))
    worst = 0.0
    for height, width in SIZES:
        image = generator.standard_normal((1, 3, height, width)).astype(np.float32)
        with torch.no_grad():
            wanted = [t.numpy() for t in network(torch.from_numpy(image))]
        depth, sky = (np.asarray(a) for a in session.run(["depth", "sky"], {"image": image}))
        if depth.shape != (1, 1, height, width) or sky.shape != depth.shape:
            raise ExportDiffers(f"{height}x{width} gives depth {depth.shape} and sky {sky.shape}")
        worst = max(worst, float(np.abs(depth / wanted[0] - 1).max()), float(np.abs(sky - wanted[1]).max()))
    if not worst < 1e-3:
        raise ExportDiffers(f"deviates from torch by {worst:.2e}")
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--pool", type=int, default=2, help="4 for a checkpoint trained with --factor 0.5")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    network = load_network(arguments.checkpoint, arguments.pool)
    write_onnx(network, arguments.out)
    worst = compare(network, arguments.out)
    size = arguments.out.stat().st_size
    if size > MAX_BYTES:
        raise ExportDiffers(f"{arguments.out.name} has {size} bytes, more than {MAX_BYTES}")
    print(
        f"{arguments.out.name}: {size / 1e6:.2f} MB, at most {worst:.1e} from torch over {len(SIZES)} sizes"
    )


if __name__ == "__main__":
    main()
