// SPDX-License-Identifier: Apache-2.0
using System;

namespace Depthbridge
{
    /// <summary>A frame as it came: part of a message, or a command.</summary>
    internal struct ZmtpFrame
    {
        internal bool IsCommand;

        /// <summary>More frames of the same message follow.</summary>
        internal bool More;

        internal byte[] Body;
    }

    /// <summary>
    /// Takes a stream of bytes apart into frames (RFC 37/ZMTP: flags, length of 1 or 8 bytes, body). Whatever comes in, nothing but a
    /// <see cref="TransportException"/> goes out, and memory is taken as bytes arrive, not as lengths are announced.
    /// </summary>
    internal sealed class ZmtpFrameReader
    {
        internal const byte MoreFlag = 1;
        internal const byte LongFlag = 2;
        internal const byte CommandFlag = 4;

        /// <summary>Commands are short; whoever sends a longer one is not to be trusted.</summary>
        internal const int LargestCommand = 64 * 1024;

        private const int TrustedBytes = 4 << 20;

        private readonly IByteSource _source;
        private readonly long _largestFrame;
        private readonly string _endpoint;
        private readonly byte[] _buffer = new byte[64 * 1024];
        private int _from;
        private int _to;

        internal ZmtpFrameReader(IByteSource source, long largestFrame, string endpoint)
        {
            _source = source;
            _largestFrame = largestFrame;
            _endpoint = endpoint;
        }

        /// <summary>The next frame.</summary>
        /// <param name="roomBytes">What the message may still take; a longer frame is refused before its body is read.</param>
        internal ZmtpFrame Next(long roomBytes)
        {
            int flags = ReadByte();
            if ((flags & ~(MoreFlag | LongFlag | CommandFlag)) != 0)
            {
                throw Violation("a frame with reserved flags (0x" + flags.ToString("x2") + ")");
            }
            bool command = (flags & CommandFlag) != 0;
            if (command && (flags & MoreFlag) != 0)
            {
                throw Violation("a command that claims to continue");
            }
            long length = (flags & LongFlag) != 0 ? ReadLength() : ReadByte();
            if (command && length > LargestCommand)
            {
                throw Violation("a command of " + length + " bytes");
            }
            if (!command && length > Math.Min(_largestFrame, roomBytes))
            {
                throw TooLarge(length);
            }
            return new ZmtpFrame { IsCommand = command, More = (flags & MoreFlag) != 0, Body = ReadBody((int)length) };
        }

        /// <summary>Waits until a byte is there, without taking it.</summary>
        internal void AwaitByte()
        {
            if (_from == _to)
            {
                Refill();
            }
        }

        /// <summary>Fills the array; for the greeting, which is not framed.</summary>
        internal void ReadExactly(byte[] target, int offset, int count)
        {
            int buffered = Math.Min(count, _to - _from);
            Buffer.BlockCopy(_buffer, _from, target, offset, buffered);
            _from += buffered;
            while (buffered < count)
            {
                if (count - buffered < _buffer.Length)
                {
                    Refill(); // what follows comes along with the same call
                    int taken = Math.Min(count - buffered, _to);
                    Buffer.BlockCopy(_buffer, 0, target, offset + buffered, taken);
                    _from = taken;
                    buffered += taken;
                }
                else
                {
                    buffered += _source.Read(target, offset + buffered, count - buffered);
                }
            }
        }

        private void Refill()
        {
            _from = 0;
            _to = 0;
            _to = _source.Read(_buffer, 0, _buffer.Length);
        }

        private int ReadByte()
        {
            AwaitByte();
            return _buffer[_from++];
        }

        private long ReadLength()
        {
            ulong length = 0;
            for (int i = 0; i < 8; i++)
            {
                length = (length << 8) | (uint)ReadByte();
            }
            if (length > long.MaxValue)
            {
                throw Violation("a length whose highest bit is set");
            }
            return (long)length;
        }

        private byte[] ReadBody(int length)
        {
            byte[] body = Allocate(Math.Min(length, TrustedBytes));
            int have = 0;
            while (true)
            {
                ReadExactly(body, have, body.Length - have);
                if (body.Length == length)
                {
                    return body;
                }
                have = body.Length;
                byte[] larger = Allocate((int)Math.Min(length, have * 2L));
                Buffer.BlockCopy(body, 0, larger, 0, have);
                body = larger;
            }
        }

        private byte[] Allocate(int length)
        {
            try
            {
                return new byte[length];
            }
            catch (OutOfMemoryException)
            {
                throw TooLarge(length);
            }
        }

        private TransportException TooLarge(long length)
        {
            string message = " sent a frame of " + length + " bytes, more than this client takes; raise its limits, or ask for less.";
            return new TransportException(TransportFailure.TooLarge, _endpoint + message);
        }

        private TransportException Violation(string what)
        {
            string message = " broke ZeroMQ's protocol with " + what + "; is a ZeroMQ server behind that port?";
            return new TransportException(TransportFailure.Violation, _endpoint + message);
        }
    }
}
