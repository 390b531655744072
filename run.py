#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything from a bare checkout: finds a fitting Python, makes .venv, installs the project into it, and runs.

    python3 run.py demo              the whole program once, into demo-out/
    python3 run.py test [ARGS...]    lint, types and all tests; with ARGS, pytest with those
    python3 run.py extension ...     the zip that Blender installs: --platform linux-x64|windows-x64|macos-arm64; --help has more
    python3 run.py extension-repo    every zip with an index, a repository for Blender on any web server
    python3 run.py unity-metas       writes the .meta files that the Unity package lacks (for who works on it)
    python3 run.py estimate ...      any other word is a sub-command of `depthbridge`

    --python 3.11|3.13       use this version (an environment of its own beside .venv)
    --blender 4.2|4.5|5.2    use this Blender's module and its Python; 4.2 with the numpy that it ships
    --runtime cpu|cuda       which onnxruntime to install (default cpu)
    --with EXTRA             installs one more extra of the project: openvino, tensorrt, int8, coco, evaluate, training

Standard library alone, and old enough in its syntax that an old Python gets a sentence and not a SyntaxError.
"""

import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

# Blender publishes its `bpy` wheels for these alone (4.5 LTS and 5.2 LTS); the rest of the project runs on 3.11 and later.
FITTING = ("3.13", "3.11")
# Blender -> its Python, the extra that brings its module, and the folder of an environment that nothing else may share.
BLENDERS = {"4.2": ("3.11", "blender42", ".venv-blender-4.2"), "4.5": ("3.11", "blender", None), "5.2": ("3.13", "blender", None)}
MORE_EXTRAS = ("openvino", "tensorrt", "int8", "coco", "evaluate", "training")
PACKAGING = ("extension", "extension-repo", "unity-metas")
ROOT = os.path.dirname(os.path.abspath(__file__))
STAMP = "depthbridge-install.json"


def main(arguments):
    wanted, runtime, blender, more = None, "cpu", None, []
    while arguments and arguments[0].startswith("--"):
        option = arguments.pop(0)
        if option == "--help":
            print(__doc__)
            return 0
        if option not in ("--python", "--runtime", "--blender", "--with") or not arguments:
            return fail("%s is not understood; `python3 run.py --help` lists what is." % option)
        value = arguments.pop(0)
        if option == "--python":
            wanted = value
        elif option == "--blender":
            blender = value
        elif option == "--with":
            more.append(value)
        else:
            runtime = value
    if not arguments or arguments[0] == "-h":
        print(__doc__)
        return 0 if arguments else 2
    if wanted is not None and wanted not in FITTING:
        return fail("--python takes %s: Blender's module exists for these alone." % " or ".join(FITTING))
    if runtime not in ("cpu", "cuda"):
        return fail("--runtime takes cpu or cuda.")
    if not set(more) <= set(MORE_EXTRAS):
        return fail("--with takes %s." % ", ".join(MORE_EXTRAS))
    if blender is not None and blender not in BLENDERS:
        return fail("--blender takes %s: those are the long-term releases with a module." % ", ".join(sorted(BLENDERS)))
    own_python, extra, apart = BLENDERS[blender] if blender else (wanted, "blender", None)
    if wanted not in (None, own_python):
        return fail("Blender %s has Python %s, not %s; leave --python out." % (blender, own_python, wanted))
    command, rest = arguments[0], arguments[1:]
    extras = [runtime, extra] + (["dev"] if command == "test" else []) + more
    python = environment(own_python, extras, apart)
    if python is None:
        return 2
    if command == "test":
        return test(python, rest)
    if command in PACKAGING:
        return subprocess.call([python, "-m", "depthbridge.packaging.main", command] + rest)
    if command == "demo" and not any(word in ("--out", "-h", "--help") or word.startswith("--out=") for word in rest):
        rest = ["--out", free_folder("demo-out")] + rest
    return subprocess.call([python, "-m", "depthbridge.cli.main", command] + rest)


# ---- the environment ------------------------------------------------------------------------------------------------


def environment(wanted, extras, apart=None):
    """The Python of an environment that has the project with `extras`; None when there cannot be one (it has been said why).

    `apart` names the folder of one that is shared with no other set of extras.
    """
    folder = os.path.join(ROOT, apart or ".venv")
    version = environment_version(folder)
    fitting = (wanted,) if apart else FITTING
    stranger = version not in fitting if version else os.path.exists(os.path.join(folder, "pyvenv.cfg"))
    if stranger:
        say("%s is of another Python (%s) or broken; it is left alone." % (folder, version or "which does not start"))
        folder += "-depthbridge"
        version = environment_version(folder)
    if version and wanted and version != wanted and not apart:
        folder = os.path.join(ROOT, ".venv-" + wanted)
        version = environment_version(folder)
    if version is None:
        interpreter, found = find_interpreter([wanted] if wanted else FITTING)
        if interpreter is None:
            fail(
                "Depthbridge needs CPython %s with its venv module, and none was found; install one "
                "(python.org, `uv python install 3.13` or `pyenv install 3.13`) and run this again." % (wanted or " or ".join(FITTING))
            )
            return None
        say("Making %s with Python %s (%s)" % (os.path.relpath(folder, ROOT), found, interpreter))
        if subprocess.call([interpreter, "-m", "venv", "--clear", folder]) != 0:
            fail("The environment %s could not be made; the lines above say why." % folder)
            return None
    return install(folder, extras)


def install(folder, extras):
    """Installs the project with `extras` unless the stamp says that this very set is there already."""
    python = environment_python(folder)
    stamp_path = os.path.join(folder, STAMP)
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        fingerprint = hashlib.sha256(file.read()).hexdigest()
    stamp = {}
    if os.path.exists(stamp_path):
        with open(stamp_path) as file:
            stamp = json.load(file)
    have = stamp.get("extras", []) if stamp.get("pyproject") == fingerprint and stamp.get("root") == ROOT else []
    if all(extra in have for extra in extras):
        return python
    wanted = sorted(set(extras) | set(have))
    say("Installing Depthbridge with %s (the first time takes a few minutes)" % ", ".join(wanted))
    if not run_pip([python, "-m", "pip", "install", "--disable-pip-version-check", "-e", "%s[%s]" % (ROOT, ",".join(wanted))]):
        return None
    temporary = stamp_path + ".part"
    with open(temporary, "w") as file:
        json.dump({"pyproject": fingerprint, "root": ROOT, "extras": wanted}, file)
    os.replace(temporary, stamp_path)
    return python


def run_pip(command):
    """Runs pip, showing one moving line on a terminal and the packages' names elsewhere; its whole output when it fails."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    lines, live = [], sys.stderr.isatty()
    for line in process.stdout:
        lines.append(line)
        text = line.strip()
        if text.startswith(("Collecting", "Downloading", "Building", "Installing", "Using cached")):
            if live:
                width = shutil.get_terminal_size().columns - 3
                sys.stderr.write("\r  %s\033[K" % text[:width])
            elif text.startswith(("Collecting", "Installing")):
                sys.stderr.write("  %s\n" % text[:120])
            sys.stderr.flush()
    if live:
        sys.stderr.write("\r\033[K")
    if process.wait() != 0:
        sys.stderr.write("".join(lines[-30:]))
        fail("The installation failed; the lines above are pip's. Running this again continues from its cache.")
        return False
    return True


