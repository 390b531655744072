# SPDX-License-Identifier: Apache-2.0
"""Every published signature is recognised, fed and read; what cannot work is refused with its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import CameraError, ImageError, ModelError, RuntimeUnavailableError
from depthbridge.engines.images import DecodedImage
from depthbridge.engines.model_spec import Family, InputPolicy, ModelSpec, ResizeMethod
from depthbridge.engines.postprocess import fill_sky
from support import onnx_models as models

GREY = np.full((280, 504, 3), 100, np.uint8)
GREY_MEAN = float(models.expected_mean(np.array([100, 100, 100])))
CAMERA = CameraIntrinsics.from_vertical_fov(60, 504, 280)


def recognised(path: Path) -> tuple[str, str]:
    with DepthEngine.open(path) as engine:
        return engine.info.family, engine.info.evidence


def spec_of(family: Family, **more: object) -> ModelSpec:
    return ModelSpec("given", "given", family, InputPolicy.for_family(family), None, "none", **more)  # type: ignore[arg-type]


# ---- families and signatures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "build", "expected"),
    [
        # Depth Anything 1 and 2, relative: the names tell, else the Relu at the end.
        ("depth_anything_vits14.onnx", lambda p: models.da2_relative(p, name=("image", "depth"), rank=4, batch=1), "da2-relative"),
        ("depth_anything_v2_vits_dynamic.onnx", lambda p: models.da2_relative(p, name=("image", "depth")), "da2-relative"),
        ("unnamed.onnx", lambda p: models.da2_relative(p, name=("arg0_1", "add_152"), shape=(518, 518), batch=1, opset=18), "da2-relative"),
        ("spacewalk.onnx", lambda p: models.da2_relative(p, name=("input", "output"), rank=4, shape=(518, 518), batch=1, opset=11), "da2-relative"),
        ("model.onnx", models.da2_relative, "da2-relative"),
        ("model_fp16.onnx", lambda p: models.da2_relative(p, dtype=models.HALF), "da2-relative"),
        # Metric 2: the multiplication is inside the graph.
        ("depth_anything_v2_vits_indoor_dynamic.onnx", models.da2_metric, "da2-metric"),
        ("depth_anything_v2_vitb_outdoor_dynamic.onnx", lambda p: models.da2_metric(p, 80.0), "da2-metric"),
        ("unnamed_metric_graph.onnx", models.da2_metric, "da2-metric"),
        ("whatever.onnx", models.da2_metric, "da2-metric"),
        # Depth Anything 3.
        ("DA3METRIC-LARGE.onnx", models.da3_single, "da3-metric"),
        ("DA3METRIC-LARGE.fp16-batch1.onnx", lambda p: models.da3_single(p, depth_name="metric_depth"), "da3-metric"),
        ("da3mono-large.onnx", models.da3_single, "da3-mono"),
        ("unnamed_sky.onnx", models.da3_single, "da3-mono"),
        ("depth-anything-v3-small.onnx", models.da3_main, "da3"),
        ("model.onnx", models.da3_main, "da3"),
        ("da3_onnx.onnx", lambda p: models.da3_main(p, views="n", size=(280, 504), extras=False, names=("image", "depth", "")), "da3"),
        ("DA3-SMALL-504.onnx", lambda p: models.da3_single(p, sky=False, size=(504, 504)), "da3"),
        ("da3nested-giant-large.onnx", models.da3_main, "da3-nested"),
        ("model.onnx", models.nhwc_bytes, "da3"),
    ],
)  # fmt: skip
def test_families_are_recognised_and_run(file: str, build, expected: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with DepthEngine.open(build(tmp_path / file)) as engine:
        assert engine.info.family == expected
        depth = engine.estimate(GREY, CAMERA)
    assert depth.values.shape == (280, 504)
    assert depth.valid.all()
    assert depth.kind == Family(expected).kind


def test_a_name_that_the_graph_denies_is_not_believed(tmp_path: Path) -> None:
    with DepthEngine.open(models.da2_relative(tmp_path / "depth_anything_v2_metric_hypersim.onnx")) as engine:
        assert engine.info.family == "da2-relative"
        assert "the graph is believed" in engine.info.notes[0]


@pytest.mark.parametrize("last", ["Softplus", "Tanh"])
def test_an_unknown_graph_is_taken_as_relative_and_says_so(last: str, tmp_path: Path) -> None:
    graph = models.Graph("image", [1, 3, "h", "w"])
    graph.output(graph.node("Abs", [graph.node(last, [graph.mean()], "last")], "abs"), "depth", [1, 1, "h", "w"])
    with DepthEngine.open(graph.save(tmp_path / "m.onnx")) as engine:
        assert (engine.info.family, engine.estimate(GREY, CAMERA).kind) == ("unknown", DepthKind.RELATIVE)
        assert "models add" in engine.info.notes[0]


def test_the_tail_is_found_through_casts_products_and_quotients(tmp_path: Path) -> None:
    """As half-precision converters leave it: the constant behind a cast, a division, a reshape."""
    graph = models.Graph("image", [1, 3, 28, 28])
    value = graph.node("Cast", [graph.node("Sigmoid", [graph.mean()], "sigmoid")], "half", to=models.HALF)
    factor = graph.node("Cast", [graph.constant("forty", np.float32(40))], "forty_half", to=models.HALF)
    value = graph.node("Cast", [graph.node("Mul", [factor, value], "product")], "single", to=models.FLOAT)
    value = graph.node("Div", [value, graph.scalar("two", 2.0)], "quotient")
    graph.output(graph.squeeze(value, 1, "map"), "depth", [1, 28, 28])
    with DepthEngine.open(graph.save(tmp_path / "m.onnx")) as engine:
        assert (engine.info.family, engine.spec.max_depth_m) == ("da2-metric", 20)


def test_outputs_are_bound_by_name_whatever_their_order(tmp_path: Path) -> None:
    """Sky first, depth last, matrices without names between: an index would take the sky for the depth."""
    graph = models.Graph("image", [1, 3, 280, 504])
    mean = graph.mean()
    graph.output(graph.node("Mul", [mean, graph.scalar("zero", 0.0)], "no_sky"), "sky", [1, 1, 280, 504])
    graph.output(graph.constant("k", np.array([[[400, 0, 252], [0, 400, 140], [0, 0, 1]]], np.float32)), "out_7", [1, 3, 3])
    graph.output(graph.node("Exp", [mean], "exp"), "depth", [1, 1, 280, 504])
    with DepthEngine.open(graph.save(tmp_path / "da3mono.onnx")) as engine:
        depth = engine.estimate(GREY)
    assert depth.values == pytest.approx(np.exp(GREY_MEAN), rel=1e-4)
    assert depth.camera is not None
    assert depth.camera.fx == pytest.approx(400)


def test_metadata_beats_the_file_name(tmp_path: Path) -> None:
    path = models.da3_single(tmp_path / "da3mono.onnx", metadata={"depthbridge.family": "da3-metric", "depthbridge.canonical_focal": "600"})
    with DepthEngine.open(path) as engine:
        assert (engine.info.family, engine.info.evidence, engine.spec.canonical_focal_px) == ("da3-metric", "metadata", 600)


def test_a_given_spec_beats_everything(tmp_path: Path) -> None:
    path = models.da3_single(tmp_path / "da3metric.onnx")
    with DepthEngine.open(path, spec=spec_of(Family.DA3_MONO)) as engine:
        assert engine.estimate(GREY, CAMERA).kind is DepthKind.RELATIVE


# ---- what the numbers become ----------------------------------------------------------------------------------------


def test_disparity_stays_disparity(tmp_path: Path) -> None:
    with DepthEngine.open(models.da2_relative(tmp_path / "m.onnx")) as engine:
        depth = engine.estimate(GREY, CAMERA)
    assert depth.kind is DepthKind.DISPARITY
    assert depth.values == pytest.approx(GREY_MEAN + 2, rel=1e-4)
    assert depth.focal_px is None


@pytest.mark.parametrize("most", [20.0, 80.0])
def test_da2_metric_is_metres(most: float, tmp_path: Path) -> None:
    with DepthEngine.open(models.da2_metric(tmp_path / "m.onnx", most)) as engine:
        depth = engine.estimate(GREY)
        assert engine.spec.max_depth_m == most
    assert depth.kind is DepthKind.METRIC
    assert depth.values == pytest.approx(most / (1 + np.exp(-GREY_MEAN)), rel=1e-4)


def test_da3_metric_scales_by_the_focal_of_the_processed_picture(tmp_path: Path) -> None:
    """1920x1080 at f = 1500 px: processed focal 391.32, factor 1.3044; the original's focal would be 3.83 times too far."""
    image = np.full((1080, 1920, 3), 100, np.uint8)
    camera = CameraIntrinsics(1500, 1500, 960, 540, 1920, 1080)
    with DepthEngine.open(models.da3_single(tmp_path / "da3metric.onnx")) as engine:
        depth = engine.estimate(image, camera)
    assert depth.kind is DepthKind.METRIC
    assert depth.focal_px == pytest.approx(391.319, abs=1e-3)
    assert depth.values == pytest.approx(np.exp(GREY_MEAN / 4) * 1.3044, rel=1e-4)
    assert (depth.camera, depth.camera_source) == (camera, CameraSource.GIVEN)


