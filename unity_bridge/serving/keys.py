# SPDX-License-Identifier: Apache-2.0
"""CURVE keys of a server, in a folder: its own pair, and the public keys of those who may connect. Files as ``zmq.auth`` writes them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import zmq
import zmq.auth
from zmq.utils import z85

from ...engines.atomic import atomic_folder_contents, atomic_path, make_folder
from ..errors import BridgeError

_PUBLIC, _SECRET = "server.key", "server.key_secret"
_CLIENTS = "clients"
_CLIENT = "client"


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """The server's pair (40 characters each), and the folder of its clients' public keys, ``*.key``."""

    public: bytes
    secret: bytes
    clients: Path

    def admits(self, client_key: bytes) -> bool:
        """Whether the public key (32 bytes) is in the folder, which is read anew: whoever is added there may come in at once.

        Raises :class:`BridgeError` when it is in none of the files that can be read, and there is one that cannot.
        """
        wanted = z85.encode(client_key)
        damaged: BridgeError | None = None
        for path in sorted(self.clients.glob("*.key")):
            try:
                if _read(path)[0] == wanted:
                    return True
            except BridgeError as error:
                damaged = error
        if damaged is not None:
            raise damaged
        return False


@dataclass(frozen=True, slots=True)
class OpenedKeys:
    """A server's keys; the two files that a client needs, where a pair for one is here; and whether something was made just now."""

    keys: ServerKeys
    for_client: tuple[Path, ...]
    made: bool


def open_keys(folder: Path) -> OpenedKeys:
    """The keys in ``folder``. What is missing is made, secrets readable by their owner alone; what is there is never overwritten.

    A first client's pair is made when no client is known. Raises :class:`BridgeError` for keys that cannot be read and for a pair that is
    half there (but the server's public half is written again from its secret one), and ``OutputError`` when nothing can be written.
    """
    if not zmq.has("curve"):
        raise BridgeError("The ZeroMQ library here was built without CURVE; install pyzmq from its wheels, or use --token-file.")
    clients = folder / _CLIENTS
    for place in (folder, clients):
        make_folder(place)
    made = False
    if not (folder / _SECRET).exists():
        if (folder / _PUBLIC).exists():
            raise BridgeError(
                f"{folder / _PUBLIC} is there and {_SECRET} is not; bring the secret half back, or remove the public one for a new pair."
            )
        _make_pair(folder, "server")
        made = True
    public, secret = _read(folder / _SECRET)
    if secret is None:
        raise BridgeError(f"{folder / _SECRET} holds no secret key; bring back the file that was made with {_PUBLIC}.")
    if not (folder / _PUBLIC).exists():
        _write_public(folder / _PUBLIC, public)
        made = True
    if not any(clients.glob("*.key")):
        if (clients / f"{_CLIENT}.key_secret").exists():  # taken away on purpose, perhaps: whoever it was does not come in by a restart
            raise BridgeError(
                f"{clients} has no *.key, so that nobody could come in; bring back the public key of a client, or remove "
                f"{_CLIENT}.key_secret there for a new pair."
            )
        _make_pair(clients, _CLIENT)
        made = True
    client_secret = clients / f"{_CLIENT}.key_secret"
    for_client = (folder / _PUBLIC, client_secret) if client_secret.exists() else ()
    return OpenedKeys(ServerKeys(public, secret, clients), for_client, made)


def _make_pair(folder: Path, name: str) -> None:
    """``name.key`` and ``name.key_secret``, both or neither, and over nothing that is there."""
    with atomic_folder_contents(folder) as staging:
        zmq.auth.create_certificates(staging, name)
        (staging / f"{name}.key_secret").chmod(0o600)


def _write_public(path: Path, key: bytes) -> None:
    """In the one line that readers of the format look for."""
    with atomic_path(path) as staged:
        staged.write_text(f'metadata\ncurve\n    public-key = "{key.decode("ascii")}"\n', encoding="utf-8")


def _read(path: Path) -> tuple[bytes, bytes | None]:
    try:
        public, secret = zmq.auth.load_certificate(path)
        if any(len(z85.decode(key)) != 32 for key in (public, secret) if key is not None):
            raise ValueError("its keys are not 40 characters long")
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise BridgeError(f"The key file {path} cannot be read ({why}); it is no file that zmq.auth wrote.") from error
    return public, secret
