# SPDX-License-Identifier: GPL-3.0-or-later
"""A depth server that estimates in place of this machine: where it is, and what it wants to see of whoever asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...engines.cancel import CancelToken
from ...engines.errors import DepthbridgeError

if TYPE_CHECKING:
    from ...unity_bridge.client import CurveKeys, RemoteEstimator


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """``address``: such as ``tcp://127.0.0.1:5577``. ``token``: of a server started with ``--token-file``. ``keys``: the folder with the two
    files, ``server.key`` and ``client.key_secret``, that let in to a server started with ``--curve``."""

    address: str
    token: str | None = field(default=None, repr=False)
    keys: Path | None = None

    def estimator(self, cancel: CancelToken | None = None) -> RemoteEstimator:
        """Its model, ready to be asked; close it. Raises a ``DepthbridgeError``."""
        try:
            from ...unity_bridge.client import RemoteEstimator
        except ImportError as error:
            raise _no_pyzmq(error) from error
        return RemoteEstimator(self.address, token=self.token, curve=self._curve(), cancel=cancel)

    def greeting(self, timeout_s: float) -> str:
        """One line about who answers. Raises a ``DepthbridgeError`` when nobody does, or one that speaks otherwise."""
        try:
            from ...unity_bridge.client import DepthClient
        except ImportError as error:
            raise _no_pyzmq(error) from error
        with DepthClient(self.address, timeout_s=timeout_s, token=self.token, curve=self._curve()) as client:
            info = client.hello()
        return f"{self.address} answers: {info.model}, Depthbridge {info.server_version}."

    def _curve(self) -> CurveKeys | None:
        from ...unity_bridge.client import CurveKeys

        return None if self.keys is None else CurveKeys.from_folder(self.keys)


def token_in(path: Path) -> str:
    """A token as the server that was started with the same file has it. Raises a ``DepthbridgeError``."""
    try:
        from ...unity_bridge.client import read_token
    except ImportError as error:
        raise _no_pyzmq(error) from error
    return read_token(path)


def _no_pyzmq(error: ImportError) -> DepthbridgeError:
    return DepthbridgeError(
        f"A remote engine needs pyzmq, which does not load here ({error}); install the extension again, or clear the engine's address."
    )
