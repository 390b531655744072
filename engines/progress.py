# SPDX-License-Identifier: Apache-2.0
"""How long work says what it is at."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]
"""Called with a sentence for the user, from the thread that works."""
