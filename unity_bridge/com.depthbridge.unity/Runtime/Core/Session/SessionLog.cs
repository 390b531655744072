// SPDX-License-Identifier: Apache-2.0
using System;
using System.Diagnostics;

namespace Depthbridge
{
    /// <summary>What outlives one Start to Stop of a session: events, counters, the clock, the ids.</summary>
    internal sealed class SessionLog
    {
        private readonly object _gate = new object();
        private readonly Stopwatch _clock = Stopwatch.StartNew();
        private readonly SessionCounters _counters = new SessionCounters();
        private ulong _lastId;

        internal SessionLog()
        {
            Events = new EventQueue();
        }

        internal EventQueue Events { get; private set; }

        /// <summary>Milliseconds; never goes back.</summary>
        internal double NowMs
        {
            get { return _clock.Elapsed.TotalMilliseconds; }
        }

        internal SessionCounters Counters
        {
            get
            {
                lock (_gate)
                {
                    return _counters.Copy();
                }
            }
        }

        internal void Count(Action<SessionCounters> change)
        {
            lock (_gate)
            {
                change(_counters);
            }
        }

        internal ulong NextId()
        {
            lock (_gate)
            {
                return ++_lastId;
            }
        }
    }
}
