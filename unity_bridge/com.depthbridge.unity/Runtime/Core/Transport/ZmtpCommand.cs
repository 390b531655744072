// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Text;

namespace Depthbridge
{
    /// <summary>A command's name and what follows it, and the few commands of RFC 37/ZMTP that a DEALER without security needs.</summary>
    internal struct ZmtpCommand
    {
        private const int LongestContext = 16;

        internal string Name;

        internal ArraySegment<byte> Data;

        /// <returns>False when the bytes are no command.</returns>
        internal static bool TryParse(byte[] body, out ZmtpCommand command)
        {
            command = default(ZmtpCommand);
            if (body.Length == 0 || body[0] == 0 || body[0] >= body.Length)
            {
                return false;
            }
            int length = body[0];
            command.Name = Encoding.ASCII.GetString(body, 1, length);
            command.Data = new ArraySegment<byte>(body, 1 + length, body.Length - 1 - length);
            return true;
        }

        /// <summary>The properties of a READY command, by name in any case; null when malformed.</summary>
        internal Dictionary<string, string> Properties()
        {
            Dictionary<string, string> found = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            byte[] bytes = Data.Array;
            int at = Data.Offset;
            while (at < bytes.Length)
            {
                int nameLength = bytes[at++];
                if (nameLength == 0 || bytes.Length - at < nameLength + 4)
                {
                    return null;
                }
                string name = Encoding.ASCII.GetString(bytes, at, nameLength);
                at += nameLength;
                long valueLength = ((long)bytes[at] << 24) | ((long)bytes[at + 1] << 16) | ((long)bytes[at + 2] << 8) | bytes[at + 3];
                at += 4;
                if (valueLength > bytes.Length - at)
                {
                    return null;
                }
                found[name] = Encoding.ASCII.GetString(bytes, at, (int)valueLength);
                at += (int)valueLength;
            }
            return found;
        }

        /// <summary>The reason in an ERROR command, made safe to print.</summary>
        internal string Reason()
        {
            if (Data.Count == 0)
            {
                return "";
            }
            int length = Math.Min(Data.Array[Data.Offset], Data.Count - 1);
            return Printable(Data.Array, Data.Offset + 1, length);
        }

        /// <summary>What a PING asks for: how long the peer may be silent (milliseconds, 0: as long as it likes) and the frame that
        /// answers it.</summary>
        /// <returns>False when malformed.</returns>
        internal bool TryPing(out int silenceMs, out byte[] pong)
        {
            silenceMs = 0;
            pong = null;
            if (Data.Count < 2)
            {
                return false;
            }
            silenceMs = ((Data.Array[Data.Offset] << 8) | Data.Array[Data.Offset + 1]) * 100;
            int context = Math.Min(LongestContext, Data.Count - 2); // libzmq cuts a longer one off, too
            pong = Pong(Data.Array, Data.Offset + 2, context);
            return true;
        }

        /// <summary>A whole frame with a PONG command.</summary>
        internal static byte[] Pong(byte[] context, int offset, int count)
        {
            byte[] frame = new byte[2 + 5 + count];
            frame[0] = ZmtpFrameReader.CommandFlag;
            frame[1] = (byte)(5 + count);
            frame[2] = 4;
            Encoding.ASCII.GetBytes("PONG", 0, 4, frame, 3);
            Buffer.BlockCopy(context, offset, frame, 7, count);
            return frame;
        }

        /// <summary>A whole frame with this side's READY command: a DEALER without an identity of its own.</summary>
        internal static byte[] Ready()
        {
            const string body = "\x05READY\x0bSocket-Type\0\0\0\x06" + "DEALER\x08Identity\0\0\0\0";
            byte[] frame = new byte[2 + body.Length];
            frame[0] = ZmtpFrameReader.CommandFlag;
            frame[1] = (byte)body.Length;
            Encoding.ASCII.GetBytes(body, 0, body.Length, frame, 2);
            return frame;
        }

        /// <summary>At most 60 of the bytes as text, dots for what does not print.</summary>
        internal static string Printable(byte[] bytes, int offset, int count)
        {
            StringBuilder text = new StringBuilder();
            for (int i = offset; i < offset + Math.Min(count, 60); i++)
            {
                text.Append(bytes[i] >= 32 && bytes[i] < 127 ? (char)bytes[i] : '.');
            }
            return text.ToString();
        }
    }
}
