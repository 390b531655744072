# SPDX-License-Identifier: Apache-2.0
"""The header of an OpenEXR file: which channels it has, and rewriting it so that OpenCV reads any one of them.

OpenCV reads channels called R, G, B, A and Y alone. A renderer's depth is called ``Z``, ``V`` or ``ViewLayer.Depth.Z``. Pixels are stored per
line in the alphabetical order of the channels' names, so that calling the wanted one ``Y``, those before it ``C0000``, ``C0001`` and those
after it ``Z0000``, ``Z0001`` keeps the order, and nothing but the header and the table of offsets behind it changes. Layout: "OpenEXR File
Layout", openexr.com.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_MAGIC = b"v/1\x01"
_DEEP, _MULTIPART = 0x800, 0x1000
_TYPES = ("uint", "half", "float")


class ExrHeaderError(ValueError):
    """A header that is damaged, or of a kind (deep, several parts) that is not read. The message completes "FILE ..."."""


@dataclass(frozen=True, slots=True)
class ExrChannel:
    """``kind``: ``uint``, ``half`` or ``float``. ``sampled``: whether it has a value at every pixel."""

    name: str
    kind: str
    sampled: bool


@dataclass(frozen=True, slots=True)
class _Attribute:
    name: bytes
    kind: bytes
    value: bytes

    def to_bytes(self) -> bytes:
        return self.name + b"\0" + self.kind + b"\0" + struct.pack("<i", len(self.value)) + self.value


class ExrHeader:
    """The parsed header of a whole file's ``content``. Raises :class:`ExrHeaderError`."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        try:
            self._attributes, self._end = _read_attributes(content)
            by_name = {attribute.name: attribute.value for attribute in self._attributes}
            self.channels, self._tails = _read_channels(by_name[b"channels"])
            left, top, right, bottom = struct.unpack("<4i", by_name[b"dataWindow"])
        except (struct.error, KeyError, IndexError, UnicodeDecodeError) as error:
            raise ExrHeaderError("has a damaged header; write or download it again") from error
        self.width: int = right - left + 1
        self.height: int = bottom - top + 1
        self._by_name = by_name
        if self.width < 1 or self.height < 1 or not self.channels:
            raise ExrHeaderError("holds no pixels; write it again")

    def text(self, name: str) -> str | None:
        """The text of the string attribute ``name``, None when there is none."""
        value = self._by_name.get(name.encode())
        return None if value is None else value.decode("utf-8", "replace")

    def with_text(self, name: str, text: str) -> bytes:
        """The file with one more string attribute."""
        return self._rebuild([*self._attributes, _Attribute(name.encode(), b"string", text.encode())])

    def showing_only(self, channel: ExrChannel) -> bytes:
        """The file with ``channel`` called ``Y`` and no other that OpenCV knows."""
        place = self.channels.index(channel)
        names = [b"C%04d" % index if index < place else b"Z%04d" % index for index in range(len(self.channels))]
        names[place] = b"Y"
        listing = b"".join(name + b"\0" + tail for name, tail in zip(names, self._tails, strict=True)) + b"\0"
        renamed = [_Attribute(a.name, a.kind, listing) if a.name == b"channels" else a for a in self._attributes]
        return self._rebuild(renamed)

    def _rebuild(self, attributes: list[_Attribute]) -> bytes:
        header = self._content[:8] + b"".join(attribute.to_bytes() for attribute in attributes) + b"\0"
        offsets = self._offsets()
        moved = len(header) - self._end
        table = struct.pack(f"<{len(offsets)}Q", *(offset + moved for offset in offsets))
        return header + table + self._content[self._end + 8 * len(offsets) :]

    def _offsets(self) -> tuple[int, ...]:
        """Where in the file each block of pixels begins. The table ends where the first block begins, whichever entry that is."""
        first, offsets, size = len(self._content), [], len(self._content)
        place = self._end
        while place < first:
            if place + 8 > size:
                raise ExrHeaderError("is cut short; write or download it again")
            offset = struct.unpack_from("<Q", self._content, place)[0]
            if not self._end < offset < size:
                raise ExrHeaderError("is cut short or was never finished; write it again")
            offsets.append(offset)
            first = min(first, offset)
            place += 8
        if place != first:
            raise ExrHeaderError("has a damaged table of offsets; write or download it again")
        return tuple(offsets)


def _read_attributes(content: bytes) -> tuple[list[_Attribute], int]:
    if content[:4] != _MAGIC:
        raise ExrHeaderError("is no OpenEXR file")
    flags = struct.unpack_from("<I", content, 4)[0]
    if flags & _DEEP:
        raise ExrHeaderError("holds deep pixels; save it as an ordinary OpenEXR file")
    if flags & _MULTIPART:
        raise ExrHeaderError("has several parts; save depth as an OpenEXR file of one part")
    attributes, place = [], 8
    while content[place] != 0:
        name, place = _word(content, place)
        kind, place = _word(content, place)
        size = struct.unpack_from("<i", content, place)[0]
        place += 4
        if not 0 <= size <= len(content) - place:
            raise ExrHeaderError("has a damaged header; write or download it again")
        attributes.append(_Attribute(name, kind, content[place : place + size]))
        place += size
    return attributes, place + 1


def _read_channels(listing: bytes) -> tuple[tuple[ExrChannel, ...], list[bytes]]:
    """The channels, and what follows each name: type, a flag, sampling."""
    channels, tails, place = [], [], 0
    while listing[place] != 0:
        name, place = _word(listing, place)
        tail = listing[place : place + 16]
        kind, x_step, y_step = struct.unpack("<i4x2i", tail) if len(tail) == 16 else (-1, 0, 0)
        if not 0 <= kind < len(_TYPES):
            raise ExrHeaderError("has a damaged list of channels; write or download it again")
        channels.append(ExrChannel(name.decode("utf-8"), _TYPES[kind], (x_step, y_step) == (1, 1)))
        tails.append(tail)
        place += 16
    return tuple(channels), tails


def _word(content: bytes, place: int) -> tuple[bytes, int]:
    end = content.find(b"\0", place, place + 256)
    if end < 0:
        raise ExrHeaderError("has a damaged header; write or download it again")
    return content[place:end], end + 1
