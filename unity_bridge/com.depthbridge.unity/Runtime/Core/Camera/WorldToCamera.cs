// SPDX-License-Identifier: Apache-2.0
using System;

namespace Depthbridge
{
    /// <summary>
    /// The pose of a camera as the protocol has it: world to camera, x right, y down, z forward, three rows of four, metres.
    /// </summary>
    public static class WorldToCamera
    {
        /// <summary>
        /// From Camera.worldToCameraMatrix, whose camera looks along -z with y up: diag(1, -1, -1) times it. Unity's world is left-handed,
        /// so the determinant of the result is -1; the server answers world positions in that same world.
        /// </summary>
        /// <param name="rowMajor16">The matrix, row by row.</param>
        /// <param name="metersPerUnit">How long one unit of the scene is.</param>
        /// <returns>12 numbers, row by row. World positions that come back are in metres, not in units of the scene.</returns>
        /// <exception cref="IntrinsicsException">Not a rigid pose.</exception>
        public static double[] FromUnity(double[] rowMajor16, double metersPerUnit = 1)
        {
            if (rowMajor16 == null || rowMajor16.Length != 16 || !(metersPerUnit > 0) || double.IsInfinity(metersPerUnit))
            {
                throw new IntrinsicsException(
                    "A camera's pose is a matrix of 16 numbers, row by row, and a positive number of metres per unit.");
            }
            var pose = new double[12];
            for (var i = 0; i < 12; i++)
            {
                var value = i < 4 ? rowMajor16[i] : -rowMajor16[i];
                pose[i] = i % 4 == 3 ? value * metersPerUnit : value;
            }
            Check(pose);
            return pose;
        }

        /// <summary>Refuses what is no rotation (or mirrored rotation) and translation.</summary>
        /// <exception cref="IntrinsicsException">Not finite, scaled or skewed.</exception>
        public static void Check(double[] pose)
        {
            if (pose == null || pose.Length != 12)
            {
                var count = pose == null ? 0 : pose.Length;
                throw new IntrinsicsException("Extrinsics are three rows of four numbers; " + count + " were given.");
            }
            foreach (var value in pose)
            {
                if (double.IsNaN(value) || double.IsInfinity(value))
                {
                    throw new IntrinsicsException("The camera's pose holds a number that is not finite.");
                }
            }
            for (var a = 0; a < 3; a++)
            {
                for (var b = a; b < 3; b++)
                {
                    var dot = pose[4 * a] * pose[4 * b] + pose[4 * a + 1] * pose[4 * b + 1] + pose[4 * a + 2] * pose[4 * b + 2];
                    if (Math.Abs(dot - (a == b ? 1 : 0)) > 1e-3)
                    {
                        throw new IntrinsicsException("The camera's pose is scaled or skewed; give Camera.worldToCameraMatrix as it is.");
                    }
                }
            }
        }
    }
}
