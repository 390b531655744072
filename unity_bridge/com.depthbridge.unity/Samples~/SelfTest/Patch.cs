// SPDX-License-Identifier: Apache-2.0
using UnityEngine;

namespace Depthbridge.Samples
{
    /// <summary>A rectangle square to the camera, and where it must be in a picture.</summary>
    internal sealed class Patch
    {
        public DepthObject Marker;
        public Renderer Renderer;

        // In the camera's frame: metres to the right, up and along the axis, and half its sides.
        public double X, Y, Z, HalfWidth, HalfHeight;

        // In the picture of the frame at hand, pixels from the left and from the top; the value in the mask, 0 when it is not listed.
        public double Left, Right, Top, Bottom, DepthM;
        public int MaskValue;

        /// <summary>Stands it before a camera.</summary>
        public void Place(Transform camera)
        {
            var at = Renderer.transform;
            at.position = camera.TransformPoint(new Vector3((float)X, (float)Y, (float)Z));
            at.rotation = camera.rotation;
            at.localScale = new Vector3((float)(2 * HalfWidth), (float)(2 * HalfHeight), 1);
        }

        /// <summary>From where it is in the world, through the pose and the intrinsics that the frame states: these are on trial.</summary>
        public void Project(CapturedFrame frame)
        {
            var world = Renderer.transform.position;
            var pose = frame.Extrinsics;
            var camera = frame.Intrinsics;
            var seen = new double[3];
            for (var row = 0; row < 3; row++)
            {
                seen[row] = pose[4 * row] * world.x + pose[4 * row + 1] * world.y + pose[4 * row + 2] * world.z + pose[4 * row + 3];
            }
            DepthM = seen[2];
            var u = camera.Fx * seen[0] / DepthM + camera.Cx;
            var v = camera.Fy * seen[1] / DepthM + camera.Cy;
            Left = u - camera.Fx * HalfWidth / DepthM;
            Right = u + camera.Fx * HalfWidth / DepthM;
            Top = v - camera.Fy * HalfHeight / DepthM;
            Bottom = v + camera.Fy * HalfHeight / DepthM;
            MaskValue = 0;
            foreach (var item in frame.Objects)
            {
                MaskValue = ReferenceEquals(item.Marker, Marker) ? item.MaskValue : MaskValue;
            }
        }

        /// <summary>Whether a pixel's middle lies in it, grown by a margin.</summary>
        public bool Holds(double u, double v, double margin)
        {
            return u > Left - margin && u < Right + margin && v > Top - margin && v < Bottom + margin;
        }
    }
}