def test_da3_metric_without_a_camera_is_relative_and_says_how_to_get_metres(tmp_path: Path) -> None:
    with DepthEngine.open(models.da3_single(tmp_path / "da3metric.onnx")) as engine:
        depth = engine.estimate(GREY)
    assert depth.kind is DepthKind.RELATIVE
    assert depth.camera_source is CameraSource.NONE
    assert "--fov-v" in (depth.scale_note or "")
    assert depth.values == pytest.approx(np.exp(GREY_MEAN / 4), rel=1e-4)


def test_mono_is_relative_even_with_a_camera(tmp_path: Path) -> None:
    with DepthEngine.open(models.da3_single(tmp_path / "da3mono.onnx")) as engine:
        depth = engine.estimate(GREY, CAMERA)
    assert (depth.kind, depth.focal_px) == (DepthKind.RELATIVE, None)
    assert depth.camera == CAMERA


def test_main_series_carries_confidence_pose_and_its_own_camera(tmp_path: Path) -> None:
    image = np.full((560, 1008, 3), 100, np.uint8)
    with DepthEngine.open(models.da3_main(tmp_path / "m.onnx")) as engine:
        depth = engine.estimate(image)
    assert depth.confidence is not None
    assert depth.confidence == pytest.approx(1 + np.exp(GREY_MEAN), rel=1e-4)
    assert depth.extrinsics is not None
    assert depth.extrinsics[:, 3] == pytest.approx([0.5, 0, 0])
    # 400 px and (252, 140) of the processed 504x280 picture, twice that in the 1008x560 one.
    assert depth.camera == CameraIntrinsics(800, 800, 504, 280, 1008, 560)
    assert depth.camera_source is CameraSource.MODEL


