# SPDX-License-Identifier: Apache-2.0
"""Network, losses, training and export, where torch is installed (the `training` extra)."""

from __future__ import annotations

import copy
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

if "bpy" in sys.modules:  # continuous integration gives this file a process of its own
    pytest.skip("torch and Blender each bring an LLVM, and in one process they crash: run this file by itself", allow_module_level=True)
torch = pytest.importorskip("torch", reason="training takes the training extra (torch)")

from depthbridge.models.training import augment, doubling, losses, steepening, train  # noqa: E402
from depthbridge.models.training.checkpoint import Run, own_statistics, split_parameters  # noqa: E402
from depthbridge.models.training.network import MiniDepth  # noqa: E402
from depthbridge.models.training.orthogonal import orthogonalised  # noqa: E402
from depthbridge.models.training.plan import Plan, Stage  # noqa: E402
from depthbridge.models.training.shards import Source  # noqa: E402

PLAN = Plan((Stage(0.5, 4, 4), Stage(1.0, 2, 2)), warm_up=2, save_every=2)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def shards(tmp_path: Path) -> Source:
    dice = np.random.Generator(np.random.PCG64(3))
    for first in (0, 8):
        arrays = {"rgb_56x70": dice.integers(0, 256, (8, 56, 70, 3)).astype(np.uint8), "depth_56x70": dice.uniform(0.5, 9, (8, 56, 70)).astype(np.float16)}
        np.savez(tmp_path / f"shard_{first:08d}.npz", **arrays)
    return Source(tmp_path)


def weights(run: Run) -> list[np.ndarray]:
    return [value.numpy().copy() for net in (run.network, run.average) for value in net.state_dict().values()]


