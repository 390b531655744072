// SPDX-License-Identifier: Apache-2.0
using System;

namespace Depthbridge
{
    /// <summary>
    /// One submission of a request, from Submit to its one event and its one Release. Fields are guarded by the book's lock.
    /// </summary>
    internal sealed class PendingRequest
    {
        private Action _release;

        internal PendingRequest(DepthRequest request, long place)
        {
            Request = request;
            Place = place;
            _release = request.Release;
        }

        internal DepthRequest Request { get; private set; }

        /// <summary>In the order of submission.</summary>
        internal long Place { get; private set; }

        /// <summary>Of the last sending; each one has its own, so that the answer to an earlier one is not taken for this one's.</summary>
        internal ulong WireId { get; set; }

        /// <summary>How many connections were lost under it.</summary>
        internal int Losses { get; set; }

        /// <summary>When the last sending began, milliseconds of the session's clock.</summary>
        internal double SentAtMs { get; set; }

        /// <summary>The transport has its buffers.</summary>
        internal bool Sending { get; set; }

        /// <summary>Its event is out.</summary>
        internal bool Ended { get; set; }

        /// <summary>What is to be called now; null at every time but the first.</summary>
        internal Action TakeRelease()
        {
            var release = _release;
            _release = null;
            return release;
        }
    }
}
