# SPDX-License-Identifier: Apache-2.0
"""The one family of errors a user can meet.

Every message is one sentence (or two) that says what was wrong, with which input, and what to do about it.
The command line prints it and exits 2, the server sends it with :attr:`DepthbridgeError.code`, the panel reports it.
"""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """What an exception of a library says, its first line; its class where it says nothing."""
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__


class DepthbridgeError(Exception):
    """Base of all errors caused by input, configuration or environment. ``code`` is stable and machine-readable."""

    code = "error"


class ImageError(DepthbridgeError):
    """An image that is missing, broken, too large or of a kind that cannot be read."""

    code = "bad_image"


class CameraError(DepthbridgeError):
    """Intrinsics that are missing where they are needed, or not those of a camera."""

    code = "bad_camera"


class ModelError(DepthbridgeError):
    """A model that is unknown, not installed, damaged, or whose inputs and outputs are not understood."""

    code = "bad_model"


class RuntimeUnavailableError(DepthbridgeError):
    """No installed inference runtime can do what was asked."""

    code = "runtime_unavailable"


class DepthKindError(DepthbridgeError):
    """An operation that the kind of a depth map does not allow, such as metres from relative depth."""

    code = "wrong_depth_kind"


class OutputError(DepthbridgeError):
    """A result that could not be written; nothing half-written is left."""

    code = "cannot_write"


class CaptureError(DepthbridgeError):
    """A capture folder that breaks the format."""

    code = "bad_capture"


class CancelledError(DepthbridgeError):
    """Work that was stopped on request. Nothing went wrong: who asked for it wants no report."""

    code = "cancelled"


class DownloadError(DepthbridgeError):
    """A download that failed or did not match what its host promised."""

    code = "download_failed"


class DownloadCancelledError(DownloadError, CancelledError):
    """A download that was stopped on request."""

    code = "cancelled"