def test_a_run_that_was_stopped_ends_with_the_weights_it_would_have_had(shards: Source, tmp_path: Path) -> None:
    whole = train.train(PLAN, [shards], [shards], tmp_path / "whole")
    halfway = tmp_path / "parts" / "checkpoint.pt"

    def stop_after_the_first_save(log: Path, curve: Path) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train, "write_curve", stop_after_the_first_save)
        train.train(PLAN, [shards], [shards], tmp_path / "parts")
    assert torch.load(halfway, weights_only=True)["step"] == 2
    resumed = train.train(PLAN, [shards], [shards], tmp_path / "parts")
    assert resumed.step == whole.step == 6
    assert all(np.array_equal(a, b) for a, b in zip(weights(whole), weights(resumed), strict=True))
    rows = [json.loads(line) for line in (tmp_path / "parts" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4, 6] and (tmp_path / "parts" / "curve.svg").exists()


def test_another_seed_is_another_run(shards: Source, tmp_path: Path) -> None:
    short = (Stage(0.5, 2, 4),)
    first, second = (train.train(Plan(short, seed=seed), [shards], [shards], tmp_path / str(seed)) for seed in (0, 1))
    assert not np.array_equal(weights(first)[0], weights(second)[0])


def test_shards_that_came_meanwhile_are_taken_in_at_the_next_save(shards: Source, tmp_path: Path) -> None:
    def one_more(log: Path, curve: Path) -> None:
        np.savez(tmp_path / "shard_00000016.npz", rgb_56x70=np.zeros((8, 56, 70, 3), np.uint8), depth_56x70=np.ones((8, 56, 70), np.float16))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "write_curve", one_more)
        train.train(PLAN, [shards], [shards], tmp_path / "run")
    assert [json.loads(line)["pictures"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()] == [16, 24, 24]


def test_the_running_mean_has_statistics_of_its_own() -> None:
    torch.manual_seed(0)
    network = MiniDepth()
    pictures = [torch.randn(4, 3, 28, 42) * 3 + 5 for _ in range(3)]
    with own_statistics(network):
        for picture in pictures:
            network.coarse(picture)
    norm, inside = network.enter[1], network.enter[0]
    with torch.no_grad():
        expected = torch.stack([inside(picture).mean((0, 2, 3)) for picture in pictures]).mean(0)
    assert torch.allclose(norm.running_mean, expected, atol=1e-4) and norm.momentum == 0.1 and not network.training


def test_every_parameter_has_one_optimiser() -> None:
    network = MiniDepth()
    matrices, others = split_parameters(network)
    assert {id(p) for p in (*matrices, *others)} == {id(p) for p in network.parameters()} and all(p.ndim > 1 for p in matrices)
    assert len(matrices) + len(others) == len(list(network.parameters()))


@pytest.mark.parametrize("shape", [(20, 60), (60, 20), (30, 30)])
def test_updates_are_near_orthogonal_and_point_where_the_momentum_does(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    found = orthogonalised(matrix)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.4 and values.max() < 1.4
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    nearest = left @ right
    assert float((found * nearest).sum() / found.norm() / nearest.norm()) > 0.97


# ---- doubling ----


def test_doubling_begins_as_bilinear_interpolation() -> None:
    step = doubling.Doubling(3)
    coarse, guide = torch.rand(2, 3, 5, 7), torch.rand(2, 3, 10, 14)
    bilinear = torch.nn.functional.interpolate(coarse, scale_factor=2, mode="bilinear")
    assert torch.allclose(step(coarse, guide), bilinear, atol=5e-3)


def _random_doubling() -> doubling.Doubling:
    torch.manual_seed(1)
    step = doubling.Doubling(3)
    torch.nn.init.normal_(step.weigh.weight)
    return step


def test_no_value_leaves_the_range_of_its_surroundings() -> None:
    coarse, guide = torch.randn(2, 3, 6, 9), torch.randn(2, 3, 12, 18)
    with torch.no_grad():
        fine = _random_doubling()(coarse, guide)
    around = doubling.neighbours(coarse).reshape(2, 3, 9, 6, 9)
    low, high = (bound.repeat_interleave(2, -1).repeat_interleave(2, -2) for bound in (around.amin(2), around.amax(2)))
    assert fine.shape == (2, 3, 12, 18) and (fine >= low - 1e-5).all() and (fine <= high + 1e-5).all()


def test_depth_of_another_scale_is_doubled_alike() -> None:
    coarse, guide = torch.randn(1, 3, 6, 9), torch.randn(1, 3, 12, 18)
    farther = coarse + torch.tensor([3.0, 0, 0]).view(1, 3, 1, 1)
    step = _random_doubling()
    with torch.no_grad():
        moved = step(farther, guide) - step(coarse, guide)
    assert torch.allclose(moved[:, 0], torch.tensor(3.0), atol=1e-4) and torch.allclose(moved[:, 1:], torch.tensor(0.0), atol=1e-4)


def test_neighbours_by_hand() -> None:
    grid = torch.arange(6.0).view(1, 1, 2, 3)
    assert doubling.neighbours(grid)[0, :, 0, 1].tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 5]


# ---- steeper edges ----


def test_a_ramp_between_two_depths_becomes_steeper_where_it_was_and_is_never_overshot() -> None:
    ramp = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 1.0, 1.0, 1.0]).expand(7, 13)[None, None]
    found = steepening.steeper(ramp)[0, 0, 3]
    assert found[6] == 0.5 and found[5] < 0.3 and found[7] > 0.7
    assert (found[:4] == 0).all() and (found[9:] == 1).all() and (found.diff() >= 0).all()
    assert float(found.diff().max()) > 1.2 * 0.2


def test_what_rises_evenly_stays_and_so_does_what_is_flat() -> None:
    slope = torch.arange(12.0)[None, :] * 0.25 + torch.arange(9.0)[:, None] * 0.5
    found = steepening.steeper(slope[None, None])[0, 0]
    assert torch.equal(found[2:-2, 2:-2], slope[2:-2, 2:-2])
    assert torch.equal(steepening.steeper(torch.full((2, 1, 5, 6), 0.7)), torch.full((2, 1, 5, 6), 0.7))


def test_steeper_values_stay_within_their_window_and_know_no_scale() -> None:
    logs = torch.randn(2, 1, 11, 8, generator=torch.Generator().manual_seed(5))
    found = steepening.steeper(logs)
    for y, x in ((0, 0), (5, 4), (10, 7)):
        window = logs[:, 0, max(0, y - 2) : y + 3, max(0, x - 2) : x + 3].flatten(1)
        middle = (window.amin(1) + window.amax(1)) / 2
        wanted = (middle + 2 * (logs[:, 0, y, x] - middle)).clamp(window.amin(1), window.amax(1))
        assert torch.allclose(found[:, 0, y, x], wanted, atol=1e-6)
    assert torch.allclose(steepening.steeper(logs + 3), found + 3, atol=1e-5)


def test_a_small_change_stays_small_at_edges_too() -> None:
    """Two runtimes differ in the last digits; a hard toggle would turn that into whole steps of depth."""
    dice = torch.Generator().manual_seed(6)
    logs = torch.randn(1, 1, 150, 150, generator=dice)
    off = logs + 1e-3 * (2 * torch.rand(logs.shape, generator=dice) - 1)
    assert float((steepening.steeper(off) - steepening.steeper(logs)).abs().max()) <= 3.001e-3



