// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;

namespace Depthbridge
{
    /// <summary>One picture of a capture folder, as it is handed to a <see cref="DatasetWriter"/>.</summary>
    public sealed class DatasetFrame
    {
        /// <summary>Width of all three pictures, pixels.</summary>
        public int Width { get; set; }

        /// <summary>Height of all three pictures, pixels.</summary>
        public int Height { get; set; }

        /// <summary>Where the first row of all three lies.</summary>
        public RowOrigin Origin { get; set; }

        /// <summary>The picture, 4 bytes a pixel.</summary>
        public ArraySegment<byte> Rgba { get; set; }

        /// <summary>Ids of 16 bits, low byte first; 0 is the background.</summary>
        public ArraySegment<byte> Mask { get; set; }

        /// <summary>Truth: planar metres as little-endian floats, 0 where there is none. Empty when there is no truth.</summary>
        public ArraySegment<byte> Depth { get; set; }

        /// <summary>Of the pictures.</summary>
        public PinholeIntrinsics Camera { get; set; }

        /// <summary>12 numbers, world to camera, metres; or null.</summary>
        public double[] Extrinsics { get; set; }

        /// <summary>What the ids in the mask mean. Those without a pixel are left out of the file.</summary>
        public IList<RequestObject> Objects { get; set; }

        /// <summary>Called once, on any thread, when the three arrays are free again.</summary>
        public Action Release { get; set; }
    }
}
