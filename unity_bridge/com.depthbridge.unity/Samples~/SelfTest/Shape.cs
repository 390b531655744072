// SPDX-License-Identifier: Apache-2.0
using System;
using System.Globalization;

namespace Depthbridge.Samples
{
    /// <summary>
    /// Where the marker is in a picture: the pixels that it changes. Lighting, sky and post-processing have no part in that.
    /// </summary>
    internal sealed class Shape
    {
        /// <summary>A change of all three channels together, below which there is no marker.</summary>
        private const int LeastChange = 60;

        public bool Found;
        public double Left, Right, Top, Bottom; // pixels of the picture as it is stored, first row as the upper one
        public double Grey; // mean of its pixels, 0 to 255

        public static Shape Of(byte[] with, byte[] without, int width, int height)
        {
            var change = new int[width * height];
            var most = 0;
            for (var i = 0; i < change.Length; i++)
            {
                for (var c = 0; c < 3; c++)
                {
                    change[i] += Math.Abs(with[4 * i + c] - without[4 * i + c]);
                }
                most = Math.Max(most, change[i]);
            }
            int[] columns = new int[width], rows = new int[height];
            double sum = 0, count = 0;
            for (var i = 0; i < change.Length; i++)
            {
                if (2 * change[i] > most)
                {
                    columns[i % width]++;
                    rows[i / width]++;
                    sum += with[4 * i + 1];
                    count++;
                }
            }
            var shape = new Shape { Found = most >= LeastChange, Grey = count > 0 ? sum / count : 0 };
            Span(columns, out shape.Left, out shape.Right);
            Span(rows, out shape.Top, out shape.Bottom);
            return shape;
        }

        /// <summary>The same in rows counted from the other end.</summary>
        public Shape UpsideDown(int height)
        {
            return new Shape { Found = Found, Left = Left, Right = Right, Top = height - Bottom, Bottom = height - Top, Grey = Grey };
        }

        /// <summary>The largest distance between its sides and a patch's, pixels.</summary>
        public double AwayFrom(Patch patch)
        {
            var across = Math.Max(Math.Abs(Left - patch.Left), Math.Abs(Right - patch.Right));
            return Math.Max(across, Math.Max(Math.Abs(Top - patch.Top), Math.Abs(Bottom - patch.Bottom)));
        }

        public override string ToString()
        {
            return string.Format(CultureInfo.InvariantCulture, "x {0} to {1}, y {2} to {3}", Left, Right, Top, Bottom);
        }

        /// <summary>From the first to the last line that has at least half as many as the fullest: single pixels do not count.</summary>
        private static void Span(int[] counts, out double from, out double to)
        {
            var most = 0;
            foreach (var count in counts)
            {
                most = Math.Max(most, count);
            }
            from = Array.FindIndex(counts, count => 2 * count >= most);
            to = Array.FindLastIndex(counts, count => 2 * count >= most) + 1;
        }
    }
}
