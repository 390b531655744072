# SPDX-License-Identifier: Apache-2.0
"""Who may reach a server: which address it binds to, and the token or keys that an address off the loopback needs."""

from __future__ import annotations

import hmac
import ipaddress
import os
import re
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from ..errors import BridgeError
from .keys import ServerKeys

_ADDRESS = re.compile(r"tcp://(\[[^\[\]]+\]|[^:\[\]/]+):(\d{1,5}|\*)/?")
_LOOPBACK_INTERFACES = ("lo", "lo0")


@dataclass(frozen=True, slots=True)
class Access:
    """``token``: what every request has to carry, or None. ``keys``: CURVE's, or None for connections that are not encrypted.

    Raises :class:`BridgeError` for an empty token.
    """

    token: str | None = None
    keys: ServerKeys | None = None

    def __post_init__(self) -> None:
        if self.token is not None and not self.token.strip():
            raise BridgeError("The token is empty, so that whoever sends none would be let in; give one, or None for a server without.")

    @property
    def open(self) -> bool:
        """Whether whoever reaches the address may use the server."""
        return self.token is None and self.keys is None

    def admits(self, token: str | None) -> bool:
        """Whether a request with this token is let in. The comparison takes as long for any wrong token."""
        if self.token is None:
            return True
        return hmac.compare_digest((token or "").encode("utf-8", "surrogatepass"), self.token.encode())


@dataclass(frozen=True, slots=True)
class BindAddress:
    """An address as ZeroMQ takes it, and whether only this machine reaches it."""

    text: str
    loopback: bool


def bind_address(bind: str, access: Access) -> BindAddress:
    """``tcp://HOST:PORT``: numbers, ``*``, a name of this machine, or of one of its network interfaces; port 0 is any free one.

    Raises :class:`BridgeError` for anything else, and for an address that others reach while ``access`` is open.
    """
    found = _ADDRESS.fullmatch(bind)
    if found is None or (found[2] != "*" and int(found[2]) > 65535):
        raise BridgeError(f"The address {bind!r} is not understood; write it as tcp://127.0.0.1:5577.")
    host, loopback = _host(found[1].strip("[]"), bind)
    if not loopback and access.open:
        raise BridgeError(
            f"The address {bind!r} is not on this machine's loopback, so that others could use the server: give it a --token-file or --curve, "
            "or bind to tcp://127.0.0.1:PORT, and reach it from elsewhere through an SSH tunnel."
        )
    return BindAddress(f"tcp://[{host}]:{found[2]}" if ":" in host else f"tcp://{host}:{found[2]}", loopback)


def _host(host: str, bind: str) -> tuple[str, bool]:
    """The host as ZeroMQ takes it, and whether it is the loopback's."""
    if host == "*":
        return host, False
    if host == "localhost" or host in _LOOPBACK_INTERFACES:
        return "127.0.0.1", True  # ZeroMQ binds to numbers only
    try:
        return host, ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    if host in _interfaces():
        return host, False  # ZeroMQ knows their addresses
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BridgeError(
            f"The address {bind!r} names {host!r}, which is neither a host nor a network interface known here; give the number of an "
            "address of this machine, or * for all of them."
        ) from error
    # IPv4 first: what most clients try.
    address = str(min(found, key=lambda info: info[0] != socket.AF_INET)[4][0])
    return address, ipaddress.ip_address(address).is_loopback


def _interfaces() -> set[str]:
    try:
        return {name for _, name in socket.if_nameindex()}
    except OSError:
        return set()


def others_may_read(path: Path) -> bool:
    """Whether the file's mode lets every user of this machine read it; False where modes say nothing."""
    return os.name == "posix" and bool(path.stat().st_mode & stat.S_IROTH)


def unencrypted_warning(address: BindAddress, access: Access) -> str | None:
    """One sentence when secrets cross the network in the clear, else None."""
    if address.loopback or access.keys is not None:
        return None
    return f"The token, the pictures and the answers cross the network to {address.text} unencrypted; use --curve where others may listen."
