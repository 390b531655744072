# SPDX-License-Identifier: Apache-2.0
"""The file with a server's token: both ends read it by the same rule."""

from __future__ import annotations

from pathlib import Path

from .errors import BridgeError

_LEAST_CHARACTERS = 16


def read_token(path: Path) -> str:
    """The first line of a file, as a server and its clients read it. Raises :class:`BridgeError` when that has fewer than 16 characters."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            token = file.readline(4096).strip()
    except OSError as error:
        raise BridgeError(
            f"The token file {path} cannot be read ({error.strerror}); give the path of a file with a token in its first line."
        ) from error
    except UnicodeDecodeError as error:
        raise BridgeError(f"The token file {path} is not text in UTF-8; write the token as one line of text.") from error
    if len(token) < _LEAST_CHARACTERS:
        raise BridgeError(
            f"The first line of the token file {path} has {len(token)} characters; a token needs at least {_LEAST_CHARACTERS}, for instance "
            'those of: python -c "import secrets; print(secrets.token_urlsafe())"'
        )
    return token
