// SPDX-License-Identifier: Apache-2.0
using NUnit.Framework;

namespace Depthbridge.Tests
{
    /// <summary>The transport's suite over the real libzmq: what it cannot pass is no law of ZeroMQ.</summary>
    [TestFixture]
    public class LibzmqTransportTests : TransportTests
    {
        /// <inheritdoc/>
        protected override ITransport Make(TransportLimits limits)
        {
            return new LibzmqTransport(limits);
        }

        /// <inheritdoc/>
        protected override bool Explains
        {
            get { return false; }
        }
    }
}
