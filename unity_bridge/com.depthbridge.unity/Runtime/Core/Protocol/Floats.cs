// SPDX-License-Identifier: Apache-2.0
using System;

namespace Depthbridge
{
    /// <summary>Little-endian floating-point numbers of 32 and 16 bits to float arrays.</summary>
    internal static class Floats
    {
        private const int Chunk = 4096;

        /// <summary>IEEE 754 binary32.</summary>
        internal static float[] FromSingles(byte[] bytes)
        {
            var values = new float[bytes.Length / 4];
            if (BitConverter.IsLittleEndian)
            {
                Buffer.BlockCopy(bytes, 0, values, 0, 4 * values.Length);
                return values;
            }
            var bits = new int[values.Length];
            for (var i = 0; i < bits.Length; i++)
            {
                bits[i] = bytes[4 * i] | bytes[4 * i + 1] << 8 | bytes[4 * i + 2] << 16 | bytes[4 * i + 3] << 24;
            }
            Buffer.BlockCopy(bits, 0, values, 0, 4 * values.Length);
            return values;
        }

        /// <summary>IEEE 754 binary16; every value of it is a float exactly.</summary>
        internal static float[] FromHalves(byte[] bytes)
        {
            var values = new float[bytes.Length / 2];
            var bits = new int[Math.Min(Chunk, values.Length)];
            for (var start = 0; start < values.Length; start += Chunk)
            {
                var count = Math.Min(Chunk, values.Length - start);
                for (var i = 0; i < count; i++)
                {
                    var at = 2 * (start + i);
                    bits[i] = SingleBits(bytes[at] | bytes[at + 1] << 8);
                }
                Buffer.BlockCopy(bits, 0, values, 4 * start, 4 * count);
            }
            return values;
        }

        private static int SingleBits(int half)
        {
            var sign = (half & 0x8000) << 16;
            var exponent = half >> 10 & 0x1F;
            var fraction = half & 0x3FF;
            if (exponent == 31)
            {
                return sign | 0x7F800000 | fraction << 13; // infinity, NaN
            }
            if (exponent == 0)
            {
                if (fraction == 0)
                {
                    return sign;
                }
                exponent = 1; // below 2^-14 the leading one is not implied; shift until it is
                while ((fraction & 0x400) == 0)
                {
                    fraction <<= 1;
                    exponent--;
                }
                fraction &= 0x3FF;
            }
            return sign | exponent + 112 << 23 | fraction << 13;
        }
    }
}
