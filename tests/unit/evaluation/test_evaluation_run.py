# SPDX-License-Identifier: Apache-2.0
"""A run from within: one model in memory at a time, no picture kept, what is done before is not done again."""

from __future__ import annotations

import gc
import signal
import tracemalloc
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from depthbridge.cli.evaluation.candidates import Candidate, OneEngine, find_candidates
from depthbridge.cli.evaluation.evaluation import Order, evaluation
from depthbridge.cli.evaluation.interrupt import remembering_interrupts
from depthbridge.cli.evaluation.pictures import ERROR_FACTOR, MOST, choose, error_colours, kept_per_model
from depthbridge.cli.evaluation.results import gather
from depthbridge.cli.evaluation.run import Row, Run, score_all
from depthbridge.cli.evaluation.samples import Sample
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import OutputError
from depthbridge.engines.stream import AHEAD
from depthbridge.unity_bridge.captures.progress import Progress
from support import onnx_models as models
from support.evaluation_sets import CAMERA, MemorySet, picture, ramp


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("models")
    return str(models.da2_metric(folder / "da2_indoor.onnx")), str(models.da2_metric(folder / "da2_outdoor.onnx", max_depth=80.0))


def samples(count: int) -> list[Sample]:
    found = []
    for place in range(count):
        truth = ramp(place)
        found.append(Sample(f"{place:03d}", picture(place), truth, truth > 0, None, CAMERA))
    return found


class Opener:
    """Opens engines and knows which are open."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.engines: list[DepthEngine] = []
        self.closed: set[int] = set()

    def __call__(self, model: str) -> DepthEngine:
        assert len(self.engines) == len(self.closed), "a model was opened while another one was"
        engine = DepthEngine.open(model, cache=None)
        close = engine.close

        def closing() -> None:
            self.closed.add(id(engine))
            close()

        engine.close = closing  # type: ignore[method-assign]
        self.opened.append(Path(model).stem)
        self.engines.append(engine)
        return engine


def order(data: MemorySet, graphs: Sequence[str], tmp_path: Path) -> Order:
    return Order(data, tmp_path / "set", find_candidates(graphs, None, Opener()), {})


def test_one_model_is_open_at_a_time_and_all_are_closed(graphs: tuple[str, str], tmp_path: Path) -> None:
    opener, seen = Opener(), []
    with evaluation(order(MemorySet(samples(3)), graphs, tmp_path), tmp_path / "out", opener, lambda of, row: seen.append((of.label, row.name))):
        assert len(opener.closed) == len(opener.engines)
    assert seen == [(label, f"{place:03d}") for label in ("da2_indoor", "da2_outdoor") for place in range(3)]
    assert opener.opened == ["da2_indoor", "da2_outdoor", "da2_indoor"]  # the last one takes its pictures before it is closed


def test_nothing_is_done_twice(graphs: tuple[str, str], tmp_path: Path) -> None:
    data, opener = MemorySet(samples(3)), Opener()
    rows: list[Row] = []

    def note(of: Candidate, row: Row) -> None:
        rows.append(row)

    with evaluation(order(data, graphs[:1], tmp_path), tmp_path / "out", Opener(), note) as (_, first):
        pass
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    data.asked.clear()
    with evaluation(order(data, graphs[:1], tmp_path), tmp_path / "out", opener, note) as (_, second):
        pass
    assert opener.opened == [] and data.asked == []
    assert rows[:3] == rows[3:] and first["da2_indoor"].total("rmse") == second["da2_indoor"].total("rmse")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_file_that_somebody_changed_is_kept(graphs: tuple[str, str], tmp_path: Path) -> None:
    data = MemorySet(samples(2))
    with evaluation(order(data, graphs[:1], tmp_path), tmp_path / "out", Opener(), lambda *_: None):
        pass
    (tmp_path / "out" / "pictures.csv").write_text("mine")
    with pytest.raises(OutputError, match=r"pictures\.csv"), evaluation(order(data, graphs[:1], tmp_path), tmp_path / "out", Opener(), lambda *_: None):
        pass
    assert (tmp_path / "out" / "pictures.csv").read_text() == "mine"


def test_a_file_that_appears_meanwhile_is_kept(graphs: tuple[str, str], tmp_path: Path) -> None:
    def meanwhile(of: Candidate, row: Row) -> None:
        (tmp_path / "out" / "evaluation.json").write_text("mine")

    with pytest.raises(OutputError, match=r"evaluation\.json"), evaluation(
        order(MemorySet(samples(2)), graphs[:1], tmp_path), tmp_path / "out", Opener(), meanwhile
    ):
        pass
    assert (tmp_path / "out" / "evaluation.json").read_text() == "mine"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"evaluation.json", "progress.jsonl"}


class Finalized:
    """Ctrl+C strikes while it is let go."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_that_python_drops_is_remembered() -> None:
    before = signal.getsignal(signal.SIGINT)
    with remembering_interrupts() as check:
        check()
        held = [Finalized()]
        held.clear()  # not a word: an exception in a finalizer is ignored
        with pytest.raises(KeyboardInterrupt):
            check()
    assert signal.getsignal(signal.SIGINT) is before


