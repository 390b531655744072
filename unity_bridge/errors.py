# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between a client and a server. All are :class:`~..engines.errors.DepthbridgeError`, so every door reports them."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..engines.errors import DepthbridgeError, DepthKindError


class BridgeError(DepthbridgeError):
    """The bridge itself: an address that cannot be used, a client asked for something it cannot send."""

    code = "bridge"


class BridgeConnectionError(BridgeError):
    """No server could be reached."""

    code = "no_server"


class BridgeTimeoutError(BridgeError):
    """A server was reached and did not answer in time. The same client may ask again: a late answer is recognised and discarded."""

    code = "timeout"


class BridgeVersionError(BridgeError):
    """Client and server speak versions of the protocol that do not fit; the message names both."""

    code = "unsupported_version"


class RefusedError(BridgeError):
    """The server answered with an error. ``code`` is one of :class:`~.framing.ErrorCode`; ``retryable`` says whether the very same
    request may succeed later."""

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable

    def __reduce__(self) -> tuple[Any, ...]:
        # By default it would be copied, and sent to another process, with the message for its only argument.
        return partial(type(self), self.code, str(self), retryable=self.retryable), ()


class NoMetricDepthError(DepthKindError):
    """Distances in metres were asked of a depth map that has none."""

    code = "no_metric_depth"
