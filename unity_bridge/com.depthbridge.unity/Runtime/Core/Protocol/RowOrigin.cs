// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>
    /// Which row of a picture comes first in its bytes. There is no default: a flipped mask still gives plausible numbers.
    /// </summary>
    public enum RowOrigin
    {
        /// <summary>The upper one: files, and what EncodeToPNG and EncodeToJPG write.</summary>
        TopLeft,
        /// <summary>The lower one: AsyncGPUReadback, ReadPixels, GetPixels32, GetRawTextureData.</summary>
        BottomLeft
    }
}
