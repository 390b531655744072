// SPDX-License-Identifier: Apache-2.0
// Unity's camera as far as the package uses it: public signatures from the scripting reference, formulas of a camera with a film gate.
using System;
using StubUnity;

namespace UnityEngine
{
    public enum CameraType
    {
        Game = 1,
        SceneView = 2,
    }

    public sealed partial class Camera : Behaviour
    {
        /// <summary>What a temporal filter adds to the projection: of this picture alone, in clip space.</summary>
        public Vector2 Jitter;

        /// <summary>How often it rendered.</summary>
        public int Renders;

        /// <summary>
        /// As Post Processing 2 does: pins the projection without jitter whenever the camera renders. No reset lets go of it: it stays when
        /// the target, the aspect or the field of view is another one.
        /// </summary>
        public bool PinsProjection;

        /// <summary>Whether an aspect that nobody set follows a new target only when the camera renders next.</summary>
        public static bool AspectWaits;

        private float? _aspect;
        private float? _renderedAspect;
        private Matrix4x4? _projection;
        private Matrix4x4? _still;

        public enum GateFitMode
        {
            None = 0,
            Vertical = 1,
            Horizontal = 2,
            Fill = 3,
            Overscan = 4,
        }

        public Camera()
        {
            fieldOfView = 60;
            nearClipPlane = 0.3f;
            farClipPlane = 1000;
            cullingMask = -1;
            rect = new Rect(0, 0, 1, 1);
            sensorSize = new Vector2(36, 24);
            focalLength = 50;
            gateFit = GateFitMode.Horizontal;
        }

        public static Camera main { get; set; }

        public float fieldOfView { get; set; }
        public float nearClipPlane { get; set; }
        public float farClipPlane { get; set; }
        public bool orthographic { get; set; }
        public int cullingMask { get; set; }
        public Rect rect { get; set; }
        public RenderTexture targetTexture { get; set; }
        public bool usePhysicalProperties { get; set; }
        public Vector2 sensorSize { get; set; }
        public Vector2 lensShift { get; set; }
        public float focalLength { get; set; }
        public GateFitMode gateFit { get; set; }
        public bool allowDynamicResolution { get; set; }

        public int pixelWidth
        {
            get { return (int)Math.Round(rect.width * (targetTexture != null ? targetTexture.width : Screen.width)); }
        }

        public int pixelHeight
        {
            get { return (int)Math.Round(rect.height * (targetTexture != null ? targetTexture.height : Screen.height)); }
        }

        public float aspect
        {
            get { return _aspect ?? (AspectWaits ? _renderedAspect : null) ?? (float)pixelWidth / pixelHeight; }
            set { _aspect = value; }
        }

        public Matrix4x4 worldToCameraMatrix
        {
            get
            {
                var pose = Matrix4x4.TRS(transform.position, transform.rotation, Vector3.one);
                var result = Matrix4x4.identity;
                for (var row = 0; row < 3; row++)
                {
                    var sign = row == 2 ? -1f : 1f; // OpenGL's camera looks along -z
                    var move = 0.0;
                    for (var column = 0; column < 3; column++)
                    {
                        result[row, column] = sign * pose[column, row];
                        move -= (double)pose[column, row] * pose[column, 3];
                    }
                    result[row, 3] = (float)(sign * move);
                }
                return result;
            }
        }

        public Matrix4x4 projectionMatrix
        {
            get
            {
                var result = Unjittered;
                result.m02 += Jitter.x;
                result.m12 += Jitter.y;
                return result;
            }
            set { _projection = value; }
        }

        public Matrix4x4 nonJitteredProjectionMatrix
        {
            get { return _still ?? Unjittered; }
            set { _still = value; }
        }

        private Matrix4x4 Unjittered
        {
            get { return _projection ?? (orthographic ? Orthographic() : Perspective()); }
        }

        public void Render()
        {
            Renders++;
            BeginRender();
            Rasterizer.RenderCamera(this);
        }

        /// <summary>What happens to matrices before a camera renders, into a target or the window.</summary>
        internal void BeginRender()
        {
            _renderedAspect = (float)pixelWidth / pixelHeight;
            if (PinsProjection)
            {
                _still = Unjittered;
            }
        }

        public Vector3 WorldToScreenPoint(Vector3 position)
        {
            var seen = worldToCameraMatrix.MultiplyPoint3x4(position);
            var p = projectionMatrix;
            var x = (p.m00 * seen.x + p.m02 * seen.z) / -seen.z;
            var y = (p.m11 * seen.y + p.m12 * seen.z) / -seen.z;
            return new Vector3((x * 0.5f + 0.5f) * pixelWidth, (y * 0.5f + 0.5f) * pixelHeight, -seen.z);
        }

        private Matrix4x4 Perspective()
        {
            double gateHeight = sensorSize.y, gateWidth = gateHeight * aspect, focal = focalLength;
            double shiftX = 0, shiftY = 0;
            if (!usePhysicalProperties)
            {
                focal = gateHeight / 2 / Math.Tan(fieldOfView * Math.PI / 360);
            }
            else
            {
                Gate(out gateWidth, out gateHeight);
                shiftX = lensShift.x * sensorSize.x / gateWidth;
                shiftY = lensShift.y * sensorSize.y / gateHeight;
            }
            double near = nearClipPlane, far = farClipPlane;
            return new Matrix4x4
            {
                m00 = (float)(2 * focal / gateWidth),
                m11 = (float)(2 * focal / gateHeight),
                m02 = (float)(2 * shiftX),
                m12 = (float)(2 * shiftY),
                m22 = (float)(-(far + near) / (far - near)),
                m23 = (float)(-2 * far * near / (far - near)),
                m32 = -1,
            };
        }

        private void Gate(out double width, out double height)
        {
            double sensorWidth = sensorSize.x, sensorHeight = sensorSize.y;
            var wide = aspect > sensorWidth / sensorHeight;
            width = sensorWidth;
            height = sensorHeight;
            if (gateFit == GateFitMode.Horizontal || gateFit == GateFitMode.Fill && wide || gateFit == GateFitMode.Overscan && !wide)
            {
                height = sensorWidth / aspect;
            }
            else if (gateFit != GateFitMode.None)
            {
                width = sensorHeight * aspect;
            }
        }

        private Matrix4x4 Orthographic()
        {
            var result = Matrix4x4.identity;
            result.m00 = 0.2f / aspect;
            result.m11 = 0.2f;
            result.m22 = -0.002f;
            result.m23 = -1;
            return result;
        }
    }
}
