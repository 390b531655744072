// SPDX-License-Identifier: Apache-2.0
using System;

namespace Depthbridge
{
    /// <summary>
    /// How many pixels each id has in a mask, and the box around them. One per thread: it keeps its memory from mask to mask.
    /// </summary>
    public sealed class MaskBoxes
    {
        private readonly int[] _counts = new int[MaskIds.Largest + 1];
        private readonly int[] _corners = new int[4 * (MaskIds.Largest + 1)];

        /// <summary>Reads a mask of 16-bit ids, low byte first.</summary>
        /// <param name="mask">2 bytes a pixel.</param>
        /// <param name="width">Pixels.</param>
        /// <param name="height">Pixels.</param>
        /// <param name="origin">Where the first row lies; boxes are of the upright picture.</param>
        public void Read(ArraySegment<byte> mask, int width, int height, RowOrigin origin)
        {
            Array.Clear(_counts, 0, _counts.Length);
            for (var row = 0; row < height; row++)
            {
                var y = origin == RowOrigin.BottomLeft ? height - 1 - row : row;
                var at = mask.Offset + 2 * width * row;
                var x = 0;
                while (x < width)
                {
                    var id = MaskIds.FromBytes(mask.Array, at + 2 * x);
                    var start = x;
                    do
                    {
                        x++;
                    }
                    while (x < width && MaskIds.FromBytes(mask.Array, at + 2 * x) == id);
                    if (id != 0)
                    {
                        Add(id, start, x, y);
                    }
                }
            }
        }

        /// <summary>Pixels of an id.</summary>
        public int CountOf(int id)
        {
            return _counts[id];
        }

        /// <summary>
        /// Two corners x0, y0, x1, y1 of the upright picture, on pixel edges: x1 - x0 is the width. null for an id without a pixel.
        /// </summary>
        public int[] BoxOf(int id)
        {
            return _counts[id] == 0 ? null : new[] { _corners[4 * id], _corners[4 * id + 1], _corners[4 * id + 2], _corners[4 * id + 3] };
        }

        private void Add(int id, int start, int end, int y)
        {
            var c = 4 * id;
            if (_counts[id] == 0)
            {
                _corners[c] = start;
                _corners[c + 1] = y;
                _corners[c + 2] = end;
                _corners[c + 3] = y + 1;
            }
            else
            {
                _corners[c] = Math.Min(_corners[c], start);
                _corners[c + 1] = Math.Min(_corners[c + 1], y);
                _corners[c + 2] = Math.Max(_corners[c + 2], end);
                _corners[c + 3] = Math.Max(_corners[c + 3], y + 1);
            }
            _counts[id] += end - start;
        }
    }
}
