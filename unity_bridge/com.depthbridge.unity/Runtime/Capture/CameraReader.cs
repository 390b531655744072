// SPDX-License-Identifier: Apache-2.0
using UnityEngine;

namespace Depthbridge
{
    /// <summary>A camera's intrinsics and pose, read while it has the target that counts.</summary>
    internal static class CameraReader
    {
        private const float SameZoom = 1e-4f;
        private const float MostJitterPixels = 2;

        /// <exception cref="IntrinsicsException">Orthographic.</exception>
        public static void Check(Camera camera)
        {
            if (camera.orthographic)
            {
                throw new IntrinsicsException(
                    "The camera '" + camera.name + "' is orthographic and has no focal length; switch it to perspective to measure " +
                    "distances.");
            }
        }

        /// <summary>What the camera draws with, without a temporal filter's jitter of a part of a pixel.</summary>
        /// <remarks>
        /// Unity's nonJitteredProjectionMatrix, once it was set, stays what it is although target, aspect or field of view change, and no
        /// reset lets go of it; Post Processing 2 sets it whenever the camera renders. It counts only where it differs by a jitter.
        /// </remarks>
        public static Matrix4x4 Projection(Camera camera)
        {
            Matrix4x4 drawn = camera.projectionMatrix, still = camera.nonJitteredProjectionMatrix;
            var isSame = IsNear(drawn.m00, still.m00, SameZoom * Mathf.Abs(drawn.m00)) &&
                IsNear(drawn.m11, still.m11, SameZoom * Mathf.Abs(drawn.m11)) &&
                IsNear(drawn.m01, still.m01, SameZoom) && IsNear(drawn.m10, still.m10, SameZoom) &&
                IsNear(drawn.m02, still.m02, 2 * MostJitterPixels / camera.pixelWidth) &&
                IsNear(drawn.m12, still.m12, 2 * MostJitterPixels / camera.pixelHeight);
            return isSame ? still : drawn;
        }

        /// <summary>Of a picture of this size, from the matrix that holds field of view, gate fit, lens shift and aspect alike.</summary>
        /// <exception cref="IntrinsicsException">Orthographic, or no camera that a pinhole has.</exception>
        public static PinholeIntrinsics Intrinsics(Camera camera, int width, int height)
        {
            Check(camera);
            return PinholeIntrinsics.FromProjection(Rows(Projection(camera)), width, height);
        }

        /// <summary>World to camera, metres.</summary>
        /// <exception cref="IntrinsicsException">A scaled or skewed matrix was set by a script.</exception>
        public static double[] Extrinsics(Camera camera, float metersPerUnit)
        {
            return WorldToCamera.FromUnity(Rows(camera.worldToCameraMatrix), metersPerUnit);
        }

        private static bool IsNear(float a, float b, float tolerance)
        {
            return Mathf.Abs(a - b) <= tolerance;
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
