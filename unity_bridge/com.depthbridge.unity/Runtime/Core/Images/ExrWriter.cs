// SPDX-License-Identifier: Apache-2.0
using System;
using System.IO;
using System.Text;

namespace Depthbridge
{
    /// <summary>
    /// Writes one channel of 32-bit floats as OpenEXR (file layout 2, scan lines, ZIP blocks of 16 lines), on any thread.
    /// </summary>
    /// <remarks>
    /// The layout is that of the OpenEXR documentation's "OpenEXR File Layout"; Unity's encoder would write four channels.
    /// </remarks>
    public static class ExrWriter
    {
        private const int BlockRows = 16;
        private const byte ZipCompression = 3;

        /// <summary>Writes the file.</summary>
        /// <param name="output">Where the file goes; it can seek, and stays open.</param>
        /// <param name="values">Rows of 4 bytes a pixel, little-endian floats: planar metres, 0 where there is none.</param>
        /// <param name="width">Pixels.</param>
        /// <param name="height">Pixels.</param>
        /// <param name="origin">Where the first row lies; the file is upright.</param>
        public static void WriteFloat(Stream output, ArraySegment<byte> values, int width, int height, RowOrigin origin)
        {
            if (width < 1 || height < 1 || values.Count != 4L * width * height)
            {
                throw new DepthbridgeException(
                    "A map of " + width + "x" + height + " floats has " + 4L * width * height + " bytes, and " + values.Count +
                    " were given to the EXR writer.");
            }
            var start = output.Position;
            var writer = new BinaryWriter(output, Encoding.ASCII); // not disposed: the stream stays open
            WriteHeader(writer, width, height);
            var blocks = (height + BlockRows - 1) / BlockRows;
            var table = output.Position;
            writer.Write(new byte[8 * blocks]);
            var offsets = new long[blocks];
            for (var block = 0; block < blocks; block++)
            {
                offsets[block] = output.Position - start;
                WriteBlock(writer, values, width, height, block * BlockRows, origin);
            }
            var end = output.Position;
            output.Position = table;
            foreach (var offset in offsets)
            {
                writer.Write(offset);
            }
            writer.Flush();
            output.Position = end;
        }

        private static void WriteHeader(BinaryWriter writer, int width, int height)
        {
            writer.Write(20000630);
            writer.Write(2);
            Attribute(writer, "channels", "chlist", 2 + 16 + 1);
            Text(writer, "Y");
            writer.Write(2); // 32-bit float
            writer.Write(0); // not perceptually linear
            writer.Write(1);
            writer.Write(1);
            writer.Write((byte)0);
            Attribute(writer, "compression", "compression", 1);
            writer.Write(ZipCompression);
            Attribute(writer, "dataWindow", "box2i", 16);
            Window(writer, width, height);
            Attribute(writer, "displayWindow", "box2i", 16);
            Window(writer, width, height);
            Attribute(writer, "lineOrder", "lineOrder", 1);
            writer.Write((byte)0);
            Attribute(writer, "pixelAspectRatio", "float", 4);
            writer.Write(1f);
            Attribute(writer, "screenWindowCenter", "v2f", 8);
            writer.Write(0f);
            writer.Write(0f);
            Attribute(writer, "screenWindowWidth", "float", 4);
            writer.Write(1f);
            writer.Write((byte)0);
        }

        private static void WriteBlock(BinaryWriter writer, ArraySegment<byte> values, int width, int height, int first, RowOrigin origin)
        {
            var rows = Math.Min(BlockRows, height - first);
            var raw = new byte[4 * width * rows];
            for (var row = 0; row < rows; row++)
            {
                var source = origin == RowOrigin.BottomLeft ? height - 1 - first - row : first + row;
                Buffer.BlockCopy(values.Array, values.Offset + 4 * width * source, raw, 4 * width * row, 4 * width);
            }
            writer.Write(first);
            using (var zlib = new ZlibBlock())
            {
                var predicted = Predicted(raw);
                zlib.Write(predicted, 0, predicted.Length);
                var packed = zlib.Finish();
                if (packed.Count >= raw.Length) // readers take a block of full length for an uncompressed one
                {
                    packed = new ArraySegment<byte>(raw);
                }
                writer.Write(packed.Count);
                writer.Write(packed.Array, packed.Offset, packed.Count);
            }
        }

        /// <summary>Bytes of even and odd places apart, then each as its difference from the one before, about 128.</summary>
        private static byte[] Predicted(byte[] raw)
        {
            var split = new byte[raw.Length];
            var half = (raw.Length + 1) / 2;
            for (var i = 0; i < raw.Length; i++)
            {
                split[i / 2 + (i % 2) * half] = raw[i];
            }
            for (var i = split.Length - 1; i > 0; i--)
            {
                split[i] = (byte)(split[i] - split[i - 1] + 128);
            }
            return split;
        }

        private static void Attribute(BinaryWriter writer, string name, string type, int bytes)
        {
            Text(writer, name);
            Text(writer, type);
            writer.Write(bytes);
        }

        private static void Text(BinaryWriter writer, string text)
        {
            writer.Write(Encoding.ASCII.GetBytes(text));
            writer.Write((byte)0);
        }

        private static void Window(BinaryWriter writer, int width, int height)
        {
            writer.Write(0);
            writer.Write(0);
            writer.Write(width - 1);
            writer.Write(height - 1);
        }
    }
}