def find_interpreter(versions):
    """(path, version) of the first working CPython among `versions`: this one, then PATH, then the usual version managers."""
    own = "%d.%d" % sys.version_info[:2]
    for version in versions:
        candidates = [sys.executable] if own == version else []
        candidates += [shutil.which("python" + version)]
        pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
        candidates += sorted(glob.glob(os.path.join(pyenv, "versions", version + ".*", "bin", "python")), reverse=True)
        uv = os.environ.get("UV_PYTHON_INSTALL_DIR", os.path.expanduser("~/.local/share/uv/python"))
        candidates += sorted(glob.glob(os.path.join(uv, "cpython-" + version + ".*", "bin", "python3")), reverse=True)
        candidates += ["/opt/homebrew/bin/python" + version, "/usr/local/bin/python" + version]
        if os.name == "nt" and shutil.which("py"):
            candidates.append(ask(["py", "-" + version, "-c", "import sys; print(sys.executable)"]))
        for candidate in candidates:
            # A version manager's shim exists even where its version is not selected: only running it tells.
            if candidate and os.path.exists(candidate) and python_version(candidate, modules="venv, ensurepip") == version:
                return candidate, version
    return None, None


def environment_python(folder):
    return os.path.join(folder, "Scripts", "python.exe") if os.name == "nt" else os.path.join(folder, "bin", "python")


def environment_version(folder):
    python = environment_python(folder)
    return python_version(python, modules="pip") if os.path.exists(python) else None


def python_version(python, modules):
    return ask([python, "-c", "import sys, %s; print('%%d.%%d' %% sys.version_info[:2])" % modules])


def free_folder(name):
    """`name`, or `name`-2, -3, ...: results of an earlier run stay."""
    number, folder = 1, name
    while os.path.isdir(folder) and os.listdir(folder):
        number += 1
        folder = "%s-%d" % (name, number)
    return folder


def ask(command):
    """What a command prints, or None when it fails."""
    try:
        return subprocess.check_output(command, stderr=subprocess.DEVNULL, universal_newlines=True).strip()
    except (OSError, subprocess.CalledProcessError):
        return None


# ---- the tests ------------------------------------------------------------------------------------------------------


def test(python, arguments):
    """All checks, stopping at none, so that one run shows everything; with arguments, pytest alone."""
    if arguments:
        return subprocess.call([python, "-m", "pytest"] + arguments, cwd=ROOT)
    failed = []
    steps = [("lint", lint), ("types", types), ("tests", lambda p: subprocess.call([p, "-m", "pytest", "-r", "fEs"], cwd=ROOT))]
    for name, step in steps:
        say(name)
        if step(python) != 0:
            failed.append(name)
    if failed:
        return fail("Failed: %s." % ", ".join(failed), status=1)
    say("All green.")
    return 0


def lint(python):
    return subprocess.call([python, "-m", "ruff", "check", "."], cwd=ROOT)


def types(python):
    """mypy sees the package through a link of its own name: the checkout may have any."""
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(ROOT, os.path.join(folder, "depthbridge"), target_is_directory=True)
        names = ("engines", "unity_bridge", "addon", "cli", "models", "packaging")
        packages = [word for name in names for word in ("-p", "depthbridge." + name)]
        places = ["--config-file", os.path.join(ROOT, "pyproject.toml"), "--cache-dir", os.path.join(ROOT, ".mypy_cache")]
        return subprocess.call([python, "-m", "mypy"] + places + packages, cwd=folder)


def say(text):
    sys.stderr.write("[depthbridge] %s\n" % text)
    sys.stderr.flush()


def fail(text, status=2):
    say(text)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