def test_a_predicted_camera_that_is_none_is_not_believed(tmp_path: Path) -> None:
    with DepthEngine.open(models.da3_main(tmp_path / "m.onnx", focal=1.4e8)) as engine:
        depth = engine.estimate(GREY)
    assert (depth.camera, depth.camera_source) == (None, CameraSource.NONE)


def test_the_given_camera_comes_before_exif_and_exif_before_the_models(tmp_path: Path) -> None:
    exif = CameraIntrinsics.from_vertical_fov(40, 504, 280)
    picture = DecodedImage(GREY, exif, "p")
    with DepthEngine.open(models.da3_main(tmp_path / "m.onnx")) as engine:
        assert engine.estimate(picture, CAMERA).camera_source is CameraSource.GIVEN
        seen = engine.estimate(picture)
        assert (seen.camera, seen.camera_source) == (exif, CameraSource.EXIF)
        assert engine.estimate(DecodedImage(GREY, None, "p")).camera_source is CameraSource.MODEL


def half_sky() -> np.ndarray:
    """Bright above (the tiny graphs call it sky), dark ramp below."""
    image = np.full((280, 504, 3), 250, np.uint8)
    image[140:] = np.linspace(20, 120, 140)[:, None, None].astype(np.uint8)
    return image


def test_sky_is_filled_with_the_exact_99th_percentile(tmp_path: Path) -> None:
    image = half_sky()
    with DepthEngine.open(models.da3_single(tmp_path / "da3metric.onnx")) as engine:
        depth = engine.estimate(image, CAMERA, resolution="network")
    raw = np.exp(models.expected_mean(image) / 4) * CAMERA.mean_focal_px / 300
    assert depth.sky_mask[:140].all()
    assert not depth.sky_mask[140:].any()
    assert depth.values[140:] == pytest.approx(raw[140:], rel=1e-4)
    assert depth.values[:140] == pytest.approx(np.quantile(raw[140:], 0.99), rel=1e-4)
    assert not depth.valid[:140].any()


