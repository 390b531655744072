# SPDX-License-Identifier: Apache-2.0
"""What runs models on this machine, what is chosen for a model and why, and what would be faster; in facts that a command prints."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DepthbridgeError, RuntimeUnavailableError, first_line
from ..model_store import ResolvedModel, resolve
from ..prepared.engine_cache import EngineCache
from ..progress import Progress
from ..recognise import Recognised, recognise
from ..runtimes.hardware import Gpu, gpus
from ..runtimes.opening import MissingTarget, candidates, installed_targets, missing_targets
from ..runtimes.openvino_runtime import import_openvino
from ..runtimes.targets import RuntimeName, Target, Wish, untried
from .choice import PICTURE_SIZE, Choice, choice_key, choose
from .choice_notes import FailedTarget, MeasuredTarget, find_note
from .libraries import HELPERS, library_versions, package_troubles
from .machine import Processor, this_processor

# Module -> runtimes that need it. What is installed under other names (onnxruntime-gpu) is imported under these.
_MODULES = {
    "onnxruntime": (RuntimeName.ONNXRUNTIME, RuntimeName.ONNXRUNTIME_TENSORRT),
    "openvino": (RuntimeName.OPENVINO,),
    "tensorrt": (RuntimeName.TENSORRT,),
}


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What ``auto`` means for a model. ``chosen``: None when nothing can run it; ``reason``: a sentence; ``measured``: the chosen one first,
    none when nothing was measured; ``problem``: why the model cannot be used at all."""

    model: str
    path: Path | None
    chosen: Target | None
    reason: str
    measured: tuple[MeasuredTarget, ...] = ()
    failed: tuple[FailedTarget, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Faster:
    """Something to install. ``why``: what it would bring here, as far as is known."""

    missing: MissingTarget
    why: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``libraries``: package -> version; ``broken``: module -> first line of why it does not load; ``targets``: ways to run the model whose
    library loads, best guess first; ``untried``: sentences; ``cache_bytes``: of the compiled engines, None without a cache folder;
    ``environment``: variables of ours that are set."""

    processor: Processor
    graphics: tuple[Gpu, ...]
    libraries: dict[str, str]
    helpers: dict[str, str]
    broken: dict[str, str]
    troubles: tuple[str, ...]
    targets: tuple[Target, ...]
    untried: tuple[str, ...]
    choice: ModelChoice
    faster: tuple[Faster, ...]
    cache_folder: Path | None
    cache_bytes: int | None
    environment: dict[str, str]


def diagnose(
    model: str,
    *,
    cache: EngineCache | None,
    models_dir: Path | None = None,
    measure: bool = False,
    progress: Progress | None = None,
) -> Diagnosis:
    """Looks at everything; loads the installed libraries to see whether they load. With ``measure`` the candidates are measured now."""
    versions = library_versions()
    broken = broken_modules()
    unusable = {runtime for module in broken for runtime in _MODULES[module]}
    resolved, problem = _resolve(model, models_dir)
    installed = installed_targets(resolved.path if resolved is not None else Path(f"{model}.onnx"))
    usable = tuple(target for target in installed if target.runtime not in unusable)
    choice = _choice(model, resolved, problem, usable, cache, measure, progress)
    return Diagnosis(
        processor=this_processor(),
        graphics=gpus(),
        libraries=versions,
        helpers=library_versions(HELPERS),
        broken=broken,
        troubles=package_troubles(versions),
        targets=usable,
        untried=tuple(dict.fromkeys(sentence for target in usable if (sentence := untried(target)) is not None)),
        choice=choice,
        faster=tuple(Faster(each, what_it_brings(each, this_processor())) for each in missing_targets()),
        cache_folder=None if cache is None else cache.folder,
        cache_bytes=None if cache is None else folder_bytes(cache.folder / "engines"),
        environment={name: value for name, value in sorted(os.environ.items()) if name.startswith("DEPTHBRIDGE_") and "TOKEN" not in name},
    )


def broken_modules(modules: Sequence[str] = tuple(_MODULES)) -> dict[str, str]:
    """Those that are there and do not load, with the first line of why."""
    found: dict[str, str] = {}
    for name in modules:
        try:
            _load(name)
        except ModuleNotFoundError as error:
            if error.name != name:  # there, but something it needs is not
                found[name] = first_line(error)
        except Exception as error:  # of whatever class: a library that lacks its driver, a wheel for another Python
            found[name] = first_line(error)
    return found


def _load(module: str) -> None:
    if module != "openvino":
        importlib.import_module(module)
        return
    try:
        import_openvino()  # which keeps it from telling others
    except RuntimeUnavailableError as error:
        raise error.__cause__ or error from None


def what_it_brings(missing: MissingTarget, processor: Processor) -> str:
    """One sentence for a way to run models that is not installed. The factors are those of ``docs/performance.md``."""
    if missing.runtime is RuntimeName.OPENVINO:
        if processor.features is None:
            return "OpenVINO is fast on processors that multiply in BF16; whether this one does, the system does not say."
        if "BF16" in processor.features:
            return "This processor multiplies in BF16, which only OpenVINO uses: about twice as fast for DA2-small."
        return "OpenVINO is sometimes a little faster than ONNX Runtime; this processor has no BF16, where it would be twice as fast."
    if missing.runtime is RuntimeName.TENSORRT:
        return "TensorRT compiles a model for this graphics card."
    if missing.device == "cuda":
        return "ONNX Runtime would use the NVIDIA graphics card that is here."
    if missing.device == "directml":
        return "ONNX Runtime would use any graphics card of a Windows machine."
    return "ONNX Runtime runs every model on the processor."


def folder_bytes(folder: Path) -> int:
    """What lies in ``folder`` and below; 0 when it does not exist."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).stat().st_size
            except OSError:
                continue  # gone meanwhile
    return total


def _resolve(model: str, models_dir: Path | None) -> tuple[ResolvedModel | None, str | None]:
    try:
        return resolve(model, models_dir), None
    except DepthbridgeError as error:
        return None, str(error)


def _choice(
    model: str,
    resolved: ResolvedModel | None,
    problem: str | None,
    usable: Sequence[Target],
    cache: EngineCache | None,
    measure: bool,
    progress: Progress | None,
) -> ModelChoice:
    if resolved is None:
        return ModelChoice(model, None, None, "", problem=problem)
    try:
        recognised = recognise(resolved.path, resolved.spec)
        found = [target for target in candidates(resolved.path, Wish().or_environment()) if target in usable]
        if not found:
            return ModelChoice(model, resolved.path, None, "Nothing that is installed loads.")
        if measure and cache is not None:
            made = choose(resolved.path, found, cache=cache, progress=progress, recognised=recognised, again=True)
            made.runtime.close()
            return _as_chosen(model, resolved.path, made)
        return _without_opening(model, resolved.path, recognised, found, cache)
    except DepthbridgeError as error:
        return ModelChoice(model, resolved.path, None, "", problem=str(error))


def _as_chosen(model: str, path: Path, made: Choice) -> ModelChoice:
    return ModelChoice(model, path, made.target, made.reason, made.measured, made.failed)


def _without_opening(model: str, path: Path, recognised: Recognised, found: Sequence[Target], cache: EngineCache | None) -> ModelChoice:
    """What a program that opens the model now would use, as far as that is known already."""
    if len(found) == 1:
        return ModelChoice(model, path, found[0], "It is the only one that can run this model here.")
    if cache is None:
        return ModelChoice(model, path, found[0], "It is the best guess: nothing is measured where there is no cache folder to remember it in.")
    note = find_note(cache, choice_key(path, found, recognised, recognised.spec.input, PICTURE_SIZE, None, cache))
    if note is None:
        return ModelChoice(model, path, None, "It is measured when the model is first opened, or now by --measure.")
    doubt = "" if note.settled else " The machine was too busy to be sure: --measure measures again."
    why = f"It was the fastest when measured on {note.day}.{doubt}"
    return ModelChoice(model, path, note.measured[0].target, why, note.measured, note.failed)
