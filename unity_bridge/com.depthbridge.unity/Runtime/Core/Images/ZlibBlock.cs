// SPDX-License-Identifier: Apache-2.0
using System;
using System.IO;
using System.IO.Compression;

namespace Depthbridge
{
    /// <summary>
    /// A zlib stream (RFC 1950), which PNG and OpenEXR hold and .NET Standard 2.1 cannot write: it has the deflate within alone.
    /// </summary>
    internal sealed class ZlibBlock : IDisposable
    {
        private const uint AdlerModulus = 65521;
        private const int AdlerRun = 5552; // so many bytes fit before 32 bits overflow: RFC 1950's reference implementation

        private readonly MemoryStream _bytes = new MemoryStream();
        private readonly DeflateStream _deflate;
        private uint _low = 1;
        private uint _high;

        public ZlibBlock()
        {
            _bytes.WriteByte(0x78);
            _bytes.WriteByte(0x01);
            _deflate = new DeflateStream(_bytes, CompressionLevel.Fastest, true);
        }

        /// <summary>Adds bytes.</summary>
        public void Write(byte[] bytes, int offset, int count)
        {
            _deflate.Write(bytes, offset, count);
            var end = offset + count;
            while (offset < end)
            {
                var stop = Math.Min(end, offset + AdlerRun);
                for (; offset < stop; offset++)
                {
                    _low += bytes[offset];
                    _high += _low;
                }
                _low %= AdlerModulus;
                _high %= AdlerModulus;
            }
        }

        /// <summary>The whole stream; nothing can be added afterwards.</summary>
        public ArraySegment<byte> Finish()
        {
            _deflate.Dispose();
            var check = (_high << 16) | _low;
            for (var shift = 24; shift >= 0; shift -= 8)
            {
                _bytes.WriteByte((byte)(check >> shift));
            }
            return new ArraySegment<byte>(_bytes.GetBuffer(), 0, (int)_bytes.Length);
        }

        public void Dispose()
        {
            _deflate.Dispose();
            _bytes.Dispose();
        }
    }
}
