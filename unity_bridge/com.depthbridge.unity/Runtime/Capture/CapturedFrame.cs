// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Threading;

namespace Depthbridge
{
    /// <summary>
    /// One frame as it was rendered: pixels, mask, camera and pose, all of the same moment. The arrays are used again for later frames once
    /// nobody holds this one: who needs them after the callback calls <see cref="Retain"/> in it, and <see cref="Release"/> when done.
    /// </summary>
    public sealed class CapturedFrame
    {
        private readonly BufferPool _pool;
        private byte[] _image;
        private byte[] _mask;
        private byte[] _depth;
        private int _holders = 1;

        internal CapturedFrame(BufferPool pool, int width, int height)
        {
            _pool = pool;
            Width = width;
            Height = height;
        }

        /// <summary>Counts up from 1.</summary>
        public long FrameId { get; internal set; }

        /// <summary>Unity's Time.frameCount when it was rendered.</summary>
        public int FrameCount { get; internal set; }

        /// <summary>Unity's Time.time when it was rendered, seconds.</summary>
        public float Time { get; internal set; }

        /// <summary>Unity's Time.realtimeSinceStartup when it was rendered, seconds.</summary>
        public float RealTime { get; internal set; }

        /// <summary>Pixels.</summary>
        public int Width { get; private set; }

        /// <summary>Pixels.</summary>
        public int Height { get; private set; }

        /// <summary>Of the upright picture.</summary>
        public PinholeIntrinsics Intrinsics { get; internal set; }

        /// <summary>
        /// 12 numbers, world to camera (x right, y down, z forward), metres: see <see cref="Depthbridge.WorldToCamera"/>.
        /// </summary>
        public double[] Extrinsics { get; internal set; }

        /// <summary>How long a unit of the scene is; lengths here and in answers are in metres, positions in the scene in units.</summary>
        public float MetersPerUnit { get; internal set; }

        /// <summary>What the ids in the mask stand for: everything marked that lies in the camera's view, hidden or not.</summary>
        public IReadOnlyList<CapturedObject> Objects { get; internal set; }

        /// <summary>
        /// Which row of the three arrays comes first: always the lower one, as graphics cards are read back. Nothing is flipped here.
        /// </summary>
        public RowOrigin Origin
        {
            get { return RowOrigin.BottomLeft; }
        }

        /// <summary>RGBA, 8 bits each, sRGB; alpha means nothing. null once the frame was released.</summary>
        public byte[] Image
        {
            get { return _image; }
        }

        /// <summary>Ids of 16 bits, low byte first; 0 is the background. null once the frame was released.</summary>
        public byte[] Mask
        {
            get { return _mask; }
        }

        /// <summary>
        /// Planar metres as 32-bit floats, 0 where there is nothing; null if it was not asked for, and once the frame was released.
        /// </summary>
        public byte[] Depth
        {
            get { return _depth; }
        }

        /// <summary>What a mask value stands for; null for the background and for values that are not in this frame.</summary>
        public CapturedObject Find(int maskValue)
        {
            foreach (var item in Objects)
            {
                if (item.MaskValue == maskValue)
                {
                    return item;
                }
            }
            return null;
        }

        /// <summary>Keeps the arrays until as many calls of <see cref="Release"/>. On any thread, while they are still there.</summary>
        public void Retain()
        {
            if (Interlocked.Increment(ref _holders) <= 1)
            {
                throw new InvalidOperationException("The frame was released before; retain it within the callback that hands it over.");
            }
        }

        /// <summary>Gives the arrays back once nobody holds them. On any thread.</summary>
        public void Release()
        {
            if (Interlocked.Decrement(ref _holders) == 0)
            {
                _pool.Return(Interlocked.Exchange(ref _image, null));
                _pool.Return(Interlocked.Exchange(ref _mask, null));
                _pool.Return(Interlocked.Exchange(ref _depth, null));
            }
        }

        internal byte[] TakeImage()
        {
            return _image = _pool.Take(4 * Width * Height);
        }

        internal byte[] TakeMask()
        {
            return _mask = _pool.Take(2 * Width * Height);
        }

        internal byte[] TakeDepth()
        {
            return _depth = _pool.Take(4 * Width * Height);
        }
    }
}
