# SPDX-License-Identifier: Apache-2.0
"""The layout of an OpenEXR file: its parts and channels, and rewriting it so that OpenCV reads any one of them.

OpenCV reads channels called R, G, B, A and Y of the first part alone. A renderer's depth is called ``Z``, ``V`` or ``ViewLayer.Depth.Z``, and
Blender 5 gives each pass a part of its own. Within a part, pixels are stored per line in the alphabetical order of the channels' names, so
that calling the wanted one ``Y``, those before it ``C0000``, ``C0001`` and those after it ``Z0000``, ``Z0001`` keeps the order: header and
table of offsets are written anew, and the compressed pixels copied. Layout: "OpenEXR File Layout", openexr.com.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_MAGIC = b"v/1\x01"
_TILED, _DEEP, _MULTIPART = 0x200, 0x800, 0x1000
_TYPES = ("uint", "half", "float")


class ExrLayoutError(ValueError):
    """A file that is damaged, or of a kind (deep) that is not read. The message completes "FILE ..."."""


@dataclass(frozen=True, slots=True)
class ExrChannel:
    """``name``: with that of its part before it, when it does not say it itself. ``kind``: ``uint``, ``half`` or ``float``. ``sampled``:
    whether it has a value at every pixel. ``part``, ``place``: where it stands. ``width``, ``height``: its pixels."""

    name: str
    kind: str
    sampled: bool
    part: int
    place: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Attribute:
    name: bytes
    kind: bytes
    value: bytes

    def to_bytes(self) -> bytes:
        return self.name + b"\0" + self.kind + b"\0" + struct.pack("<i", len(self.value)) + self.value


class _Part:
    """The header of one part. ``tails``: what follows each channel's name: type, a flag, sampling."""

    def __init__(self, attributes: list[_Attribute], number: int, tiled: bool) -> None:
        self.attributes = attributes
        self.values = {attribute.name: attribute.value for attribute in attributes}
        self.tiled = tiled or self.values.get(b"type") == b"tiledimage"
        left, top, right, bottom = struct.unpack("<4i", self.values[b"dataWindow"])
        size = (right - left + 1, bottom - top + 1)
        listing = _read_channels(self.values[b"channels"])
        if min(size) < 1 or not listing:
            raise ExrLayoutError("holds no pixels; write it again")
        prefix = self.values.get(b"name", b"").decode("utf-8")
        self.tails = [tail for _, tail in listing]
        self.channels: list[ExrChannel] = []
        for place, (raw, tail) in enumerate(listing):
            kind, x_step, y_step = struct.unpack("<i4x2i", tail)
            if not 0 <= kind < len(_TYPES):
                raise ExrLayoutError("has a damaged list of channels; write or download it again")
            name = raw.decode("utf-8")
            full = name if not prefix or name.startswith(prefix + ".") else f"{prefix}.{name}"
            self.channels.append(ExrChannel(full, _TYPES[kind], (x_step, y_step) == (1, 1), number, place, *size))


