# SPDX-License-Identifier: GPL-3.0-or-later
"""Many inputs in one run, without a window: `blender -c depthbridge build`, and `depthbridge scene` under plain Python."""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from ..engines.atomic import atomic_folder_contents, make_folder
from ..engines.cancel import CancelToken
from ..engines.errors import DepthbridgeError, OutputError
from ..engines.estimator import Estimator
from .batch_files import write_files
from .batch_options import Item, Plan, parse
from .build import Built, build_objects
from .console import quiet_console
from .jobs.pipeline import Ready, run
from .jobs.progress import Progress
from .jobs.worker import unexpected
from .scene import start_empty_file

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
        return _run(plan)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else NOTHING_DONE
    except DepthbridgeError as error:
        _tell(str(error))
        return NOTHING_DONE
    except KeyboardInterrupt:
        _tell("stopped; what is finished stays, and the same command goes on from there.")
        return STOPPED


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
        ready = run(item.request, progress=_unheard, cancel=CancelToken(), estimator=self._estimator)
        for note in ready.notes:
            if note not in self._told:
                self._told.add(note)
                _tell(note)
        with quiet_console():
            start_empty_file()
            built = build_objects(ready.prepared, item.request.source.name)
            with atomic_folder_contents(self._plan.out, overwrite=self._plan.force) as staging:
                try:
                    write_files({kind: staging / target.name for kind, target in item.missing.items()}, built, ready.prepared)
                except OutputError as error:
                    # Told by the names that the files would have got.
                    raise OutputError(str(error).replace(str(staging), str(self._plan.out))) from error
        return _summary(item, built, ready)

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


def _shown(files: Any) -> list[str]:
    return [str(path) for path in files]


def _print_line(line: dict[str, Any]) -> None:
    print(json.dumps(line, allow_nan=False), flush=True)


def _tell(sentence: str) -> None:
    print(f"depthbridge: {sentence}", file=sys.stderr, flush=True)


def _unheard(_: Progress) -> None:
    """A batch shows its progress by its lines."""
