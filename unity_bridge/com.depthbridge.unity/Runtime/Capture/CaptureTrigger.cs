// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>When a <see cref="DepthCapture"/> captures.</summary>
    public enum CaptureTrigger
    {
        /// <summary>Every so many frames.</summary>
        EveryFrames,
        /// <summary>Every so many seconds of the game's time.</summary>
        Interval,
        /// <summary>When <see cref="DepthCapture.RequestCapture"/> is called.</summary>
        Manual
    }
}
