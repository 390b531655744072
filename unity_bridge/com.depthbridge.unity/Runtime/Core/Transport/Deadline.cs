// SPDX-License-Identifier: Apache-2.0
using System;
using System.Diagnostics;

namespace Depthbridge
{
    /// <summary>A moment in the future, by a clock that nobody sets.</summary>
    internal struct Deadline
    {
        private readonly long _ends;

        private Deadline(long ends)
        {
            _ends = ends;
        }

        /// <summary>Far away: <see cref="LeftMs"/> never reaches 0.</summary>
        internal static Deadline Never
        {
            get { return new Deadline(long.MaxValue); }
        }

        /// <summary>Milliseconds from now; negative stands for never.</summary>
        internal static Deadline In(long milliseconds)
        {
            return milliseconds < 0 ? Never : new Deadline(NowMs() + milliseconds);
        }

        /// <summary>Milliseconds that are left, 0 when it has passed, at most an hour.</summary>
        internal int LeftMs
        {
            get { return _ends == long.MaxValue ? 3600000 : (int)Math.Max(0, Math.Min(3600000, _ends - NowMs())); }
        }

        internal bool Passed
        {
            get { return LeftMs == 0; }
        }

        /// <summary>Milliseconds of the monotonic clock; only differences mean anything.</summary>
        internal static long NowMs()
        {
            return (long)(Stopwatch.GetTimestamp() * (1000.0 / Stopwatch.Frequency));
        }
    }
}
