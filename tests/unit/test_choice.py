# SPDX-License-Identifier: Apache-2.0
"""Which runtime is taken: measured in turns, remembered while nothing changes, and never at the price of wrong depth. No time is asserted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import CancelledError, ModelError, RuntimeUnavailableError
from depthbridge.engines.prepared.engine_cache import EngineCache
from depthbridge.engines.recognise import recognise
from depthbridge.engines.runtimes.opening import open_target
from depthbridge.engines.runtimes.targets import Precision, RuntimeName, Target
from depthbridge.engines.tuning import choice as choosing
from depthbridge.engines.tuning.choice import Choice, choose, disagreeing
from depthbridge.engines.tuning.choice_notes import EQUAL, MeasuredTarget, ranked
from depthbridge.engines.tuning.libraries import library_versions, package_troubles
from depthbridge.engines.tuning.machine import this_processor
from depthbridge.engines.tuning.timing import Effort, Side, Timing, measure, settled, standard_error
from depthbridge.engines.tuning.trial import Trial, TrialError, median_difference, sample_picture
from support import onnx_models as models

ONNX = Target(RuntimeName.ONNXRUNTIME, "cpu", Precision.FP32)
OPENVINO = Target(RuntimeName.OPENVINO, "cpu", Precision.FP32)
ABSENT = Target(RuntimeName.ONNXRUNTIME, "cuda:7", Precision.FP32)  # nobody has eight cards
BOTH = (OPENVINO, ONNX)
SIZE = (56, 42)


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "cache")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.da2_relative(tmp_path / "depth_anything_v2_vits.onnx", shape=(42, 56))


def timing(target: Target, median_ms: float) -> MeasuredTarget:
    return MeasuredTarget(target, Timing(str(target), median_ms, median_ms, 0.0, 3))


def settle(cache: EngineCache, **changes: object) -> None:
    """Has the only note say that it is certain, or whatever else ``changes`` say: tiny graphs are hard to tell apart."""
    path = cache.note_path("choices")
    notes = json.loads(path.read_text())
    notes[-1].update({"settled": True} | changes)
    path.write_text(json.dumps(notes))


def picked(model: Path, cache: EngineCache | None, candidates: tuple[Target, ...] = BOTH, **options: object) -> tuple[Choice, list[str]]:
    """The choice, its runtime seen to work and closed, and what was said meanwhile."""
    said: list[str] = []
    made = choose(model, candidates, size=SIZE, cache=cache, progress=said.append, **options)  # type: ignore[arg-type]
    if measured_now(said) and cache is not None and cache.note_path("choices").exists():
        settle(cache)
    assert (made.runtime.device, made.runtime.precision) == (made.target.device, made.target.precision)
    known = recognise(model)
    engine = DepthEngine(made.runtime, known, model)
    picture = sample_picture(*SIZE)
    np.testing.assert_allclose(engine.estimate(picture, resolution="network").values, np.maximum(models.expected_mean(picture) + 2, 0), atol=0.01)
    engine.close()
    return made, said


def measured_now(said: list[str]) -> bool:
    return any("Measuring" in sentence for sentence in said)


# ---- in turns -------------------------------------------------------------------------------------------------------


def test_sides_take_turns_and_every_other_round_goes_backwards() -> None:
    seen: list[str] = []
    sides = [Side(name, lambda name=name: seen.append(name)) for name in "abc"]  # type: ignore[misc]
    result = measure(sides, Effort(budget_s=60, least_rounds=4, most_rounds=4, turn_s=0))
    assert "".join(seen) == "abc" + "abc" + "cba" + "abc" + "cba"
    assert [(each.name, each.rounds) for each in result.timings] == [("a", 4), ("b", 4), ("c", 4)] and result.failed == {}


def test_a_quick_side_fills_its_turn() -> None:
    count = 0

    def quick() -> None:
        nonlocal count
        count += 1

    (found,) = measure([Side("quick", quick)], Effort(budget_s=60, least_rounds=3, most_rounds=3, turn_s=0.005)).timings
    assert found.rounds == 3 and count > 1 + 3 * 2


def test_a_side_that_fails_drops_out_and_is_named() -> None:
    runs = {"well": 0, "late": 0}

    def well() -> None:
        runs["well"] += 1

    def late() -> None:
        runs["late"] += 1
        if runs["late"] == 3:
            raise RuntimeError("the card is gone\nand more")

    def never() -> None:
        raise RuntimeError("no such operation")

    result = measure([Side("never", never), Side("late", late), Side("well", well)], Effort(60, least_rounds=5, most_rounds=5, turn_s=0))
    assert [each.name for each in result.timings] == ["well"] and result.timings[0].rounds == 5
    assert result.failed == {"never": "no such operation", "late": "the card is gone"}


def test_measuring_stops_when_it_is_told_to() -> None:
    cancel = CancelToken()
    with pytest.raises(CancelledError):
        measure([Side("once", cancel.cancel)], Effort(60, least_rounds=1000), cancel=cancel)


@given(st.lists(st.floats(9, 11), min_size=5, max_size=9), st.floats(2, 100))
def test_what_is_far_apart_is_settled_and_what_overlaps_is_not(turns: list[float], factor: float) -> None:
    slower = [value * factor for value in turns]
    assert settled([slower, turns]) == settled([turns, slower])
    assert settled([slower, turns]) or len(turns) < 6 or factor < 3
    wide = [1.0, 5.0, 10.0, 15.0, 19.0]
    assert not settled([wide, [value + 0.1 for value in wide]])


@given(st.lists(st.floats(0.001, 1000), min_size=3, max_size=30))
def test_equal_sides_are_settled_only_once_they_are_known_closely(turns: list[float]) -> None:
    known = standard_error(turns) <= 0.01 * sorted(turns)[len(turns) // 2]
    assert settled([turns, list(turns)]) == (known if len(turns) % 2 else settled([turns]))


def test_interruptions_do_not_move_the_error() -> None:
    calm = [10.0, 10.1, 9.9, 10.05, 9.95, 10.02, 9.98]
    assert standard_error([*calm, 500.0]) < 3 * standard_error(calm)
    assert standard_error([3.0]) == 0 and standard_error([3.0, 5.0]) == 1


# ---- which one ------------------------------------------------------------------------------------------------------

TARGETS = [
    Target(runtime, device, precision)
    for runtime in RuntimeName for device in ("cpu", "cuda:0", "cuda:1", "directml:0") for precision in Precision
]  # fmt: skip
FIELDS = st.lists(st.tuples(st.sampled_from(TARGETS), st.floats(1, 1.06) | st.floats(0.01, 1e4)), min_size=1, max_size=8, unique_by=lambda each: each[0])


@given(FIELDS, st.randoms(use_true_random=False))
def test_the_choice_never_depends_on_the_order_of_the_candidates(field: list[tuple[Target, float]], random: Callable[..., object]) -> None:
    measured = [timing(*each) for each in field]
    shuffled = list(measured)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert ranked(shuffled) == ranked(measured)


@given(FIELDS)
def test_the_chosen_one_is_as_fast_as_the_fastest_and_the_rest_goes_from_fast_to_slow(field: list[tuple[Target, float]]) -> None:
    order = ranked([timing(*each) for each in field])
    assert sorted(map(str, (each.target for each in order))) == sorted(str(target) for target, _ in field)
    assert order[0].timing.median_ms <= min(median for _, median in field) * (1 + EQUAL)
    rest = [each.timing.median_ms for each in order[1:]]
    assert rest == sorted(rest)


def test_of_equally_fast_ones_the_exact_one_is_taken() -> None:
    bf16 = replace(OPENVINO, precision=Precision.BF16)
    assert ranked([timing(bf16, 10), timing(ONNX, 10.1)])[0].target == ONNX
    assert ranked([timing(bf16, 10), timing(ONNX, 10.5)])[0].target == bf16


# ---- right depth ----------------------------------------------------------------------------------------------------


def trial(path: Path, target: Target) -> Trial:
    known = recognise(path)
    return Trial(open_target(path, target), known, path, known.spec.input, sample_picture(*SIZE), None)


def test_a_runtime_whose_depth_is_off_is_found_out(tmp_path: Path, model: Path) -> None:
    graph = models.Graph("pixel_values", [1, 3, 42, 56])
    value = graph.node("Relu", [graph.node("Add", [graph.mean(), graph.scalar("two", 2.05)], "shifted")], "relu")
    graph.output(graph.squeeze(value, 1, "map"), "predicted_depth", [1, 42, 56])
    wrong = trial(graph.save(tmp_path / "wrong.onnx"), ONNX)
    right = trial(model, ONNX)
    reasons = disagreeing({ONNX: right, OPENVINO: trial(model, OPENVINO)})
    assert reasons == {}
    bf16 = replace(OPENVINO, precision=Precision.BF16)
    reasons = disagreeing({bf16: wrong, ONNX: right})
    assert list(reasons) == [bf16] and "off by" in reasons[bf16]
    with pytest.raises(TrialError, match="map of"):
        trial(models.da2_relative(tmp_path / "other_v2.onnx", shape=(14, 14)), ONNX).check_against(right)


@given(st.floats(-0.5, 0.5))
def test_the_difference_is_relative(off: float) -> None:
    exact = np.array([0.0, 1.0, 20.0, -300.0], np.float32)
    assert median_difference(exact * np.float32(1 + off), exact) == pytest.approx(abs(off), abs=1e-6)
    assert median_difference(np.array([0, np.nan, 20, -300], np.float32), exact) == np.inf


def test_pictures_to_measure_with_are_the_same_each_time_and_not_flat() -> None:
    picture = sample_picture(*SIZE)
    assert picture.shape == (42, 56, 3) and picture.dtype == np.uint8 and picture.std() > 20
    np.testing.assert_array_equal(picture, sample_picture(*SIZE))


# ---- remembered -----------------------------------------------------------------------------------------------------


def test_measured_once_and_remembered(model: Path, cache: EngineCache) -> None:
    first, said = picked(model, cache)
    assert measured_now(said) and "once" in said[0]
    assert {each.target for each in first.measured} == set(BOTH) and first.target == first.measured[0].target and first.notes == ()
    assert str(first.target) in first.reason and "ms" in first.reason
    second, said = picked(model, cache)
    assert not measured_now(said)
    assert second.target == first.target and second.measured == first.measured
    turned, said = picked(model, cache, BOTH[::-1])
    assert not measured_now(said) and turned.target == first.target
    assert measured_now(picked(model, cache, again=True)[1])
    assert len(json.loads(cache.note_path("choices").read_text())) == 1


def test_what_was_not_settled_is_measured_again_but_not_for_ever(model: Path, cache: EngineCache) -> None:
    picked(model, cache)
    for tries in (1, 2):
        settle(cache, settled=False, tries=tries)
        made, said = picked(model, cache)
        assert measured_now(said) and len(made.measured) == 2
        assert json.loads(cache.note_path("choices").read_text())[0]["tries"] == tries + 1
    settle(cache, settled=False, tries=3)
    assert not measured_now(picked(model, cache)[1])


def test_what_a_note_has_first_is_taken(model: Path, cache: EngineCache) -> None:
    picked(model, cache)
    path = cache.note_path("choices")
    notes = json.loads(path.read_text())
    for _ in range(2):
        notes[0]["measured"].reverse()
        path.write_text(json.dumps(notes))
        made, said = picked(model, cache)
        assert not measured_now(said) and made.target.runtime == notes[0]["measured"][0]["runtime"]


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key["libraries"].__setitem__(-1, "openvino 2019.1"),
        lambda key: key["libraries"].append("tensorrt 10.0"),
        lambda key: key.__setitem__("machine", "Another processor"),
        lambda key: key.__setitem__("threads", 3),
        lambda key: key.__setitem__("size", "28x28"),
        lambda key: key.__setitem__("model_sha256", "0" * 64),
        lambda key: key["candidates"].append("tensorrt cuda:0 fp16"),
    ],
    ids=["version", "library", "machine", "threads", "size", "model", "candidates"],
)
def test_measured_again_when_anything_changed(model: Path, cache: EngineCache, change: Callable[[dict], object]) -> None:
    picked(model, cache)
    path = cache.note_path("choices")
    notes = json.loads(path.read_text())
    change(notes[0]["key"])
    path.write_text(json.dumps(notes))
    assert measured_now(picked(model, cache)[1])
    assert len(json.loads(path.read_text())) == 2  # what holds elsewhere is kept
    assert not measured_now(picked(model, cache)[1])


def test_other_threads_pictures_and_models_are_measured_for_themselves(tmp_path: Path, model: Path, cache: EngineCache) -> None:
    picked(model, cache)
    assert measured_now(picked(model, cache, threads=1)[1])
    dynamic = models.da2_relative(tmp_path / "dynamic_v2.onnx")
    known = recognise(dynamic)
    keys = {choosing.choice_key(dynamic, BOTH, known, known.spec.input, size, None, cache).size for size in ((1920, 1080), (1280, 720), (640, 480))}
    assert keys == {"924x518", "686x518"}
    assert measured_now(picked(models.da2_relative(tmp_path / "another_v2.onnx", shape=(42, 56), opset=18), cache)[1])


def test_what_was_measured_is_kept_under_what_is_really_here(model: Path, cache: EngineCache) -> None:
    picked(model, cache)
    key = json.loads(cache.note_path("choices").read_text())[0]["key"]
    assert key["machine"].startswith(this_processor().name) and f"{this_processor().threads} threads" in key["machine"]
    import onnxruntime

    assert f"onnxruntime {onnxruntime.__version__}" in key["libraries"] and any(each.startswith("depthbridge ") for each in key["libraries"])
    assert library_versions(["numpy", "no-such-package"]) == {"numpy": np.__version__}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '[{"key": 1}]', "[[[", "\x00", "[" * 100_000, '[{}, null, 3, "x"]', "NaN"],
)
def test_a_file_that_cannot_be_understood_counts_as_empty(model: Path, cache: EngineCache, text: str) -> None:
    path = cache.note_path("choices")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert measured_now(picked(model, cache)[1])
    assert not measured_now(picked(model, cache)[1])


@pytest.mark.parametrize(
    ("field", "value"),
    [("runtime", "magic"), ("device", "cuda:3"), ("precision", "fp8"), ("median_ms", "quick"), ("median_ms", float("nan")), ("median_ms", -1), ("rounds", None)],
)
def test_a_note_that_says_nonsense_is_measured_again(model: Path, cache: EngineCache, field: str, value: object) -> None:
    picked(model, cache)
    path = cache.note_path("choices")
    notes = json.loads(path.read_text())
    notes[0]["measured"][0][field] = value
    path.write_text(json.dumps(notes))
    assert measured_now(picked(model, cache)[1])
    assert not measured_now(picked(model, cache)[1])


def test_a_cache_that_cannot_be_written_is_said_and_harms_nobody(tmp_path: Path, model: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    made, said = picked(model, EngineCache(tmp_path / "file"))
    assert measured_now(said) and any("anew each time" in note for note in made.notes)


# ---- without measuring ----------------------------------------------------------------------------------------------


def test_one_candidate_is_opened_and_nothing_measured(model: Path, cache: EngineCache) -> None:
    for only in BOTH:
        made, said = picked(model, cache, (only,))
        assert made.target == only and made.measured == () and not measured_now(said)
    assert not cache.note_path("choices").exists()


def test_without_a_cache_the_best_guess_is_taken_and_said(model: Path) -> None:
    for order in (BOTH, BOTH[::-1]):
        made, said = picked(model, None, order)
        assert made.target == order[0] and made.measured == () and not measured_now(said)
        assert "guess" in made.reason
    made, _ = picked(model, None, (ABSENT, ONNX))
    assert made.target == ONNX and len(made.notes) == 1 and str(ABSENT) in made.notes[0]


# ---- what does not work ---------------------------------------------------------------------------------------------


def test_a_candidate_that_does_not_open_is_passed_over_and_named(model: Path, cache: EngineCache) -> None:
    for candidates in ((ABSENT, *BOTH), (*BOTH, ABSENT)):
        made, said = picked(model, cache, candidates, again=True)
        assert measured_now(said) and made.target in BOTH
        assert [each.target for each in made.failed] == [ABSENT] and made.failed[0].reason
        assert len(made.notes) == 1 and str(ABSENT) in made.notes[0]
    made, said = picked(model, cache, (ABSENT, *BOTH))
    assert not measured_now(said) and made.failed[0].target == ABSENT and made.notes == ()  # said once, not at every start


def test_when_the_remembered_one_no_longer_opens_the_next_is_taken(model: Path, cache: EngineCache) -> None:
    picked(model, cache, (ABSENT, *BOTH))
    path = cache.note_path("choices")
    notes = json.loads(path.read_text())
    absent = {**notes[0]["measured"][0], "runtime": str(ABSENT.runtime), "device": ABSENT.device, "precision": str(ABSENT.precision)}
    notes[0]["measured"].insert(0, absent)
    path.write_text(json.dumps(notes))
    made, said = picked(model, cache, (ABSENT, *BOTH))
    assert not measured_now(said) and made.target in BOTH and str(ABSENT) in made.notes[0]


def test_when_nothing_works_the_reason_is_raised_and_nothing_kept(tmp_path: Path, model: Path, cache: EngineCache) -> None:
    other = replace(ABSENT, device="cuda:8")
    for kept in (cache, None):
        with pytest.raises(RuntimeUnavailableError, match="cuda"):
            choose(model, (ABSENT, other), size=SIZE, cache=kept)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a graph")
    with pytest.raises(ModelError):
        choose(broken, BOTH, size=SIZE, cache=cache)
    assert not cache.note_path("choices").exists()


def test_stopped_on_request_and_nothing_kept(model: Path, cache: EngineCache) -> None:
    cancel = CancelToken()
    with pytest.raises(CancelledError):
        choose(model, BOTH, size=SIZE, cache=cache, cancel=cancel, progress=lambda sentence: cancel.cancel())
    assert not cache.note_path("choices").exists()


def test_the_losers_are_closed_and_the_winner_is_not(model: Path, cache: EngineCache, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def watched(*arguments: object, **options: object) -> object:
        opened.append(open_target(*arguments, **options))  # type: ignore[arg-type]
        return opened[-1]

    monkeypatch.setattr(choosing, "open_target", watched)  # the real one, listened to
    made = choose(model, BOTH, size=SIZE, cache=cache)
    known = recognise(model)
    feeds = {known.signature.image.name: np.zeros((1, 3, 42, 56), np.float32)}
    for runtime in opened:
        if runtime is made.runtime:
            runtime.run(feeds, known.signature.output_names)
        else:
            with pytest.raises(ModelError, match="closed"):
                runtime.run(feeds, known.signature.output_names)
    assert len(opened) == 2
    made.runtime.close()


def test_an_engine_opened_without_a_word_uses_the_choice(model: Path, cache: EngineCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEPTHBRIDGE_RUNTIME")
    said: list[str] = []
    with DepthEngine.open(model, cache=cache, progress=said.append) as engine:
        chosen = json.loads(cache.note_path("choices").read_text())[0]["measured"][0]
        assert measured_now(said)
        assert engine.info.runtime.startswith(chosen["runtime"]) and engine.info.precision == chosen["precision"]
    said.clear()
    with DepthEngine.open(model, cache=cache, progress=said.append) as engine:
        assert not measured_now(said) and engine.info.runtime.startswith(chosen["runtime"])


# ---- packages -------------------------------------------------------------------------------------------------------


def test_two_builds_of_onnx_runtime_are_told() -> None:
    assert package_troubles({"onnxruntime": "1.20", "openvino": "2026.1"}) == ()
    (sentence,) = package_troubles({"onnxruntime": "1.20", "onnxruntime-gpu": "1.21"})
    assert "onnxruntime and onnxruntime-gpu" in sentence and "pip uninstall" in sentence
