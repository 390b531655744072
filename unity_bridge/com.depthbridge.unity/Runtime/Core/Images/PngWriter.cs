// SPDX-License-Identifier: Apache-2.0
using System;
using System.IO;

namespace Depthbridge
{
    /// <summary>
    /// Writes PNG files (ISO/IEC 15948) from pixels as they are read back from the graphics card, on any thread.
    /// </summary>
    /// <remarks>
    /// Unity's own encoder has no 16-bit grey for certain on every version from 2021.3 on, and masks need that; here the rows of both
    /// kinds are put upright by one line of code.
    /// </remarks>
    public static class PngWriter
    {
        private const byte FilterSub = 1;
        private const byte FilterUp = 2;
        private const byte Grey = 0;
        private const byte Rgb = 2;
        private static readonly byte[] Signature = { 137, 80, 78, 71, 13, 10, 26, 10 };

        /// <summary>An 8-bit RGB picture.</summary>
        /// <param name="output">Where the file goes; it stays open.</param>
        /// <param name="rgba">Rows of 4 bytes a pixel; alpha is left out, as what a camera renders there means nothing.</param>
        /// <param name="width">Pixels.</param>
        /// <param name="height">Pixels.</param>
        /// <param name="origin">Where the first row lies; the file is upright.</param>
        public static void WriteRgb(Stream output, ArraySegment<byte> rgba, int width, int height, RowOrigin origin)
        {
            CheckSize(rgba, 4L, width, height);
            using (var zlib = new ZlibBlock())
            {
                var row = new byte[1 + 3 * width];
                row[0] = FilterSub;
                for (var y = 0; y < height; y++)
                {
                    var from = rgba.Offset + 4 * width * Source(y, height, origin);
                    FilterRow(rgba.Array, from, row, width);
                    zlib.Write(row, 0, row.Length);
                }
                WriteFile(output, width, height, 8, Rgb, zlib.Finish());
            }
        }

        /// <summary>A 16-bit grey picture: a mask of ids.</summary>
        /// <param name="output">Where the file goes; it stays open.</param>
        /// <param name="ids">Rows of 2 bytes a pixel, the low byte first.</param>
        /// <param name="width">Pixels.</param>
        /// <param name="height">Pixels.</param>
        /// <param name="origin">Where the first row lies; the file is upright.</param>
        public static void WriteGrey16(Stream output, ArraySegment<byte> ids, int width, int height, RowOrigin origin)
        {
            CheckSize(ids, 2L, width, height);
            using (var zlib = new ZlibBlock())
            {
                var above = new byte[2 * width];
                var row = new byte[1 + 2 * width];
                row[0] = FilterUp; // a row of a mask is mostly the one above
                for (var y = 0; y < height; y++)
                {
                    var from = ids.Offset + 2 * width * Source(y, height, origin);
                    for (var x = 0; x < above.Length; x++)
                    {
                        var value = ids.Array[from + (x ^ 1)]; // PNG has the high byte first
                        row[x + 1] = (byte)(value - above[x]);
                        above[x] = value;
                    }
                    zlib.Write(row, 0, row.Length);
                }
                WriteFile(output, width, height, 16, Grey, zlib.Finish());
            }
        }

        private static void FilterRow(byte[] rgba, int from, byte[] row, int width)
        {
            byte red = 0, green = 0, blue = 0;
            for (int x = 0, to = 1; x < width; x++, from += 4, to += 3)
            {
                row[to] = (byte)(rgba[from] - red);
                row[to + 1] = (byte)(rgba[from + 1] - green);
                row[to + 2] = (byte)(rgba[from + 2] - blue);
                red = rgba[from];
                green = rgba[from + 1];
                blue = rgba[from + 2];
            }
        }

        private static int Source(int y, int height, RowOrigin origin)
        {
            return origin == RowOrigin.BottomLeft ? height - 1 - y : y;
        }

        private static void CheckSize(ArraySegment<byte> bytes, long perPixel, int width, int height)
        {
            if (width < 1 || height < 1 || bytes.Count != perPixel * width * height)
            {
                throw new DepthbridgeException(
                    "A picture of " + width + "x" + height + " pixels has " + perPixel * width * height + " bytes, and " + bytes.Count +
                    " were given to the PNG writer.");
            }
        }

        private static void WriteFile(Stream output, int width, int height, byte bits, byte colour, ArraySegment<byte> data)
        {
            output.Write(Signature, 0, Signature.Length);
            var header = new byte[13];
            BigEndian(header, 0, (uint)width);
            BigEndian(header, 4, (uint)height);
            header[8] = bits;
            header[9] = colour;
            WriteChunk(output, "IHDR", new ArraySegment<byte>(header));
            WriteChunk(output, "IDAT", data);
            WriteChunk(output, "IEND", new ArraySegment<byte>(new byte[0]));
        }

        private static void WriteChunk(Stream output, string type, ArraySegment<byte> data)
        {
            var head = new byte[8];
            BigEndian(head, 0, (uint)data.Count);
            for (var i = 0; i < 4; i++)
            {
                head[4 + i] = (byte)type[i];
            }
            output.Write(head, 0, 8);
            output.Write(data.Array, data.Offset, data.Count);
            var check = Crc32.Update(Crc32.Update(Crc32.Start, new ArraySegment<byte>(head, 4, 4)), data);
            BigEndian(head, 0, ~check);
            output.Write(head, 0, 4);
        }

        private static void BigEndian(byte[] bytes, int at, uint value)
        {
            for (var i = 0; i < 4; i++)
            {
                bytes[at + i] = (byte)(value >> (24 - 8 * i));
            }
        }
    }
}