# ---- losses and augmentation ----


def maps_of(target: torch.Tensor, factor: float = 1.0) -> torch.Tensor:
    """What a perfect network says, times a factor."""
    seen = target > 0
    depth = torch.where(seen, target.clamp_min(0.02).log() + math.log(factor), 0.0)
    return torch.stack([depth, torch.where(seen, -20.0, 20.0), torch.full_like(depth, -3.0)], 1)


def scene() -> torch.Tensor:
    torch.manual_seed(2)
    target = torch.rand(3, 30, 40) * 4 + 1
    target[:, :8] = 0
    target[:, 15:, 20:] += 6
    return target


def test_a_perfect_network_has_nothing_to_lose_and_one_scale_costs_the_metric_part_alone() -> None:
    target = scene()
    perfect, scaled = losses.depth_losses(maps_of(target), target).parts, losses.depth_losses(maps_of(target, 1.5), target).parts
    for name in ("metric", "shape", "gradient", "sky"):
        assert float(perfect[name]) == pytest.approx(0, abs=1e-4)
    assert float(scaled["metric"]) == pytest.approx((math.log(1.5) + 0.5) / 2, rel=1e-3)
    for name in ("shape", "gradient", "sky"):
        assert float(scaled[name]) == pytest.approx(0, abs=1e-3)


def test_depth_on_sky_does_not_matter() -> None:
    target = scene()
    maps = maps_of(target)
    wild = maps.clone()
    wild[:, 0, :8] = 7
    assert losses.depth_losses(wild, target).total == pytest.approx(float(losses.depth_losses(maps, target).total), abs=1e-6)


def test_the_expected_error_is_learned_without_touching_depth() -> None:
    target = scene()
    maps = (maps_of(target) + 0.3 * torch.randn(3, 3, 30, 40)).requires_grad_()
    losses.depth_losses(maps, target).total.backward()
    alone = maps.grad.clone()
    maps.grad = None
    wider = maps.detach().clone()
    wider[:, 2] += 1
    wider.requires_grad_()
    losses.depth_losses(wider, target).total.backward()
    assert torch.equal(alone[:, 0], wider.grad[:, 0]) and not torch.equal(alone[:, 2], wider.grad[:, 2])


def test_the_likelihood_is_best_where_the_spread_is_the_error() -> None:
    target = torch.full((1, 30, 30), 2.0)
    error = torch.full((1, 30, 30), 0.2)
    error[:, ::2] *= -1

    def loss(spread: float) -> float:
        maps = torch.stack([target.log() + error, torch.full_like(error, -20), torch.full_like(error, math.log(spread))], 1)
        return float(losses.depth_losses(maps, target).parts["spread"])

    assert loss(0.2) < min(loss(0.15), loss(0.27))


def test_pixels_beside_an_edge_count_more() -> None:
    target = torch.ones(1, 20, 30)
    target[:, :, 15:] = 2
    found = losses.edge_weights(target.log(), torch.ones_like(target))
    assert set(found[0, 10, 13:17].tolist()) == {1 + losses.EDGE_GAIN} and set(found[0, 10, :12].tolist()) == {1.0}


@pytest.mark.parametrize("factor", [0.5, 1.0])
def test_pictures_of_another_size_keep_metres(factor: float) -> None:
    """A wall 3 m away under f = 100: canonical depth is metres * 300 / f, whatever is cut or shrunk."""
    metres, focal = 3.0, 100.0
    rgb, depth = torch.rand(2, 3, 56, 98), torch.full((2, 56, 98), metres * 300 / focal)
    ramp = torch.linspace(0, 1, 98).expand(2, 3, 56, 98)
    for seed in range(8):
        small, target = augment.reframed(ramp, depth, factor, torch.Generator().manual_seed(seed))
        slope = float((small[0, 0, 10, -8] - small[0, 0, 10, 8]) / (small.shape[-1] - 16))
        grown = (1 / 97) / slope  # how much wider a pixel of the old picture is now: the focal length's own factor
        assert float(target[0, 5, 5]) == pytest.approx(metres * 300 / (focal * grown), rel=0.02)
    assert rgb.shape == (2, 3, 56, 98)


