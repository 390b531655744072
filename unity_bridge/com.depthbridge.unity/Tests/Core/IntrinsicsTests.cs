// SPDX-License-Identifier: Apache-2.0
using NUnit.Framework;

namespace Depthbridge.Tests
{
    [TestFixture]
    public class IntrinsicsTests
    {
        // f 50 mm, sensor 36x24, lens shift (0.1, 0.2), 640x360.
        [TestCase(GateFit.Vertical, 750, 750, 266, 252)]
        [TestCase(GateFit.Horizontal, 888.888888888889, 888.888888888889, 256, 265.333333333333)]
        [TestCase(GateFit.Fill, 888.888888888889, 888.888888888889, 256, 265.333333333333)]
        [TestCase(GateFit.Overscan, 750, 750, 266, 252)]
        [TestCase(GateFit.None, 888.888888888889, 750, 256, 252)]
        public void EveryGateFit(GateFit fit, double fx, double fy, double cx, double cy)
        {
            var camera = PinholeIntrinsics.FromPhysical(50, 36, 24, 0.1, 0.2, fit, 640, 360);
            Check(camera, fx, fy, cx, cy, 640, 360);
        }

        // The other way round: an image narrower than the sensor.
        [TestCase(GateFit.Fill, GateFit.Vertical)]
        [TestCase(GateFit.Overscan, GateFit.Horizontal)]
        public void FillAndOverscanFollowTheAspect(GateFit fit, GateFit same)
        {
            var one = PinholeIntrinsics.FromPhysical(50, 36, 24, 0.1, -0.2, fit, 300, 400);
            var other = PinholeIntrinsics.FromPhysical(50, 36, 24, 0.1, -0.2, same, 300, 400);
            Check(one, other.Fx, other.Fy, other.Cx, other.Cy, 300, 400);
        }

        // What Unity makes of such a camera: Frustum with the gate's half sizes, moved by the shift.
        [TestCase(GateFit.Vertical)]
        [TestCase(GateFit.Horizontal)]
        [TestCase(GateFit.Fill)]
        [TestCase(GateFit.Overscan)]
        [TestCase(GateFit.None)]
        public void ThePhysicalCameraAndItsProjectionAgree(GateFit fit)
        {
            foreach (var size in new[] { new[] { 640, 360 }, new[] { 512, 512 }, new[] { 300, 800 } })
            {
                var aspect = (double)size[0] / size[1];
                var wide = fit == GateFit.Horizontal || (fit == GateFit.Fill && aspect > 1.5) || (fit == GateFit.Overscan && aspect <= 1.5);
                var gateWidth = fit == GateFit.None || wide ? 36 : 24 * aspect;
                var gateHeight = fit == GateFit.None || !wide ? 24 : 36 / aspect;
                double left = 0.1 * 36 - gateWidth / 2, right = 0.1 * 36 + gateWidth / 2;
                double bottom = -0.15 * 24 - gateHeight / 2, top = -0.15 * 24 + gateHeight / 2;
                var projection = Frustum(left / 35, right / 35, bottom / 35, top / 35, 1, 100);
                var camera = PinholeIntrinsics.FromPhysical(35, 36, 24, 0.1, -0.15, fit, size[0], size[1]);
                var read = PinholeIntrinsics.FromProjection(projection, size[0], size[1]);
                Check(read, camera.Fx, camera.Fy, camera.Cx, camera.Cy, size[0], size[1]);
            }
        }

        [Test]
        public void TheFieldOfViewIsVertical()
        {
            var camera = PinholeIntrinsics.FromVerticalFov(60, 1024, 1024);
            Assert.That(camera.Fy, Is.EqualTo(886.81).Within(0.005));
            Check(PinholeIntrinsics.FromVerticalFov(90, 640, 360), 180, 180, 320, 180, 640, 360);
            Assert.That(PinholeIntrinsics.FromVerticalFov(37.5, 640, 360).VerticalFovDegrees, Is.EqualTo(37.5).Within(1e-12));
        }

        [Test]
        public void AnAspectOfItsOwnMakesPixelsOblong()
        {
            // Camera.aspect 2 in an image of 1: one pixel is as wide as two are high.
            Check(PinholeIntrinsics.FromVerticalFov(90, 400, 400, 2), 100, 200, 200, 200, 400, 400);
        }

        [Test]
        public void ResizingScalesBothAxesApart()
        {
            var camera = PinholeIntrinsics.FromPixels(500, 400, 330, 170, 640, 360).Resized(320, 720);
            Check(camera, 250, 800, 165, 340, 320, 720);
        }

        [Test]
        public void AnObliqueNearPlaneChangesNothing()
        {
            var projection = Frustum(-1, 1, -0.5, 0.5, 1, 100);
            var before = PinholeIntrinsics.FromProjection(projection, 640, 320);
            for (var i = 8; i < 12; i++)
            {
                projection[i] = 0.3 * i - 2;
            }
            var after = PinholeIntrinsics.FromProjection(projection, 640, 320);
            Check(after, before.Fx, before.Fy, before.Cx, before.Cy, 640, 320);
        }

        [Test]
        public void AProjectionTimesANumberIsTheSameProjection()
        {
            var projection = Frustum(-1, 0.8, -0.5, 0.6, 1, 100);
            var before = PinholeIntrinsics.FromProjection(projection, 640, 320);
            for (var i = 0; i < 16; i++)
            {
                projection[i] *= 3.5;
            }
            Check(PinholeIntrinsics.FromProjection(projection, 640, 320), before.Fx, before.Fy, before.Cx, before.Cy, 640, 320);
        }

