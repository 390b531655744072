# SPDX-License-Identifier: GPL-3.0-or-later
"""Many inputs in one run, without a window: `blender -c depthbridge build`, and `depthbridge scene` under plain Python."""

from __future__ import annotations

import json
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ...engines.atomic import atomic_folder_contents, make_folder
from ...engines.cancel import CancelToken
from ...engines.errors import DepthbridgeError, ImageError, OutputError
from ...engines.estimator import Estimator
from ..backfill import add_backfill
from ..build import Built, build_objects
from ..console import quiet_console
from ..jobs.pipeline import Ready, run
from ..jobs.progress import Progress
from ..jobs.worker import unexpected
from ..scene import save_blend, start_empty_file
from ..sequences.build import BuiltSequence, build_sequence
from ..sequences.files import run_sequence
from .files import write_files
from .options import Item, Plan, frames_folder, parse

PROGRAM = "blender -c depthbridge build"

DONE, SOME_FAILED, NOTHING_DONE, STOPPED = 0, 1, 2, 130


def main(arguments: Sequence[str], program: str = PROGRAM) -> int:
    """Do what ``arguments`` say, and return the exit status: 0 all is there, 1 some inputs failed, 2 nothing was done, 130 stopped by Ctrl+C.

    One JSON line per input goes to stdout and nothing else; reasons go to stderr. The open file of Blender is lost: each input
    starts from an empty one.
    """
    # Pillow comments on odd metadata of a picture it reads well; what matters of it comes as a sentence of our own.
    warnings.filterwarnings("ignore", module="PIL")
    try:
        plan = parse(arguments, program)
        with _stopped_by_signals():
            return _run(plan)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else NOTHING_DONE
    except DepthbridgeError as error:
        _tell(str(error))
        return NOTHING_DONE
    except KeyboardInterrupt:
        _tell("stopped; what is finished stays, and the same command goes on from there.")
        return STOPPED


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Ctrl+C, and the wish of the system that the process ends, raise KeyboardInterrupt: what is half done is taken away then. Blender has
    handlers of its own, which hear neither while Python works."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # None stands for a handler that Python does not know: Blender's, which cannot be put back.
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _run(plan: Plan) -> int:
    make_folder(plan.out)
    with atomic_folder_contents(plan.out):
        pass  # a folder that cannot be written is told before any work
    with ExitStack() as stack:
        estimator: Estimator | None = None
        if any(item.estimates for item in plan.items):
            estimator = stack.enter_context(plan.engine.open())
        batch = _Batch(plan, estimator)
        succeeded = [batch.do(item) for item in plan.items]
    return DONE if all(succeeded) else SOME_FAILED


class _Batch:
    """The run of one plan. Each note is told once."""

    def __init__(self, plan: Plan, estimator: Estimator | None) -> None:
        self._plan = plan
        self._estimator = estimator
        self._told: set[str] = set()

    def do(self, item: Item) -> bool:
        """One input, and its line; whether its outputs are all there now."""
        if not item.missing:
            _print_line({"input": str(item.path), "status": "skipped", "files": _shown(item.wanted.values())})
            return True
        try:
            line = self._build(item)
        except DepthbridgeError as error:
            return self._failed(item, error)
        except Exception as error:
            # A fault of ours in one input does not cost the others.
            traceback.print_exc()
            return self._failed(item, unexpected(error))
        _print_line(line)
        return True

    def _build(self, item: Item) -> dict[str, Any]:
        if item.sequence:
            return self._build_sequence(item)
        if item.path.is_dir():
            raise ImageError(f"{item.path} is a folder; name its pictures, or add --sequence for one object that plays them.")
        ready = run(item.request, progress=_unheard, cancel=CancelToken(), estimator=self._estimator)
        self._note(ready.notes)
        with quiet_console():
            start_empty_file()
            built = build_objects(ready.prepared, item.request.source.name)
            if ready.backfill is not None:
                add_backfill(built.object, ready.backfill)
            with self._staging() as staging:
                write_files({kind: staging / target.name for kind, target in item.missing.items()}, built, ready.prepared)
        return _summary(item, built, ready)

    def _build_sequence(self, item: Item) -> dict[str, Any]:
        """One object that plays: its frames as EXRs in a folder beside the .blend, which names them by a relative path."""
        frames = self._plan.out / frames_folder(item.request.source.name)
        files = run_sequence(item.request, frames, progress=_unheard, cancel=CancelToken(), estimator=self._estimator, force=self._plan.force)
        with quiet_console():
            start_empty_file()
            built = build_sequence(files, item.request.source.name, item.request.options, set_time=True)
            for image in (built.photo, built.depth_image):
                place = Path(image.filepath_raw)
                if frames.absolute() in place.parents:
                    image.filepath_raw = f"//{frames.name}/{place.name}"
            with self._staging() as staging:
                for target in item.missing.values():
                    save_blend(staging / target.name)
        self._note(built.notes)
        return _sequence_summary(item, built, frames)

    def _note(self, notes: Iterable[str]) -> None:
        for note in notes:
            if note not in self._told:
                self._told.add(note)
                _tell(note)

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """A folder whose files move into the output folder together; what fails in it is told by the names they would have got."""
        with atomic_folder_contents(self._plan.out, overwrite=self._plan.force) as staging:
            try:
                yield staging
            except OutputError as error:
                raise OutputError(str(error).replace(str(staging), str(self._plan.out))) from error

    def _failed(self, item: Item, error: DepthbridgeError) -> bool:
        _tell(str(error))
        _print_line({"input": str(item.path), "status": "failed", "code": error.code, "error": str(error)})
        return False


def _summary(item: Item, built: Built, ready: Ready) -> dict[str, Any]:
    """The line about an input that was built. ``unit``: of the object's depth; ``kind``: what the model gave."""
    source = ready.prepared.source
    assert source.camera is not None
    return {
        "input": str(item.path),
        "status": "built",
        "files": _shown(item.missing.values()),
        "object": built.object.name,
        "as": str(ready.prepared.options.as_),
        "vertices": built.vertices,
        "faces": built.faces,
        "stride": built.stride,
        "model": source.model_id,
        "kind": str(source.kind),
        "unit": built.depth.kind.unit,
        "camera_source": str(source.camera_source),
        "fov_vertical_deg": round(source.camera.fov_vertical_deg, 3),
    }


def _sequence_summary(item: Item, built: BuiltSequence, frames: Path) -> dict[str, Any]:
    header = built.files.header
    return {
        "input": str(item.path),
        "status": "built",
        "files": [*_shown(item.missing.values()), str(frames)],
        "object": built.object.name,
        "as": str(item.request.options.as_),
        "frames": built.files.count,
        "fps": header.fps,
        "shots": len(built.files.shots),
        "vertices": built.vertices,
        "faces": built.faces,
        "stride": header.stride,
        "model": header.model,
        "kind": str(header.kind),
        "unit": str(built.object["depthbridge_unit"]),
        "camera_source": str(header.camera_source),
        "fov_vertical_deg": round(header.camera.fov_vertical_deg, 3),
    }


def _shown(files: Any) -> list[str]:
    return [str(path) for path in files]


def _print_line(line: dict[str, Any]) -> None:
    print(json.dumps(line, allow_nan=False), flush=True)


def _tell(sentence: str) -> None:
    print(f"depthbridge: {sentence}", file=sys.stderr, flush=True)


def _unheard(_: Progress) -> None:
    """A batch shows its progress by its lines."""
