// SPDX-License-Identifier: Apache-2.0
using System;
using System.Globalization;

namespace Depthbridge
{
    /// <summary>
    /// Focal lengths and principal point in pixels of an upright image of <see cref="Width"/> x <see cref="Height"/>: x right, y down, the
    /// image spans [0, Width] x [0, Height] and the first pixel's centre is (0.5, 0.5). For OpenCV, which counts from pixel centres,
    /// subtract 0.5 from <see cref="Cx"/> and <see cref="Cy"/>.
    /// </summary>
    public sealed class PinholeIntrinsics
    {
        // A matrix of 32-bit floats: what is nothing but rounding.
        private const double Rounding = 1e-5;

        private PinholeIntrinsics(double fx, double fy, double cx, double cy, int width, int height)
        {
            Fx = fx;
            Fy = fy;
            Cx = cx;
            Cy = cy;
            Width = width;
            Height = height;
        }

        /// <summary>Focal length along x, pixels.</summary>
        public double Fx { get; private set; }

        /// <summary>Focal length along y, pixels.</summary>
        public double Fy { get; private set; }

        /// <summary>Principal point from the left edge, pixels.</summary>
        public double Cx { get; private set; }

        /// <summary>Principal point from the upper edge, pixels.</summary>
        public double Cy { get; private set; }

        /// <summary>Width of the image, pixels.</summary>
        public int Width { get; private set; }

        /// <summary>Height of the image, pixels.</summary>
        public int Height { get; private set; }

        /// <summary>The vertical field of view that a centred camera of this focal length has, degrees.</summary>
        public double VerticalFovDegrees
        {
            get { return 2 * Math.Atan2(Height, 2 * Fy) * 180 / Math.PI; }
        }

        /// <summary>Given numbers, in pixels.</summary>
        /// <exception cref="IntrinsicsException">Not finite, or a focal length or size that is not positive.</exception>
        public static PinholeIntrinsics FromPixels(double fx, double fy, double cx, double cy, int width, int height)
        {
            CheckSize(width, height);
            CheckPositive(fx, "focal length fx");
            CheckPositive(fy, "focal length fy");
            CheckFinite(cx, "principal point cx");
            CheckFinite(cy, "principal point cy");
            return new PinholeIntrinsics(fx, fy, cx, cy, width, height);
        }

        /// <summary>
        /// From a projection matrix in OpenGL's convention, which is Unity's on every platform: give
        /// Camera.nonJitteredProjectionMatrix (projectionMatrix moves with temporal antialiasing), never
        /// GL.GetGPUProjectionMatrix. Field of view, aspect, physical cameras with any gate fit, lens shift and off-centre frusta are all
        /// in it.
        /// </summary>
        /// <remarks>fx = P00 w/2, fy = P11 h/2, cx = w/2 (1 - P02), cy = h/2 (1 + P12): a point (x, y, -z) in view space lies at
        /// P00 x/z - P02 in clip space, which spans the image from -1 to 1, up.</remarks>
        /// <param name="rowMajor16">The matrix, row by row.</param>
        /// <param name="width">Of the pixels that are sent.</param>
        /// <param name="height">Of the pixels that are sent.</param>
        /// <exception cref="IntrinsicsException">Orthographic, skewed, upside down, or no projection at all.</exception>
        public static PinholeIntrinsics FromProjection(double[] rowMajor16, int width, int height)
        {
            CheckSize(width, height);
            CheckProjection(rowMajor16);
            var scale = -rowMajor16[14];
            var p00 = rowMajor16[0] / scale;
            var p11 = rowMajor16[5] / scale;
            if (!(p00 > 0) || !(p11 > 0))
            {
                throw new IntrinsicsException(
                    "The projection matrix mirrors the image (P00 " + Text(p00) + ", P11 " + Text(p11) +
                    "); give Camera.nonJitteredProjectionMatrix, not what GL.GetGPUProjectionMatrix makes of it.");
            }
            return FromPixels(
                p00 * width / 2,
                p11 * height / 2,
                width * (1 - rowMajor16[2] / scale) / 2,
                height * (1 + rowMajor16[6] / scale) / 2,
                width,
                height);
        }

        /// <summary>From a vertical field of view, what Camera.fieldOfView is for a camera that is not physical.</summary>
        /// <param name="degrees">Between 0 and 180.</param>
        /// <param name="width">Pixels.</param>
        /// <param name="height">Pixels.</param>
        /// <param name="aspect">Camera.aspect where it was set to another one than the image has; 0: the image's.</param>
        /// <exception cref="IntrinsicsException">No such field of view, aspect or size.</exception>
        public static PinholeIntrinsics FromVerticalFov(double degrees, int width, int height, double aspect = 0)
        {
            CheckSize(width, height);
            if (!(degrees > 0) || !(degrees < 180))
            {
                throw new IntrinsicsException("A vertical field of view of " + Text(degrees) + " degrees; give one between 0 and 180.");
            }
            if (aspect != 0)
            {
                CheckPositive(aspect, "aspect");
            }
            var fy = height / (2 * Math.Tan(degrees * Math.PI / 360));
            var fx = aspect != 0 ? fy * width / height / aspect : fy;
            return FromPixels(fx, fy, width / 2.0, height / 2.0, width, height);
        }

