# SPDX-License-Identifier: Apache-2.0
"""The keys of an encrypted connection: CurveZMQ, as libzmq has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from zmq.auth import load_certificate

from .errors import BridgeError

_KEY_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class CurveKeys:
    """What a client needs: the server's public key, and a pair of its own that the server knows. Each in Z85, 40 characters.

    Raises :class:`BridgeError` for anything else.
    """

    server_key: bytes
    public: bytes
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("server_key", "public", "secret"):
            if len(getattr(self, name)) != _KEY_CHARACTERS:
                raise BridgeError(f"The CURVE key {name} has {len(getattr(self, name))} characters; a key in Z85 has {_KEY_CHARACTERS}.")

    @classmethod
    def from_files(cls, server_key: str | Path, secret: str | Path) -> CurveKeys:
        """From the server's ``server.key`` and the client's own ``*.key_secret``, as ``depthbridge serve --curve`` makes them (the format of
        :mod:`zmq.auth`)."""
        public, own = _read(secret)
        if own is None:
            raise BridgeError(f"{secret} holds no secret key; give the client's own file, which ends in .key_secret.")
        return cls(_read(server_key)[0], public, own)

    @classmethod
    def from_folder(cls, folder: str | Path, client: str = "client") -> CurveKeys:
        """``server.key`` and ``<client>.key_secret`` of a folder, or of its ``clients`` folder, as it lies beside a server."""
        secret = Path(folder, f"{client}.key_secret")
        beside = Path(folder, "clients", secret.name)
        return cls.from_files(Path(folder, "server.key"), beside if beside.exists() and not secret.exists() else secret)

    def apply(self, socket: zmq.Socket[Any]) -> None:
        """Make a client's socket speak CURVE. Raises :class:`BridgeError` where this libzmq cannot, or a key is no key."""
        if not zmq.has("curve"):
            raise BridgeError("This pyzmq was built without CURVE; install the one of the package index, or connect without keys.")
        try:
            socket.curve_serverkey = self.server_key
            socket.curve_publickey = self.public
            socket.curve_secretkey = self.secret
        except zmq.ZMQError as error:
            raise BridgeError("A CURVE key is not one; give the files that depthbridge serve --curve made.") from error


def _read(path: str | Path) -> tuple[bytes, bytes | None]:
    try:
        return load_certificate(path)
    except (OSError, ValueError) as error:
        raise BridgeError(f"The CURVE key file {path} cannot be read ({error}); give one that depthbridge serve --curve made.") from error