        [Test]
        public void OrthographicIsRefused()
        {
            var projection = new[] { 0.2, 0, 0, 0, 0, 0.3, 0, 0, 0, 0, -0.02, -1, 0, 0, 0, 1 };
            var error = Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromProjection(projection, 640, 360));
            Assert.That(error.Message, Is.StringContaining("orthographic").And.StringContaining("perspective"));
        }

        [TestCase(1, 0.01)] // skew
        [TestCase(4, 0.01)] // turned
        [TestCase(3, 0.1)] // moved
        [TestCase(7, 0.1)]
        [TestCase(12, 0.1)]
        [TestCase(13, 0.1)]
        [TestCase(15, 0.5)]
        [TestCase(14, 1)] // looks along +z
        [TestCase(14, 0)]
        [TestCase(0, 0)]
        [TestCase(0, double.NaN)]
        [TestCase(2, double.PositiveInfinity)]
        [TestCase(10, double.NaN)]
        public void WhatIsNoPinholeIsRefusedWithASentence(int place, double value)
        {
            var projection = Frustum(-1, 1, -1, 1, 1, 100);
            projection[place] = value;
            var error = Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromProjection(projection, 640, 360));
            Assert.That(error.Message, Is.StringEnding("."));
        }

        [TestCase(0)]
        [TestCase(5)]
        public void AMirroredProjectionIsRefusedAndItsLikelyCauseNamed(int place)
        {
            var projection = Frustum(-1, 1, -1, 1, 1, 100);
            projection[place] = -projection[place];
            var error = Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromProjection(projection, 640, 360));
            Assert.That(error.Message, Is.StringContaining("GL.GetGPUProjectionMatrix"));
        }

        [Test]
        public void NumbersThatNoCameraHasAreRefused()
        {
            Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromProjection(null, 640, 360));
            Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromProjection(new double[9], 640, 360));
            Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromProjection(new double[16], 640, 360));
            Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromProjection(Frustum(-1, 1, -1, 1, 1, 9), 0, 360));
            Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromVerticalFov(0, 640, 360));
            Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromVerticalFov(180, 640, 360));
            Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromVerticalFov(double.NaN, 640, 360));
            Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromVerticalFov(60, 640, 360, -1));
            Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromVerticalFov(60, 640, 360, double.NaN));
            Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromPhysical(0, 36, 24, 0, 0, GateFit.Fill, 640, 360));
            Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromPhysical(50, 0, 24, 0, 0, GateFit.Fill, 640, 360));
            Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromPhysical(50, 36, 24, double.NaN, 0, GateFit.Fill, 640, 360));
            Assert.Throws<IntrinsicsException>(() => PinholeIntrinsics.FromPixels(100, 100, 0, 0, 10, 10).Resized(0, 10));
        }

        [Test]
        public void TheCameraAsJson()
        {
            var writer = new JsonWriter();
            PinholeIntrinsics.FromPixels(500.5, 400, 330, 170, 640, 360).WriteJson(writer);
            Assert.That(writer.ToString(), Is.EqualTo("{\"fx\":500.5,\"fy\":400,\"cx\":330,\"cy\":170,\"width\":640,\"height\":360}"));
        }

        [Test]
        public void AnUnmovedCameraOfUnityLooksForward()
        {
            // Unity's worldToCameraMatrix of a camera at the origin: z turned. (1, 2, 3) before it is right, up and ahead.
            var pose = WorldToCamera.FromUnity(new double[] { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1 });
            Assert.That(pose, Is.EqualTo(new double[] { 1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0 }));
        }

        [Test]
        public void TheScaleOfASceneMovesThePlaceAlone()
        {
            var pose = WorldToCamera.FromUnity(new double[] { 1, 0, 0, 4, 0, 1, 0, -6, 0, 0, -1, 8, 0, 0, 0, 1 }, 0.5);
            Assert.That(pose, Is.EqualTo(new double[] { 1, 0, 0, 2, 0, -1, 0, 3, 0, 0, 1, -4 }));
        }

        [Test]
        public void AScaledOrBrokenPoseIsRefused()
        {
            foreach (var spoil in new[] { new[] { 0, 2.0 }, new[] { 1, 0.1 }, new[] { 3, double.NaN } })
            {
                var pose = new double[] { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1 };
                pose[(int)spoil[0]] = spoil[1];
                Assert.Throws<IntrinsicsException>(() => WorldToCamera.FromUnity(pose));
            }
            Assert.Throws<IntrinsicsException>(() => WorldToCamera.FromUnity(new double[12]));
            Assert.Throws<IntrinsicsException>(() => WorldToCamera.FromUnity(null));
        }

        /// <summary>OpenGL's frustum at near 1, as glFrustum has it.</summary>
        internal static double[] Frustum(double left, double right, double bottom, double top, double near, double far)
        {
            return new[]
            {
                2 * near / (right - left), 0, (right + left) / (right - left), 0,
                0, 2 * near / (top - bottom), (top + bottom) / (top - bottom), 0,
                0, 0, -(far + near) / (far - near), -2 * far * near / (far - near),
                0, 0, -1, 0
            };
        }

        private static void Check(PinholeIntrinsics camera, double fx, double fy, double cx, double cy, int width, int height)
        {
            Assert.That(camera.Fx, Is.EqualTo(fx).Within(1e-9 * fx));
            Assert.That(camera.Fy, Is.EqualTo(fy).Within(1e-9 * fy));
            Assert.That(camera.Cx, Is.EqualTo(cx).Within(1e-9 * width));
            Assert.That(camera.Cy, Is.EqualTo(cy).Within(1e-9 * height));
            Assert.That(camera.Width, Is.EqualTo(width));
            Assert.That(camera.Height, Is.EqualTo(height));
        }
    }
}