        /// <summary>
        /// From the numbers of a physical camera. In Unity use <see cref="FromProjection"/>, which holds them all; this is for checking it.
        /// </summary>
        /// <param name="focalMm">Camera.focalLength, millimetres.</param>
        /// <param name="sensorWidthMm">Camera.sensorSize.x.</param>
        /// <param name="sensorHeightMm">Camera.sensorSize.y.</param>
        /// <param name="shiftX">Camera.lensShift.x, of the sensor's width.</param>
        /// <param name="shiftY">Camera.lensShift.y, of the sensor's height.</param>
        /// <param name="fit">Camera.gateFit.</param>
        /// <param name="width">Pixels.</param>
        /// <param name="height">Pixels.</param>
        /// <exception cref="IntrinsicsException">Numbers that no camera has.</exception>
        public static PinholeIntrinsics FromPhysical(
            double focalMm, double sensorWidthMm, double sensorHeightMm, double shiftX, double shiftY, GateFit fit, int width, int height)
        {
            CheckSize(width, height);
            CheckPositive(focalMm, "focal length in millimetres");
            CheckPositive(sensorWidthMm, "sensor width");
            CheckPositive(sensorHeightMm, "sensor height");
            var aspect = (double)width / height;
            var wider = aspect > sensorWidthMm / sensorHeightMm;
            var horizontal = fit == GateFit.Horizontal || (fit == GateFit.Fill && wider) || (fit == GateFit.Overscan && !wider);
            var gateWidth = fit == GateFit.None || horizontal ? sensorWidthMm : sensorHeightMm * aspect;
            var gateHeight = fit == GateFit.None || !horizontal ? sensorHeightMm : sensorWidthMm / aspect;
            return FromPixels(
                width * focalMm / gateWidth,
                height * focalMm / gateHeight,
                width * (0.5 - shiftX * sensorWidthMm / gateWidth),
                height * (0.5 + shiftY * sensorHeightMm / gateHeight),
                width,
                height);
        }

        /// <summary>The camera of the same image scaled to another size.</summary>
        public PinholeIntrinsics Resized(int width, int height)
        {
            CheckSize(width, height);
            var x = (double)width / Width;
            var y = (double)height / Height;
            return FromPixels(Fx * x, Fy * y, Cx * x, Cy * y, width, height);
        }

        /// <summary>Writes the object that the protocol calls camera: fx, fy, cx, cy, width, height.</summary>
        public void WriteJson(JsonWriter writer)
        {
            writer.BeginObject();
            WriteMembers(writer);
            writer.EndObject();
        }

        internal void WriteMembers(JsonWriter writer)
        {
            writer.Name("fx").Value(Fx).Name("fy").Value(Fy).Name("cx").Value(Cx).Name("cy").Value(Cy);
            writer.Name("width").Value(Width).Name("height").Value(Height);
        }

        private static void CheckProjection(double[] p)
        {
            if (p == null || p.Length != 16)
            {
                var count = p == null ? 0 : p.Length;
                throw new IntrinsicsException("A projection matrix has 16 numbers, row by row; " + count + " were given.");
            }
            foreach (var value in p)
            {
                CheckFinite(value, "projection matrix");
            }
            if (Math.Abs(p[14]) <= Rounding && p[15] != 0)
            {
                throw new IntrinsicsException(
                    "The camera is orthographic and has no focal length; switch it to perspective to measure distances.");
            }
            var w = Math.Abs(p[14]);
            if (Math.Abs(p[12]) > Rounding * w || Math.Abs(p[13]) > Rounding * w || Math.Abs(p[15]) > Rounding * w || !(p[14] < 0))
            {
                throw new IntrinsicsException(
                    "The last row of the projection matrix is (" + Text(p[12]) + ", " + Text(p[13]) + ", " + Text(p[14]) + ", " +
                    Text(p[15]) + ") and that of a perspective camera (0, 0, -1, 0); give Camera.nonJitteredProjectionMatrix.");
            }
            var limit = Rounding * Math.Max(Math.Abs(p[0]), Math.Abs(p[5]));
            if (Math.Abs(p[1]) > limit || Math.Abs(p[4]) > limit || Math.Abs(p[3]) > limit || Math.Abs(p[7]) > limit)
            {
                throw new IntrinsicsException(
                    "The projection matrix is skewed or shifted (P01 " + Text(p[1]) + ", P10 " + Text(p[4]) + ", P03 " + Text(p[3]) +
                    ", P13 " + Text(p[7]) + "); a pinhole camera has 0 there.");
            }
        }

        private static void CheckSize(int width, int height)
        {
            if (width < 1 || height < 1)
            {
                throw new IntrinsicsException("An image of " + width + "x" + height + " pixels has no camera; give its size in pixels.");
            }
        }

        private static void CheckPositive(double value, string name)
        {
            CheckFinite(value, name);
            if (!(value > 0))
            {
                throw new IntrinsicsException("The " + name + " is " + Text(value) + "; give a positive number.");
            }
        }

        private static void CheckFinite(double value, string name)
        {
            if (double.IsNaN(value) || double.IsInfinity(value))
            {
                throw new IntrinsicsException("The " + name + " is " + Text(value) + "; give finite numbers.");
            }
        }

        private static string Text(double value)
        {
            return value.ToString("G6", CultureInfo.InvariantCulture);
        }
    }
}