def test_a_mirrored_picture_has_mirrored_depth() -> None:
    depth = torch.linspace(1, 2, 42).expand(16, 28, 42)
    rgb = (depth / 2)[:, None].expand(16, 3, 28, 42)
    dice = torch.Generator().manual_seed(5)
    seen, target = augment.augmented(rgb, depth, 1.0, dice)
    rises = (target[:, 3, -3] > target[:, 3, 3]), (seen[:, :, :, -6:].mean((1, 2, 3)) > seen[:, :, :, :6].mean((1, 2, 3)))
    assert torch.equal(*rises) and 0 < int(rises[0].sum()) < 16


# ---- export ----


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[MiniDepth, Path]:
    """A network whose every layer says something, and its file."""
    pytest.importorskip("onnx")
    from depthbridge.models.training import export

    torch.manual_seed(0)
    network = MiniDepth()
    torch.nn.init.normal_(network.finer.weigh.weight, std=0.2)
    with own_statistics(network):
        network.coarse(torch.randn(4, 3, 70, 126))
    folder = tmp_path_factory.mktemp("export")
    torch.save({"average": network.state_dict()}, folder / "checkpoint.pt")
    held = export.load_network(folder / "checkpoint.pt")
    export.write_onnx(held, folder / "mini.onnx")
    return held, folder / "mini.onnx"


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_the_file_does_what_the_network_does_at_any_size_and_batch(exported: tuple[MiniDepth, Path], runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a single cell on: OpenVINO has answered with the first size's layout, or with the batch of a constant."""
    from depthbridge.models.training import export

    small = [shape for shape in export.SHAPES if shape[0] * shape[1] * shape[2] < 300_000]
    monkeypatch.setattr(export, "SHAPES", small)
    network, path = exported
    run = export.onnxruntime_runner(path) if runtime == "onnxruntime" else export.openvino_runner(path)
    if run is None:
        pytest.skip("OpenVINO is not installed")
    assert {shape[0] for shape in small} == {1, 2, 5, 8} and len({shape[1:] for shape in small}) >= 10 and small[0] == (1, 14, 14)
    assert export.compare(network, run) < 1e-4


def test_the_file_is_small_and_plain(exported: tuple[MiniDepth, Path]) -> None:
    import onnx

    _, path = exported
    model = onnx.load(path)
    assert path.stat().st_size <= 10_000_000 and model.opset_import[0].version == 17
    assert {node.domain for node in model.graph.node} == {""}
    assert not {"Loop", "If", "Scan", "GridSample", "Einsum", "NonZero", "ScatterND", "Where"} & {node.op_type for node in model.graph.node}
    assert [output.name for output in model.graph.output] == ["depth", "sky", "confidence"]
    assert {entry.key: entry.value for entry in model.metadata_props}["depthbridge.family"] == "da3-metric"


def test_what_the_outputs_mean(exported: tuple[MiniDepth, Path]) -> None:
    """Confidence is 1 + 1/b on ground and falls to 1, the lowest, on sky."""
    network, _ = exported
    with torch.no_grad():
        depth, sky, confidence = network(torch.randn(2, 3, 70, 98))
    assert (depth > 0).all() and (sky >= 0).all() and (sky <= 1).all()
    assert (confidence >= 1).all() and (confidence <= 1 + (1 - sky) * math.exp(4) + 1e-3).all()
    overcast = copy.deepcopy(network)
    overcast.head.bias.data[1] = 60
    with torch.no_grad():
        _, sky, confidence = overcast(torch.randn(1, 3, 70, 98))
    assert (sky == 1).all() and (confidence == 1).all()


def test_mirroring_pictures_mirrors_estimates_of_the_graph_that_looks_twice() -> None:
    torch.manual_seed(0)
    network = MiniDepth(mirror=True).eval()
    torch.nn.init.zeros_(network.finer.weigh.weight)
    image = torch.randn(1, 3, 112, 112)
    with torch.no_grad():
        seen, mirrored = network(image)[0], network(image.flip(-1))[0]
    assert torch.allclose(seen, mirrored.flip(-1), rtol=1e-3)


def test_fusing_and_rounding_keep_what_the_network_says() -> None:
    from depthbridge.models.training.fused import fused, rounded

    torch.manual_seed(0)
    network = MiniDepth()
    with own_statistics(network):
        network.coarse(torch.randn(4, 3, 70, 126))
    image = torch.randn(1, 3, 70, 98)
    with torch.no_grad():
        plain, held = network(image), rounded(fused(network))(image)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fused(network).modules())
    assert all(torch.allclose(a, b, rtol=2e-3, atol=2e-3) for a, b in zip(plain, held, strict=True))
