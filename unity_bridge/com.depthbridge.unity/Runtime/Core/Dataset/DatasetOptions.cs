// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>How a <see cref="DatasetWriter"/> behaves.</summary>
    public sealed class DatasetOptions
    {
        /// <summary>Where the capture goes; made when it is missing.</summary>
        public string Folder { get; set; }

        /// <summary>
        /// Write into the folder although a capture lies there: files of the same names are replaced, nothing is deleted. Otherwise a
        /// folder beside it is taken, its name with a number behind.
        /// </summary>
        public bool Overwrite { get; set; }

        /// <summary>
        /// Write the camera, with its pose, into every entry. One whose intrinsics are not those of the first picture has it anyway.
        /// </summary>
        public bool CameraPerImage { get; set; }

        /// <summary>How many pictures may wait to be written.</summary>
        public int Capacity { get; set; } = 8;

        /// <summary>annotations.json is brought up to date after so many pictures, at the latest after a twentieth of all.</summary>
        public int FlushEvery { get; set; } = 10;
    }
}
