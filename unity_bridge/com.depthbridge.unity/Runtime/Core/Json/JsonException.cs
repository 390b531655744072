// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>Text that is not JSON, a value of another kind than asked for, or something JSON cannot hold.</summary>
    public sealed class JsonException : DepthbridgeException
    {
        /// <param name="message">One sentence for a human.</param>
        public JsonException(string message) : base(message)
        {
        }
    }
}
