// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;

namespace Depthbridge
{
    /// <summary>Byte arrays that are used again: a frame has megabytes, and garbage of that size stops a game. For any thread.</summary>
    public sealed class BufferPool
    {
        private readonly object _lock = new object();
        private readonly Dictionary<int, Stack<byte[]>> _free = new Dictionary<int, Stack<byte[]>>();
        private readonly int _keep;

        /// <param name="keep">How many arrays of one length are kept at most.</param>
        public BufferPool(int keep = 12)
        {
            _keep = keep;
        }

        /// <summary>An array of exactly this length, its content left over from before.</summary>
        public byte[] Take(int length)
        {
            lock (_lock)
            {
                Stack<byte[]> free;
                if (_free.TryGetValue(length, out free) && free.Count > 0)
                {
                    return free.Pop();
                }
            }
            return new byte[length];
        }

        /// <summary>Gives an array back; nobody may use it any more. null is ignored.</summary>
        public void Return(byte[] buffer)
        {
            if (buffer == null)
            {
                return;
            }
            lock (_lock)
            {
                Stack<byte[]> free;
                if (!_free.TryGetValue(buffer.Length, out free))
                {
                    _free[buffer.Length] = free = new Stack<byte[]>();
                }
                if (free.Count < _keep)
                {
                    free.Push(buffer);
                }
            }
        }

        /// <summary>Forgets all arrays: the size of the frames has changed, or nobody captures any more.</summary>
        public void Clear()
        {
            lock (_lock)
            {
                _free.Clear();
            }
        }
    }
}
