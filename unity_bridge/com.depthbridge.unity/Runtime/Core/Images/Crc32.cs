// SPDX-License-Identifier: Apache-2.0
using System;

namespace Depthbridge
{
    /// <summary>The checksum of PNG's chunks (ISO/IEC 15948, annex D).</summary>
    internal static class Crc32
    {
        /// <summary>What a checksum starts from; it ends as the complement.</summary>
        public const uint Start = 0xFFFFFFFFu;

        private static readonly uint[] Table = MakeTable();

        /// <summary>The running checksum after more bytes.</summary>
        public static uint Update(uint check, ArraySegment<byte> bytes)
        {
            var array = bytes.Array;
            var end = bytes.Offset + bytes.Count;
            for (var i = bytes.Offset; i < end; i++)
            {
                check = Table[(check ^ array[i]) & 0xFF] ^ (check >> 8);
            }
            return check;
        }

        private static uint[] MakeTable()
        {
            var table = new uint[256];
            for (uint n = 0; n < 256; n++)
            {
                var value = n;
                for (var bit = 0; bit < 8; bit++)
                {
                    value = (value & 1) != 0 ? 0xEDB88320u ^ (value >> 1) : value >> 1;
                }
                table[n] = value;
            }
            return table;
        }
    }
}
