// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>What a message asks; its answer has the same kind.</summary>
    public enum MessageKind
    {
        /// <summary>Who answers, within which limits.</summary>
        Hello = 1,
        /// <summary>Alive, ready, how busy.</summary>
        Health = 2,
        /// <summary>What the server's models are.</summary>
        Models = 3,
        /// <summary>A frame.</summary>
        Infer = 4,
        /// <summary>Give up a frame.</summary>
        Cancel = 5,
        /// <summary>Counters.</summary>
        Stats = 6,
        /// <summary>Give up all frames of this connection.</summary>
        Bye = 7
    }

    /// <summary>The envelope of a message, as docs/protocol.md has it: 8 bytes of prefix, 8 bytes of request id, the header.</summary>
    public static class BridgeProtocol
    {
        /// <summary>Of the protocol; must match the server's.</summary>
        public const int Major = 0;

        /// <summary>Of the protocol; must match the server's while the major version is 0.</summary>
        public const int Minor = 3;

        /// <summary>Of this package.</summary>
        public const string ClientVersion = "0.1.0";

        /// <summary>The port of a server that was not told another.</summary>
        public const int DefaultPort = 5577;

        /// <summary>The first frame: "DDST", the version, the kind, little-endian.</summary>
        public static byte[] Prefix(MessageKind kind)
        {
            return new[] { (byte)'D', (byte)'D', (byte)'S', (byte)'T', (byte)Major, (byte)Minor, (byte)kind, (byte)((int)kind >> 8) };
        }

        /// <summary>Takes a first frame apart; false when it is none.</summary>
        public static bool TryReadPrefix(byte[] frame, out int major, out int minor, out int kind)
        {
            major = minor = kind = 0;
            if (frame == null || frame.Length != 8 || frame[0] != 'D' || frame[1] != 'D' || frame[2] != 'S' || frame[3] != 'T')
            {
                return false;
            }
            major = frame[4];
            minor = frame[5];
            kind = frame[6] | frame[7] << 8;
            return true;
        }

        /// <summary>A request id as this client sends it: 8 bytes, low one first.</summary>
        public static byte[] IdBytes(ulong id)
        {
            var bytes = new byte[8];
            for (var i = 0; i < 8; i++)
            {
                bytes[i] = (byte)(id >> (8 * i));
            }
            return bytes;
        }

        /// <summary>A request id of this client; false for any other.</summary>
        public static bool TryReadId(byte[] frame, out ulong id)
        {
            id = 0;
            if (frame == null || frame.Length != 8)
            {
                return false;
            }
            for (var i = 0; i < 8; i++)
            {
                id |= (ulong)frame[i] << (8 * i);
            }
            return true;
        }
    }
}
