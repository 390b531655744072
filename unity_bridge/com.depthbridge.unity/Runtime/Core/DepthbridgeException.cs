// SPDX-License-Identifier: Apache-2.0
using System;

namespace Depthbridge
{
    /// <summary>What Depthbridge refuses: the message says in one sentence what was wrong and what to do.</summary>
    public class DepthbridgeException : Exception
    {
        /// <param name="message">One sentence for a human.</param>
        public DepthbridgeException(string message) : base(message)
        {
        }

        /// <param name="message">One sentence for a human.</param>
        /// <param name="inner">What caused it.</param>
        public DepthbridgeException(string message, Exception inner) : base(message, inner)
        {
        }
    }
}
