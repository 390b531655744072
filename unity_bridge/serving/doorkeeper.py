# SPDX-License-Identifier: Apache-2.0
"""Who connects, before they can say anything: CURVE keys checked (ZeroMQ's ZAP, RFC 27), and what the socket reports of failed handshakes.

ZeroMQ turns a client away without a word to either side; only the socket's monitor tells of it.
"""

from __future__ import annotations

import logging
import socket
import struct

import zmq

from .access import Access
from .keys import ServerKeys
from .seldom import SeldomLog

_log = logging.getLogger(__name__)

_ZAP_ADDRESS = "inproc://zeromq.zap.01"
_ZAP_VERSION = b"1.0"
_DOMAIN = b"depthbridge"
_EVENTS = (
    zmq.EVENT_ACCEPTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
# A client without keys and a server with them both end their connection at once; where the client is the quicker, ZeroMQ tells no more.
_BROKEN_OFF = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
# zmq.h: ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH; every other protocol error of a CURVE handshake is one of its cryptography.
_MECHANISM_MISMATCH = 0x11000002


class Doorkeeper:
    """For the thread that owns the ROUTER. ``clients`` counts the connections that are up, ``turned_away`` the handshakes that failed."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], router: zmq.Socket[bytes], access: Access) -> None:
        self.clients = 0
        self.turned_away = 0
        self._keys = access.keys
        self._log = SeldomLog(_log)
        self._router = router
        # Connections by their descriptor: address of the peer, and whether its handshake is through.
        self._handshaking: dict[int, str] = {}
        self._connected: dict[int, str] = {}
        self._monitor: zmq.Socket[bytes] = router.get_monitor_socket(_EVENTS if self._keys is None else _EVENTS | _BROKEN_OFF)
        self._zap: zmq.Socket[bytes] | None = None
        if self._keys is not None:
            self._zap = context.socket(zmq.REP)
            self._zap.linger = 0
            self._zap.bind(_ZAP_ADDRESS)
            router.curve_server = True
            router.curve_publickey = self._keys.public
            router.curve_secretkey = self._keys.secret
            router.zap_domain = _DOMAIN

    def register(self, poller: zmq.Poller) -> None:
        """Its sockets, to be polled for input."""
        poller.register(self._monitor, zmq.POLLIN)
        if self._zap is not None:
            poller.register(self._zap, zmq.POLLIN)

    def attend(self, ready: dict[zmq.Socket[bytes], int]) -> None:
        """Whatever came in at them."""
        if self._zap is not None and self._keys is not None and self._zap in ready:
            self._check_keys(self._zap, self._keys)
        if self._monitor in ready:
            event, value = struct.unpack("=Hi", self._monitor.recv_multipart()[0])
            self._note(event, value)

    def close(self) -> None:
        """Before the ROUTER is closed."""
        self._router.disable_monitor()
        self._monitor.close(linger=0)
        if self._zap is not None:
            self._zap.close(linger=0)

    def _check_keys(self, zap: zmq.Socket[bytes], keys: ServerKeys) -> None:
        frames = zap.recv_multipart()
        request_id = frames[1] if len(frames) > 1 else b""
        admitted, reason = False, b"not a CURVE handshake"
        if len(frames) == 7 and frames[0] == _ZAP_VERSION and frames[2] == _DOMAIN and frames[5] == b"CURVE" and len(frames[6]) == 32:
            try:
                admitted, reason = keys.admits(frames[6]), b"unknown key"
            except Exception as error:  # a damaged file among the keys; a handshake without an answer would hang
                reason = b"the server's keys cannot be read"
                self._log.say("keys", f"A client was turned away: {error}")
        zap.send_multipart([_ZAP_VERSION, request_id, *((b"200", b"OK") if admitted else (b"400", reason)), b"", b""])

    def _note(self, event: int, value: int) -> None:
        if event == zmq.EVENT_ACCEPTED:
            self._handshaking[value] = _peer(value)
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            # The event does not say whose; of several under way at once it is the one that began first, nearly always.
            if self._handshaking:
                descriptor = next(iter(self._handshaking))
                self._connected[descriptor] = self._handshaking.pop(descriptor)
        elif event == zmq.EVENT_DISCONNECTED:
            self._handshaking.pop(value, None)
            self._connected.pop(value, None)
        else:
            self.turned_away += 1
            self._tell(event, value)
        self.clients = len(self._connected)

    def _tell(self, event: int, value: int) -> None:
        if self._keys is None:
            return
        # Its connection is the last one that is still shaking hands, unless several are.
        peer = next(reversed(self._handshaking.values()), "address unknown")
        folder = self._keys.clients
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            text = f"A client whose public key is not in {folder} was turned away ({peer}); copy its .key file there."
        elif event == _BROKEN_OFF or value == _MECHANISM_MISMATCH:
            text = f"A client without keys was turned away ({peer}); it needs {folder.parent / 'server.key'} and a secret key of its own."
        else:
            text = f"A client that has another server's key was turned away ({peer}); give it {folder.parent / 'server.key'}."
        self._log.say(text.partition("(")[0], text)


def _peer(descriptor: int) -> str:
    """The address at the other end of a connection of ZeroMQ's, which may be gone by now."""
    try:
        connection = socket.socket(fileno=descriptor)
    except OSError:
        return "address unknown"
    try:
        return str(connection.getpeername()[0])
    except (OSError, IndexError):
        return "address unknown"
    finally:
        connection.detach()  # it stays ZeroMQ's