@pytest.mark.parametrize(("sky_pixels", "filled"), [(0, False), (10, False), (11, True), (389, True), (390, False), (400, False)])
def test_sky_fill_has_both_guards(sky_pixels: int, filled: bool) -> None:
    depth = np.linspace(1, 2, 400, dtype=np.float32).reshape(20, 20)
    sky = np.zeros(400, np.float32)
    sky[:sky_pixels] = 1.0
    before = depth.copy()
    assert fill_sky(depth, sky.reshape(20, 20)) == filled
    assert (depth != before).any() == filled


def test_broken_pixels_do_not_spread(tmp_path: Path) -> None:
    """A pixel whose half-precision value overflowed is not valid, and neither is what it was averaged into."""
    graph = models.Graph("pixel_values", [1, 3, 28, 28])
    table = np.zeros((1, 1, 28, 28), np.float32)
    table[0, 0, 10, 20] = np.inf
    value = graph.node("Exp", [graph.node("Add", [graph.mean(), graph.constant("t", table)], "a")], "e")
    graph.output(value, "depth", [1, 1, 28, 28])
    with DepthEngine.open(graph.save(tmp_path / "da3.onnx")) as engine:
        depth = engine.estimate(np.full((56, 56, 3), 100, np.uint8))
    assert np.isfinite(depth.values).all()
    assert not depth.valid[20:22, 40:42].any()
    assert depth.valid.sum() >= 56 * 56 - 16
    assert depth.values[depth.valid] == pytest.approx(np.exp(GREY_MEAN), rel=1e-4)


def test_all_broken_is_refused(tmp_path: Path) -> None:
    graph = models.Graph("pixel_values", [1, 3, 28, 28])
    value = graph.node("Exp", [graph.node("Mul", [graph.mean(), graph.scalar("inf", np.nan)], "a")], "e")
    graph.output(value, "depth", [1, 1, 28, 28])
    with DepthEngine.open(graph.save(tmp_path / "da3.onnx")) as engine, pytest.raises(ModelError, match="no finite depth"):
        engine.estimate(GREY)


# ---- sizes ----------------------------------------------------------------------------------------------------------


def test_a_fixed_graph_is_obeyed_and_the_axes_scale_apart(tmp_path: Path) -> None:
    image = np.full((1000, 1000, 3), 100, np.uint8)
    camera = CameraIntrinsics(900, 900, 500, 500, 1000, 1000)
    with DepthEngine.open(models.da3_single(tmp_path / "da3metric.onnx")) as engine:
        depth = engine.estimate(image, camera)
        network = engine.estimate(image, camera, resolution="network")
    assert depth.focal_px == pytest.approx((900 * 0.504 + 900 * 0.280) / 2)
    assert network.values.shape == (280, 504)
    assert network.camera == camera.resized(504, 280)


def test_a_falsely_dynamic_graph_runs_at_the_size_it_was_traced_at(tmp_path: Path) -> None:
    image = np.full((600, 600, 3), 100, np.uint8)
    with DepthEngine.open(models.runs_only_at(tmp_path / "da3.onnx", 378, 504)) as engine:
        for _ in range(2):
            assert engine.estimate(image).values == pytest.approx(np.exp(GREY_MEAN), rel=1e-4)
        assert engine.info.fixed_size == (378, 504)
        assert "runs only at the size" in engine.info.notes[0]


def test_an_odd_trace_size_comes_from_the_spec(tmp_path: Path) -> None:
    path = models.runs_only_at(tmp_path / "da3.onnx", 266, 350)
    with DepthEngine.open(path) as engine, pytest.raises(ModelError, match="cannot run on a 504x280"):
        engine.estimate(GREY)
    with DepthEngine.open(path, spec=spec_of(Family.DA3_MAIN, trace_size=(266, 350))) as engine:
        assert engine.estimate(GREY).valid.all()