@dataclass
class Endless(MemorySet):
    """Pictures that are made when they are asked for. ``living``: how many of those before were still held, each time one was."""

    count: int = 0
    made: list[weakref.ref[np.ndarray]] = field(default_factory=list)
    living: list[int] = field(default_factory=list)

    def names(self) -> list[str]:
        return [f"{place:04d}" for place in range(self.count)]

    def load(self, name: str) -> Sample:
        self.living.append(len({place // 2 for place, one in enumerate(self.made) if one() is not None}))
        rgb, truth = np.full((300, 500, 3), 100, np.uint8), np.full((300, 500), 2 + int(name) % 7, np.float32)
        self.made += [weakref.ref(rgb), weakref.ref(truth)]
        return Sample(name, rgb, truth, truth > 0)


def test_no_picture_is_kept(graphs: tuple[str, str], tmp_path: Path) -> None:
    """At most those under way and the one that is judged; and of sixty that are done, nothing as large as a mask of each."""
    data = Endless([], count=60)
    tracemalloc.start()
    try:
        with Progress.open(tmp_path, {}, fresh=True) as progress:
            run = Run(data, data.names(), find_candidates(graphs[:1], None, Opener()), progress)
            with Opener()(graphs[0]) as engine:
                score_all(run, OneEngine(lambda _, of=engine: of), lambda *_: None)
            del engine
            totals = gather(run, 4)
            gc.collect()
            held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert totals[run.candidates[0].label].pictures == 60
    assert len(data.living) == 60 and max(data.living) <= AHEAD + 1
    assert held < 30 * 300 * 500


# ---- which pictures are shown ---------------------------------------------------------------------------------------


def test_the_worst_of_each_model_come_first(graphs: tuple[str, str], tmp_path: Path) -> None:
    count = 40
    with evaluation(order(MemorySet(samples(count)), graphs, tmp_path), tmp_path / "out", Opener(), lambda *_: None) as (run, totals):
        chosen = choose(run, totals)
        errors = [[row.score.abs_rel for row in run.rows(candidate) if row.score] for candidate in run.candidates]
    assert len(chosen) <= MOST and len({shown.place for shown in chosen}) == len(chosen)
    keep = kept_per_model(2)
    for candidate, mine in zip(run.candidates, errors, strict=True):
        for word, ranked in (("worst", np.argsort(mine)[::-1]), ("best", np.argsort(mine))):
            shown = {each.place for each in chosen if f"among the {word} of {candidate.label}" in each.why}
            assert sorted(mine[place] for place in shown) == pytest.approx(sorted(mine[place] for place in ranked[:keep])), (word, candidate.label)
    assert chosen[0].why[0].startswith("among the worst of da2_indoor")
    assert errors[0][chosen[0].place] == max(errors[0])


def test_errors_have_a_colour_each_way() -> None:
    near, half_near, right, far, beyond = error_colours(np.log(np.array([1 / ERROR_FACTOR, 0.8, 1, ERROR_FACTOR, 9]))).astype(int)
    assert near[2] > near[0] and far[0] > far[2]  # blue where too near, red where too far
    assert (right > 240).all() and (far == beyond).all() and near[0] < half_near[0] < right[0]
