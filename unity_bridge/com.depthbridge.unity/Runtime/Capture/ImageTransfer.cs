// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>How a <see cref="DepthCapture"/> sends pictures.</summary>
    public enum ImageTransfer
    {
        /// <summary>As they are: exact, and the fastest on one machine.</summary>
        Raw,
        /// <summary>The picture as JPEG, the mask as PNG: for a server over a network. Distances change a little.</summary>
        Compressed
    }
}
