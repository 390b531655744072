// SPDX-License-Identifier: Apache-2.0
using NUnit.Framework;
using UnityEngine;
using UnityEngine.Experimental.Rendering;

namespace Depthbridge
{
    /// <summary>Whether this engine's cameras are what the formulas say. In Unity that is a test of the formulas.</summary>
    public class CameraTests
    {
        private GameObject _holder;
        private Camera _camera;
        private CameraIntrinsicsExporter _exporter;
        private RenderTexture _target;

        [SetUp]
        public void SetUp()
        {
            _holder = new GameObject("Depthbridge test camera");
            _camera = _holder.AddComponent<Camera>();
            _camera.enabled = false;
            _exporter = _holder.AddComponent<CameraIntrinsicsExporter>();
            _exporter.Width = 640;
            _exporter.Height = 360;
            _target = new RenderTexture(640, 360, 0, GraphicsFormat.R8G8B8A8_UNorm);
            _target.Create();
        }

        [TearDown]
        public void TearDown()
        {
            _camera.targetTexture = null;
            Object.DestroyImmediate(_holder);
            _target.Release();
            Object.DestroyImmediate(_target);
        }

        [TestCase(Camera.GateFitMode.Vertical, 640, 360)]
        [TestCase(Camera.GateFitMode.Horizontal, 640, 360)]
        [TestCase(Camera.GateFitMode.Fill, 640, 360)]
        [TestCase(Camera.GateFitMode.Overscan, 640, 360)]
        [TestCase(Camera.GateFitMode.None, 640, 360)]
        [TestCase(Camera.GateFitMode.Vertical, 300, 400)]
        [TestCase(Camera.GateFitMode.Horizontal, 300, 400)]
        [TestCase(Camera.GateFitMode.Fill, 300, 400)]
        [TestCase(Camera.GateFitMode.Overscan, 300, 400)]
        [TestCase(Camera.GateFitMode.None, 300, 400)]
        public void PhysicalCamera(Camera.GateFitMode fit, int width, int height)
        {
            _camera.usePhysicalProperties = true;
            _camera.sensorSize = new Vector2(36, 24);
            _camera.focalLength = 50;
            _camera.lensShift = new Vector2(0.1f, 0.2f);
            _camera.gateFit = fit;
            _exporter.Width = width;
            _exporter.Height = height;
            AreAlike(PinholeIntrinsics.FromPhysical(50, 36, 24, 0.1, 0.2, (GateFit)(int)fit, width, height), _exporter.Read());
        }

        [Test]
        public void PlainCamera()
        {
            _camera.fieldOfView = 47;
            AreAlike(PinholeIntrinsics.FromVerticalFov(47, 640, 360), _exporter.Read());
        }

        [Test]
        public void AspectThatIsNotThePictures()
        {
            _camera.fieldOfView = 60;
            _camera.aspect = 1;
            AreAlike(PinholeIntrinsics.FromVerticalFov(60, 640, 360, 1), _exporter.Read());
        }

        /// <summary>Post Processing 2 pins the one without jitter at each render, and no reset lets go of it.</summary>
        [Test]
        public void PinnedProjectionOfAnEarlierRender()
        {
            _camera.fieldOfView = 90;
            _camera.nonJitteredProjectionMatrix = _camera.projectionMatrix;
            _camera.fieldOfView = 47;
            AreAlike(PinholeIntrinsics.FromVerticalFov(47, 640, 360), _exporter.Read());
        }

        /// <summary>Temporal antialiasing moves the projection by parts of a pixel.</summary>
        [Test]
        public void JitterIsLeftOut()
        {
            _camera.fieldOfView = 47;
            _camera.targetTexture = _target;
            var still = _camera.projectionMatrix;
            var moved = still;
            moved.m02 += 0.9f / 640;
            moved.m12 -= 0.7f / 360;
            _camera.nonJitteredProjectionMatrix = still;
            _camera.projectionMatrix = moved;
            AreAlike(PinholeIntrinsics.FromVerticalFov(47, 640, 360), _exporter.Read());
        }

        [Test]
        public void OrthographicIsRefusedInASentence()
        {
            string problem = null;
            _exporter.OnProblem += sentence => problem = sentence;
            _camera.orthographic = true;
            Assert.IsNull(_exporter.Read());
            StringAssert.Contains("orthographic", problem);
        }

        [Test]
        public void CameraIsLeftAsItWas()
        {
            _camera.targetTexture = _target;
            _camera.rect = new Rect(0.25f, 0, 0.5f, 1);
            _exporter.Read();
            Assert.AreSame(_target, _camera.targetTexture);
            Assert.AreEqual(0.25f, _camera.rect.x);
        }

        /// <summary>A point that this engine puts on a pixel lands there with our numbers, too: signs, pose, lens shift.</summary>
        [Test]
        public void APointLandsWhereTheEngineSeesIt()
        {
            _camera.usePhysicalProperties = true;
            _camera.lensShift = new Vector2(0.1f, -0.15f);
            _holder.transform.position = new Vector3(1, 2, -3);
            _holder.transform.rotation = Quaternion.AngleAxis(35, new Vector3(0.3f, 1, -0.2f));
            _camera.targetTexture = _target;
            var point = Matrix4x4.TRS(_holder.transform.position, _holder.transform.rotation, Vector3.one)
                .MultiplyPoint3x4(new Vector3(0.4f, 0.3f, 5));
            var seen = _camera.WorldToScreenPoint(point);
            var pose = WorldToCamera.FromUnity(Rows(_camera.worldToCameraMatrix));
            var k = _exporter.Read();
            double x = At(pose, 0, point), y = At(pose, 4, point), z = At(pose, 8, point);
            Assert.AreEqual(5, z, 1e-4);
            Assert.AreEqual(seen.z, z, 1e-4);
            Assert.AreEqual(seen.x, k.Fx * x / z + k.Cx, 0.01);
            Assert.AreEqual(360 - seen.y, k.Fy * y / z + k.Cy, 0.01);
        }

        private static double At(double[] pose, int row, Vector3 p)
        {
            return pose[row] * p.x + pose[row + 1] * p.y + pose[row + 2] * p.z + pose[row + 3];
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

        private static void AreAlike(PinholeIntrinsics expected, PinholeIntrinsics got)
        {
            Assert.AreEqual(expected.Fx, got.Fx, 0.01);
            Assert.AreEqual(expected.Fy, got.Fy, 0.01);
            Assert.AreEqual(expected.Cx, got.Cx, 0.01);
            Assert.AreEqual(expected.Cy, got.Cy, 0.01);
        }
    }
}
