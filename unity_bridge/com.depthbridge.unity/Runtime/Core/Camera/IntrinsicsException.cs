// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>A projection, field of view or size that no pinhole camera has.</summary>
    public sealed class IntrinsicsException : DepthbridgeException
    {
        /// <param name="message">One sentence for a human.</param>
        public IntrinsicsException(string message) : base(message)
        {
        }
    }
}
