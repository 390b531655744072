// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;

namespace Depthbridge.Samples
{
    /// <summary>What must be at each pixel of an upright picture: the nearest patch; null for nothing; unknown at outlines.</summary>
    internal sealed class Pixels
    {
        private const double Outline = 0.75; // pixels to both sides of an edge, where either is right

        private readonly Patch[] _nearest;
        private readonly bool[] _atOutline;
        private readonly int _width, _height;

        public Pixels(IList<Patch> patches, int width, int height)
        {
            _width = width;
            _height = height;
            _nearest = new Patch[width * height];
            _atOutline = new bool[width * height];
            var fromFar = new List<Patch>(patches);
            fromFar.Sort((a, b) => b.DepthM.CompareTo(a.DepthM));
            foreach (var patch in fromFar)
            {
                Paint(patch);
            }
        }

        /// <summary>How many pixels differ from what they must be.</summary>
        /// <param name="differs">Of what must be there (null: nothing), and the index of the pixel, upper row first.</param>
        /// <param name="counted">How many were looked at.</param>
        public int Wrong(Func<Patch, int, bool> differs, out int counted)
        {
            var wrong = 0;
            counted = 0;
            for (var at = 0; at < _nearest.Length; at++)
            {
                if (!_atOutline[at])
                {
                    counted++;
                    wrong += differs(_nearest[at], at) ? 1 : 0;
                }
            }
            return wrong;
        }

        /// <summary>How many pixels at outlines hold what none of the patches there, nor nothing, has: a mixture of ids.</summary>
        public int Mixed(IList<Patch> patches, Func<int, int> valueAt)
        {
            var mixed = 0;
            for (var at = 0; at < _nearest.Length; at++)
            {
                if (_atOutline[at] && valueAt(at) != 0)
                {
                    double u = at % _width + 0.5, v = at / _width + 0.5;
                    mixed += IsAnyOf(patches, u, v, valueAt(at)) ? 0 : 1;
                }
            }
            return mixed;
        }

        private static bool IsAnyOf(IList<Patch> patches, double u, double v, int value)
        {
            foreach (var patch in patches)
            {
                if (patch.MaskValue == value && patch.Holds(u, v, Outline))
                {
                    return true;
                }
            }
            return false;
        }

        private void Paint(Patch patch)
        {
            var left = Math.Max(0, (int)Math.Floor(patch.Left - 1));
            var right = Math.Min(_width - 1, (int)Math.Ceiling(patch.Right + 1));
            var top = Math.Max(0, (int)Math.Floor(patch.Top - 1));
            var bottom = Math.Min(_height - 1, (int)Math.Ceiling(patch.Bottom + 1));
            for (var y = top; y <= bottom; y++)
            {
                for (var x = left; x <= right; x++)
                {
                    var at = y * _width + x;
                    if (patch.Holds(x + 0.5, y + 0.5, -Outline))
                    {
                        _nearest[at] = patch;
                        _atOutline[at] = false;
                    }
                    else if (patch.Holds(x + 0.5, y + 0.5, Outline))
                    {
                        _atOutline[at] = true;
                    }
                }
            }
        }
    }
}
