// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>What gets an id in the mask.</summary>
    public enum IdSource
    {
        /// <summary>What a <see cref="DepthObject"/> marks. Everything else is background, and still hides what lies behind it.</summary>
        DepthObjects,
        /// <summary>
        /// Every renderer that no <see cref="DepthObject"/> marks gets an id of its own, too; its category is its GameObject's name.
        /// </summary>
        EveryRenderer
    }
}
