// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;

namespace Depthbridge
{
    /// <summary>
    /// Hands out mask ids 1 to 65535 to objects, the same one to the same object as long as this lives; 0 is the background. Unity's
    /// GetInstanceID is negative and differs from run to run. For one thread.
    /// </summary>
    /// <remarks>
    /// As bytes an id is little-endian: low byte first, what an RG16 target holds when red is the low byte. As a colour it is
    /// (id * 0x9E3779) modulo 2^24, red the low byte, alpha 255: neighbouring ids look different, and of the colours that
    /// antialiasing or compression could mix 255 in 256 are no id.
    /// </remarks>
    public sealed class MaskIds
    {
        /// <summary>The largest id.</summary>
        public const int Largest = 65535;

        private const int Factor = 0x9E3779;
        private const int Inverse = 0xB382C9; // Factor * Inverse = 1 modulo 2^24

        private readonly Dictionary<int, int> _byNumber = new Dictionary<int, int>();
        private readonly Dictionary<object, int> _byKey = new Dictionary<object, int>();
        private readonly List<object> _keys = new List<object>();

        /// <summary>How many ids were handed out; they are 1 to this.</summary>
        public int Count
        {
            get { return _keys.Count; }
        }

        /// <summary>The id of a key, a new one at the first time. Keys that are Equal have one id.</summary>
        /// <exception cref="DepthbridgeException">All 65535 are in use.</exception>
        public int IdOf(object key)
        {
            if (key is int)
            {
                return IdOf((int)key);
            }
            if (key == null)
            {
                throw new DepthbridgeException("Nothing has no mask id; give an object or a number.");
            }
            int id;
            if (!_byKey.TryGetValue(key, out id))
            {
                id = Next(key);
                _byKey[key] = id;
            }
            return id;
        }

        /// <summary>The id of a number, a new one at the first time.</summary>
        /// <exception cref="DepthbridgeException">All 65535 are in use.</exception>
        public int IdOf(int key)
        {
            int id;
            if (!_byNumber.TryGetValue(key, out id))
            {
                id = Next(key);
                _byNumber[key] = id;
            }
            return id;
        }

        /// <summary>Whom an id belongs to; null when nobody.</summary>
        public object KeyOf(int id)
        {
            return id >= 1 && id <= _keys.Count ? _keys[id - 1] : null;
        }

        /// <summary>Forgets all: the next object gets 1. Only between captures, or two objects share an id in one folder.</summary>
        public void Clear()
        {
            _byNumber.Clear();
            _byKey.Clear();
            _keys.Clear();
        }

        /// <summary>Two bytes, low one first.</summary>
        public static void ToBytes(int id, byte[] target, int offset)
        {
            Check(id);
            target[offset] = (byte)id;
            target[offset + 1] = (byte)(id >> 8);
        }

        /// <summary>Back from two bytes.</summary>
        public static int FromBytes(byte[] source, int offset)
        {
            return source[offset] | source[offset + 1] << 8;
        }

        /// <summary>The colour of an id: red, green, blue, alpha. The background is (0, 0, 0, 255).</summary>
        public static byte[] ToColour(int id)
        {
            Check(id);
            var colour = (int)((long)id * Factor & 0xFFFFFF);
            return new[] { (byte)colour, (byte)(colour >> 8), (byte)(colour >> 16), (byte)255 };
        }

        /// <summary>The id of a colour; -1 when no id has it. Alpha is not looked at.</summary>
        public static int FromColour(byte red, byte green, byte blue)
        {
            long colour = red | green << 8 | blue << 16;
            var id = (int)(colour * Inverse & 0xFFFFFF);
            return id <= Largest ? id : -1;
        }

        private static void Check(int id)
        {
            if (id < 0 || id > Largest)
            {
                throw new DepthbridgeException("There is no mask id " + id + "; ids are 1 to " + Largest + ", 0 is the background.");
            }
        }

        private int Next(object key)
        {
            if (_keys.Count >= Largest)
            {
                throw new DepthbridgeException(
                    "All " + Largest + " mask ids are in use; mark fewer objects, give parts of one object one id, or start anew.");
            }
            _keys.Add(key);
            return _keys.Count;
        }
    }
}
