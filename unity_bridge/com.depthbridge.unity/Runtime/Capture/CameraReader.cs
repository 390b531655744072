// SPDX-License-Identifier: Apache-2.0
using UnityEngine;

namespace Depthbridge
{
    /// <summary>A camera's intrinsics and pose, read while it has the target that counts.</summary>
    internal static class CameraReader
    {
        /// <summary>Of a picture of this size, from the matrix that holds field of view, gate fit, lens shift and aspect alike.</summary>
        /// <exception cref="IntrinsicsException">Orthographic, or no camera that a pinhole has.</exception>
        public static PinholeIntrinsics Intrinsics(Camera camera, int width, int height)
        {
            if (camera.orthographic)
            {
                throw new IntrinsicsException(
                    "The camera '" + camera.name + "' is orthographic and has no focal length; switch it to perspective to measure " +
                    "distances.");
            }
            // The one without jitter: temporal antialiasing moves the other by a part of a pixel from frame to frame.
            return PinholeIntrinsics.FromProjection(Rows(camera.nonJitteredProjectionMatrix), width, height);
        }

        /// <summary>World to camera, metres.</summary>
        /// <exception cref="IntrinsicsException">A scaled or skewed matrix was set by a script.</exception>
        public static double[] Extrinsics(Camera camera, float metersPerUnit)
        {
            return WorldToCamera.FromUnity(Rows(camera.worldToCameraMatrix), metersPerUnit);
        }

        private static double[] Rows(Matrix4x4 matrix)
        {
            var rows = new double[16];
            for (var i = 0; i < 16; i++)
            {
                rows[i] = matrix[i / 4, i % 4];
            }
            return rows;
        }
    }
}
