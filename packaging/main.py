# SPDX-License-Identifier: Apache-2.0
"""The commands ``extension``, ``extension-repo`` and ``unity-metas`` of run.py."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..engines.errors import DepthbridgeError
from . import pin
from .extension import PLATFORMS, Variant, build, default_cache
from .repository import build_repository
from .unity_metas import PACKAGE, write
from .wheels import RUNTIMES

_OUT = click.option("--out", type=click.Path(path_type=Path), default=None, metavar="DIR", help="Folder for the result.")
_WHEELS = click.option(
    "--wheels", "cache", type=click.Path(path_type=Path), default=None, metavar="DIR", help="Where downloaded wheels are kept between builds."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Packs the Blender extension and keeps the Unity package in order.

    Wheels come through pip and are verified; Blender's own builder packs and judges the zip.
    """


@cli.command()
@click.option("--platform", metavar="|".join(PLATFORMS), help="Whose zip.")
@click.option("--runtime", default="cpu", show_default=True, metavar="|".join(RUNTIMES), help="The engine's runtime; DirectML is Windows's.")
@click.option("--python", metavar="3.N", help="For this Python alone (3.14: Blenders of Linux distributions) instead of 3.11 and 3.13.")
@click.option("--fallback", is_flag=True, help="For any Python: opens depth files and uses a remote engine, has none of its own.")
@click.option("--pin", "pin_anew", is_flag=True, help="Write packaging/wheels.toml anew with the newest wheels instead of building.")
@_OUT
@_WHEELS
def extension(
    platform: str | None, runtime: str, python: str | None, fallback: bool, pin_anew: bool, out: Path | None, cache: Path | None
) -> None:
    """One zip for one platform, into dist/ unless --out says otherwise; prints its path."""
    if pin_anew:
        pin.pin()
        return
    if platform is None:
        raise click.UsageError(f"--platform is needed: one of {', '.join(PLATFORMS)}.")
    print(build(Variant(platform, runtime, python, fallback), out or Path("dist"), cache or default_cache()))


@cli.command("extension-repo")
@click.option("--platform", "platforms", multiple=True, type=click.Choice(PLATFORMS), help="Only this one; may be given again.")
@_OUT
@_WHEELS
def extension_repo(platforms: tuple[str, ...], out: Path | None, cache: Path | None) -> None:
    """Every zip with Blender's index, to be put on any web server, into dist/extension-repo unless --out says otherwise."""
    print(build_repository(out or Path("dist", "extension-repo"), cache or default_cache(), platforms or PLATFORMS))


@cli.command("unity-metas")
def unity_metas() -> None:
    """Write the .meta files that the Unity package lacks, and remove those whose file is gone; prints their paths."""
    for path in write(PACKAGE):
        print(path)


def main() -> None:
    """One line on stderr and exit status 2 for bad input, never a traceback."""
    try:
        cli.main(standalone_mode=False)
    except DepthbridgeError as error:
        print(f"depthbridge: {error}", file=sys.stderr)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
