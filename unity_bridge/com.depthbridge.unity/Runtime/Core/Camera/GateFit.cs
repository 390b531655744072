// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>
    /// How a physical camera's sensor is fitted to an image of another aspect. Numbers as in Unity's Camera.GateFitMode.
    /// </summary>
    public enum GateFit
    {
        /// <summary>The sensor is stretched: fx and fy differ.</summary>
        None = 0,
        /// <summary>The sensor's height fills the image's.</summary>
        Vertical = 1,
        /// <summary>The sensor's width fills the image's.</summary>
        Horizontal = 2,
        /// <summary>Part of the sensor is cropped away.</summary>
        Fill = 3,
        /// <summary>All of the sensor is in the image, and more beside it.</summary>
        Overscan = 4
    }
}
