// SPDX-License-Identifier: Apache-2.0
using System;

namespace Depthbridge
{
    /// <summary>What a transport accepts and how long it waits. Read once, when the transport is made.</summary>
    public sealed class TransportLimits
    {
        /// <summary>Largest frame in bytes, sent or received. No array of .NET is larger than 2 GiB, whatever stands here.</summary>
        public long MaxFrameBytes = 512L << 20;

        /// <summary>Largest message in bytes (all its frames), sent or received; also the bytes that may wait for
        /// <see cref="ITransport.Receive"/>.</summary>
        public long MaxMessageBytes = 512L << 20;

        /// <summary>Most frames of a message, sent or received.</summary>
        public int MaxFrames = 64;

        /// <summary>How long in milliseconds a send waits for the peer to take any byte at all before it gives up; a slow send that
        /// advances goes on.</summary>
        public int SendTimeoutMs = 30000;

        /// <summary>Most messages that wait for <see cref="ITransport.Receive"/>; with that many the transport stops reading.</summary>
        public int InboxMessages = 64;

        private const long LargestArray = 0x7FFFFFC7;

        /// <summary>A copy that nobody else changes.</summary>
        /// <exception cref="ArgumentOutOfRangeException">A limit is not positive.</exception>
        internal TransportLimits Checked()
        {
            if (MaxFrameBytes <= 0 || MaxMessageBytes <= 0 || MaxFrames <= 0 || SendTimeoutMs <= 0 || InboxMessages <= 0)
            {
                throw new ArgumentOutOfRangeException("limits", "Every limit of a transport is a positive number.");
            }
            return new TransportLimits
            {
                MaxFrameBytes = Math.Min(MaxFrameBytes, LargestArray),
                MaxMessageBytes = MaxMessageBytes,
                MaxFrames = MaxFrames,
                SendTimeoutMs = SendTimeoutMs,
                InboxMessages = InboxMessages
            };
        }
    }
}