class ExrLayout:
    """The headers of a whole file's ``content``. Raises :class:`ExrLayoutError`."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        try:
            if content[:4] != _MAGIC:
                raise ExrLayoutError("is no OpenEXR file")
            self._flags = struct.unpack_from("<I", content, 4)[0]
            if self._flags & _DEEP:
                raise ExrLayoutError("holds deep pixels; save it as an ordinary OpenEXR file")
            self._parts, self._end = self._read_parts()
        except (struct.error, KeyError, IndexError, UnicodeDecodeError) as error:
            raise ExrLayoutError("has a damaged header; write or download it again") from error
        self.channels: tuple[ExrChannel, ...] = tuple(channel for part in self._parts for channel in part.channels)

    def text(self, name: str) -> str | None:
        """The text of the first part's attribute ``name``, None when there is none."""
        value = self._parts[0].values.get(name.encode())
        return None if value is None else value.decode("utf-8", "replace")

    def with_text(self, name: str, text: str) -> bytes:
        """A file of one part, the first, with one more text attribute."""
        attributes = [*self._parts[0].attributes, _Attribute(name.encode(), b"string", text.encode())]
        return self._rebuild(0, attributes)

    def check_whole(self) -> None:
        """Raises :class:`ExrLayoutError` unless all blocks of pixels are there in full."""
        for number in range(len(self._parts)):
            try:
                self._blocks(number)
            except (struct.error, KeyError) as error:
                raise ExrLayoutError("is cut short; write or download it again") from error

    def showing_only(self, channel: ExrChannel) -> bytes:
        """A file of one part, that of ``channel``, which is called ``Y`` there, and no other channel as OpenCV knows them."""
        part = self._parts[channel.part]
        names = [b"C%04d" % index if index < channel.place else b"Z%04d" % index for index in range(len(part.tails))]
        names[channel.place] = b"Y"
        listing = b"".join(name + b"\0" + tail for name, tail in zip(names, part.tails, strict=True)) + b"\0"
        renamed = [_Attribute(a.name, a.kind, listing) if a.name == b"channels" else a for a in part.attributes]
        return self._rebuild(channel.part, renamed)

    # ---- reading -----------------------------------------------------------------------------------------------

    def _read_parts(self) -> tuple[list[_Part], int]:
        content, several, place = self._content, bool(self._flags & _MULTIPART), 8
        parts: list[_Part] = []
        while not parts or (several and content[place] != 0):
            attributes, place = _read_attributes(content, place)
            parts.append(_Part(attributes, len(parts), bool(self._flags & _TILED)))
            if parts[-1].values.get(b"type", b"").startswith(b"deep"):
                raise ExrLayoutError("holds deep pixels; save it as an ordinary OpenEXR file")
        return parts, place + (1 if several else 0)

    def _offsets(self, number: int) -> tuple[int, ...]:
        """Where in the file each block of pixels of a part begins."""
        content, place = self._content, self._end
        if self._flags & _MULTIPART:
            counts = [struct.unpack("<i", part.values[b"chunkCount"])[0] for part in self._parts]
            if min(counts) < 0 or place + 8 * sum(counts) > len(content):
                raise ExrLayoutError("is cut short; write or download it again")
            return struct.unpack_from(f"<{counts[number]}Q", content, place + 8 * sum(counts[:number]))
        # The length of the table is not written: it ends where the first block begins, whichever entry that is.
        offsets: list[int] = []
        first = len(content)
        while place < first:
            offset = struct.unpack_from("<Q", content, place)[0]
            offsets.append(offset)
            first = min(first, max(offset, place + 8))
            place += 8
        return tuple(offsets)

    def _blocks(self, number: int) -> list[bytes]:
        """The blocks of pixels of a part, as a file of one part has them: coordinates, size, compressed pixels."""
        content = self._content
        skip = 4 if self._flags & _MULTIPART else 0  # the part's number
        head = 20 if self._parts[number].tiled else 8
        blocks, total = [], 0
        for offset in self._offsets(number):
            start = offset + skip
            if offset < self._end or start + head > len(content):
                raise ExrLayoutError("is cut short or was never finished; write it again")
            size = struct.unpack_from("<i", content, start + head - 4)[0]
            if size < 0 or start + head + size > len(content):
                raise ExrLayoutError("is cut short or was never finished; write it again")
            total += head + size
            if total > len(content):
                raise ExrLayoutError("has a damaged table of offsets; write or download it again")
            blocks.append(content[start : start + head + size])
        return blocks

    def _rebuild(self, number: int, attributes: list[_Attribute]) -> bytes:
        try:
            blocks = self._blocks(number)
        except (struct.error, KeyError) as error:
            raise ExrLayoutError("is cut short; write or download it again") from error
        flags = self._flags & ~(_MULTIPART | _TILED) | (_TILED if self._parts[number].tiled else 0)
        header = _MAGIC + struct.pack("<I", flags) + b"".join(attribute.to_bytes() for attribute in attributes) + b"\0"
        place, offsets = len(header) + 8 * len(blocks), []
        for block in blocks:
            offsets.append(place)
            place += len(block)
        return header + struct.pack(f"<{len(offsets)}Q", *offsets) + b"".join(blocks)


def _read_attributes(content: bytes, place: int) -> tuple[list[_Attribute], int]:
    attributes = []
    while content[place] != 0:
        name, place = _word(content, place)
        kind, place = _word(content, place)
        size = struct.unpack_from("<i", content, place)[0]
        place += 4
        if not 0 <= size <= len(content) - place:
            raise ExrLayoutError("has a damaged header; write or download it again")
        attributes.append(_Attribute(name, kind, content[place : place + size]))
        place += size
    return attributes, place + 1


def _read_channels(listing: bytes) -> list[tuple[bytes, bytes]]:
    """Each channel's name, and the 16 bytes that follow it."""
    channels, place = [], 0
    while listing[place] != 0:
        name, place = _word(listing, place)
        channels.append((name, listing[place : place + 16]))
        place += 16
    return channels


def _word(content: bytes, place: int) -> tuple[bytes, int]:
    end = content.find(b"\0", place, place + 256)
    if end < 0:
        raise ExrLayoutError("has a damaged header; write or download it again")
    return content[place:end], end + 1
