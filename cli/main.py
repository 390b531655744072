# SPDX-License-Identifier: Apache-2.0
"""The ``depthbridge`` command. Sub-commands load when they are called, so that ``--help`` is quick and a missing extra hurts nobody."""

from __future__ import annotations

import importlib
import signal
import sys
from contextlib import suppress

import click

from .. import __version__
from ..engines.errors import DepthbridgeError

# Sub-command -> the module of this package that defines it, in the order a newcomer needs them, and its line in --help.
_COMMANDS = {
    "demo": "The whole thing once: picture, scene, capture, distances.",
    "estimate": "Depth of pictures, as files.",
    "scene": "A picture as a Blender scene.",
    "annotate": "Distances for the objects of a capture folder.",
    "evaluate": "Errors of models on data sets with true depth, side by side.",
    "serve": "Answer Unity's frames with distances, over ZeroMQ.",
    "models": "List, fetch, verify and add models.",
    "engines": "Compile models for this machine ahead of time; list and clear what is kept.",
    "doctor": "What runs models here, why, and what would be faster.",
    "bench": "Frames per second of every runtime on this machine.",
}


class _LazyGroup(click.Group):
    """Knows its commands by name; imports one only to run it or to show its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f".{cmd_name}", package=__package__)
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="depthbridge")
def cli() -> None:
    """Depth Anything in Blender and for Unity: geometry and metres from a picture, without torch."""


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit status 2, never a traceback."""
    try:
        status = cli.main(standalone_mode=False)
    except DepthbridgeError as error:
        print(f"depthbridge: {error}", file=sys.stderr)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except (click.Abort, KeyboardInterrupt):
        with suppress(ValueError):  # no main thread
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one, while threads end, is obeyed at once and without a traceback
        print("depthbridge: stopped.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output left (`| head`): not an error of ours, and nothing more can be said on stdout.
        sys.stderr.close()
        sys.exit(141)
    # Without click's standalone mode, `ctx.exit(n)` comes back as a value.
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