def test_a_graph_that_always_answers_in_one_size_is_accepted_and_named(tmp_path: Path) -> None:
    image = np.zeros((518, 518, 3), np.uint8)
    image[:, 259:] = 200
    with DepthEngine.open(models.answers_only_in(tmp_path / "m.onnx", 266, 350)) as engine:
        depth = engine.estimate(image)
        assert "266" in engine.info.notes[0]
    assert depth.values.shape == (518, 518)
    assert depth.values[:, 300:].mean() > depth.values[:, :200].mean() + 2


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3), (13, 13), (8192, 4320)])
@pytest.mark.parametrize("build", [models.da2_relative, models.da3_main])
def test_any_size_works(size: tuple[int, int], build, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    image = np.full((size[1], size[0], 3), 100, np.uint8)
    with DepthEngine.open(build(tmp_path / "model.onnx")) as engine:
        assert engine.estimate(image).values.shape == (size[1], size[0])


@pytest.mark.parametrize("method", list(ResizeMethod))
def test_every_resize_method_gives_the_pictures_size(method: ResizeMethod, tmp_path: Path) -> None:
    image = np.full((333, 517, 3), 100, np.uint8)
    with DepthEngine.open(models.da3_main(tmp_path / "m.onnx"), policy=InputPolicy(method, 504)) as engine:
        depth = engine.estimate(image, CameraIntrinsics.from_vertical_fov(60, 517, 333))
    assert depth.values.shape == (333, 517)
    assert depth.valid[40:-40, 40:-40].all()


# ---- what is refused ------------------------------------------------------------------------------------------------


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        DepthEngine.open(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("views", [2, 5, 10])
def test_a_graph_for_several_views_is_refused_naming_how_many(views: int, tmp_path: Path) -> None:
    path = models.da3_main(tmp_path / "da3.onnx", views=views, batch=1, size=(280, 504), names=("image", "depth", "depth_conf"))
    assert f"fixed to {views} views" in refusal(path)


def test_a_graph_that_needs_poses_is_refused_naming_them(tmp_path: Path) -> None:
    assert "extrinsics_in, intrinsics_in" in refusal(models.da3_main(tmp_path / "da3.onnx", views=1, batch=1, poses=True))


def test_random_bytes_are_not_a_model(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    for seed in range(30):
        path.write_bytes(np.random.default_rng(seed).bytes(seed * 37 + 1))
        assert "is not an ONNX model" in refusal(path)
    path.write_bytes(b"")
    assert "is not an ONNX model" in refusal(path)


def test_a_truncated_model_is_named(tmp_path: Path) -> None:
    path = models.da3_single(tmp_path / "da3metric.onnx")
    path.write_bytes(path.read_bytes()[:-40])
    assert "da3metric.onnx" in refusal(path)


def test_missing_external_weights_are_named(tmp_path: Path) -> None:
    path = models.da3_main(tmp_path / "model.onnx", external="model.onnx_data")
    with DepthEngine.open(path) as engine:
        assert engine.estimate(GREY).valid.all()
    (tmp_path / "model.onnx_data").unlink()
    assert "model.onnx_data" in refusal(path)


def test_weights_outside_the_models_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = models.da3_main(folder / "model.onnx", external="data_of_same_length")
    path.write_bytes(path.read_bytes().replace(b"data_of_same_length", b"../of_equal_length!"))
    assert "inside its folder" in refusal(path)


def test_a_graph_without_a_picture_is_refused(tmp_path: Path) -> None:
    graph = models.Graph("tokens", [1, 3, 768])
    graph.output(graph.node("Relu", ["tokens"], "r"), "logits", [1, 3, 768])
    assert "no input that takes a picture" in refusal(graph.save(tmp_path / "m.onnx"))


def test_cameras_and_pictures_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with DepthEngine.open(models.da3_main(tmp_path / "m.onnx")) as engine:
        with pytest.raises(CameraError, match="1920x1080 picture, this one is 504x280"):
            engine.estimate(GREY, CameraIntrinsics.from_vertical_fov(60, 1920, 1080))
        for broken in (np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3), np.float32), np.zeros((0, 5, 3), np.uint8)):
            with pytest.raises(ImageError, match="uint8 array"):
                engine.estimate(broken)
        for no_picture in (None, "photo.jpg", [1, 2]):
            with pytest.raises(ImageError, match=type(no_picture).__name__):
                engine.estimate(no_picture)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="netwrok"):
            engine.estimate(GREY, resolution="netwrok")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="closed"):
        engine.estimate(GREY)


@pytest.mark.parametrize("device", ["coreml", "directml", "cuda:7", "tpu", "cpu:1"])
def test_devices_that_are_not_there_are_refused_with_a_remedy(device: str, tmp_path: Path) -> None:
    import onnxruntime

    provider = {"coreml": "CoreMLExecutionProvider", "directml": "DmlExecutionProvider", "cuda:7": "CUDAExecutionProvider"}.get(device)
    if provider in onnxruntime.get_available_providers():
        pytest.fail(f"this test expects a CPU build of onnxruntime, which has no {provider}")
    with pytest.raises(RuntimeUnavailableError, match=r"install|use"):
        DepthEngine.open(models.da3_main(tmp_path / "m.onnx"), device=device)
