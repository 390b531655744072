// SPDX-License-Identifier: Apache-2.0
// A graphics card in a page: triangles with a depth buffer, rows from the bottom, and the arithmetic of the package's own shaders.
using System;
using System.Collections.Generic;
using System.Linq;
using UnityEngine;
using UnityEngine.Experimental.Rendering;
using UnityEngine.Rendering;

namespace StubUnity
{
    public sealed class Rasterizer
    {
        private const double Near = 0.01;

        /// <summary>Metres per unit that the stub's scene paints its depth in: millimetres are 256 * red + green.</summary>
        public static double SceneMetersPerUnit = 1;

        public readonly Dictionary<string, float> Globals = new Dictionary<string, float>();
        public Matrix4x4 View, Projection;
        public RenderTexture Target;

        private Color? _unlit;

        private struct Corner
        {
            public double X, Y, W; // pixels from the left and from the bottom; distance along the axis
            public Vector3 Seen;
        }

        /// <summary>The picture of a camera: every pixel is painted with its own depth, or its unlit material's colour.</summary>
        public static void RenderCamera(Camera camera)
        {
            var gpu = new Rasterizer { Target = camera.targetTexture, View = camera.worldToCameraMatrix };
            gpu.Projection = camera.projectionMatrix;
            gpu.Clear(true, true, Color.clear);
            var cull = Shader.PropertyToID("_Cull");
            foreach (var renderer in PlayerLoop.Living<Renderer>())
            {
                var group = renderer.GetComponentInParent<LODGroup>();
                var layered = (camera.cullingMask & (1 << renderer.gameObject.layer)) != 0;
                var drawn = renderer.enabled && !renderer.forceRenderingOff && renderer.shadowCastingMode != ShadowCastingMode.ShadowsOnly;
                if (!layered || !drawn || (group != null && group.Hides(renderer)))
                {
                    continue;
                }
                for (var i = 0; i < Math.Min(renderer.Materials.Count, renderer.DrawnMesh.subMeshCount); i++)
                {
                    var material = renderer.Materials[i];
                    var twoSided = material.HasProperty(cull) && material.GetFloat(cull) == 0;
                    gpu._unlit = material.Unlit;
                    gpu.Draw(renderer, material.renderQueue > 2500 ? null : "scene", i, twoSided ? 1 : 0);
                }
            }
        }

        public void Clear(bool depth, bool colour, Color background)
        {
            if (depth)
            {
                for (var i = 0; i < Target.DepthBuffer.Length; i++)
                {
                    Target.DepthBuffer[i] = float.MaxValue;
                }
            }
            if (colour)
            {
                Array.Clear(Target.Pixels, 0, Target.Pixels.Length); // every clear in the package is to zero
            }
        }

        public void Draw(Renderer renderer, string shader, int subMesh, int pass)
        {
            if (shader == null || renderer.gameObject.Equals(null))
            {
                return;
            }
            var mesh = renderer.DrawnMesh;
            if (subMesh >= mesh.subMeshCount)
            {
                throw new ArgumentException("Submesh " + subMesh + " of " + mesh.subMeshCount + " was drawn.");
            }
            var model = renderer.transform.localToWorldMatrix;
            var seen = mesh.Vertices.Select(v => View.MultiplyPoint3x4(model.MultiplyPoint3x4(v))).ToArray();
            var triangles = mesh.Triangles[subMesh];
            for (var i = 0; i < triangles.Length; i += 3)
            {
                var polygon = Clip(new[] { seen[triangles[i]], seen[triangles[i + 1]], seen[triangles[i + 2]] });
                for (var k = 2; k < polygon.Count; k++)
                {
                    Fill(Place(polygon[0]), Place(polygon[k - 1]), Place(polygon[k]), shader, pass == 0);
                }
            }
        }

        private static List<Vector3> Clip(Vector3[] corners)
        {
            var kept = new List<Vector3>();
            for (var i = 0; i < corners.Length; i++)
            {
                Vector3 a = corners[i], b = corners[(i + 1) % corners.Length];
                if (-a.z >= Near)
                {
                    kept.Add(a);
                }
                if (-a.z >= Near != -b.z >= Near)
                {
                    kept.Add(a + (b - a) * (float)((-Near - a.z) / (b.z - a.z)));
                }
            }
            return kept;
        }

        private Corner Place(Vector3 seen)
        {
            double w = -seen.z;
            var x = ((double)Projection.m00 * seen.x + (double)Projection.m02 * seen.z) / w;
            var y = ((double)Projection.m11 * seen.y + (double)Projection.m12 * seen.z) / w;
            return new Corner { X = (x * 0.5 + 0.5) * Target.width, Y = (y * 0.5 + 0.5) * Target.height, W = w, Seen = seen };
        }

        private void Fill(Corner a, Corner b, Corner c, string shader, bool cullBack)
        {
            var area = Edge(a, b, c.X, c.Y);
            if (area == 0 || (cullBack && area > 0)) // the front is wound clockwise, as seen with y up
            {
                return;
            }
            var left = Math.Max(0, (int)Math.Floor(Math.Min(a.X, Math.Min(b.X, c.X))));
            var right = Math.Min(Target.width - 1, (int)Math.Ceiling(Math.Max(a.X, Math.Max(b.X, c.X))));
            var bottom = Math.Max(0, (int)Math.Floor(Math.Min(a.Y, Math.Min(b.Y, c.Y))));
            var top = Math.Min(Target.height - 1, (int)Math.Ceiling(Math.Max(a.Y, Math.Max(b.Y, c.Y))));
            for (var y = bottom; y <= top; y++)
            {
                for (var x = left; x <= right; x++)
                {
                    double u = Edge(b, c, x + 0.5, y + 0.5) / area, v = Edge(c, a, x + 0.5, y + 0.5) / area, t = 1 - u - v;
                    if (u < 0 || v < 0 || t < 0)
                    {
                        continue;
                    }
                    double p = u / a.W, q = v / b.W, r = t / c.W, w = 1 / (p + q + r); // perspective-correct
                    var at = y * Target.width + x;
                    if (w < Target.DepthBuffer[at])
                    {
                        Target.DepthBuffer[at] = (float)w;
                        Shade(shader, at, a.Seen * (float)(p * w) + b.Seen * (float)(q * w) + c.Seen * (float)(r * w), w);
                    }
                }
            }
        }

        private static double Edge(Corner from, Corner to, double x, double y)
        {
            return (to.X - from.X) * (y - from.Y) - (to.Y - from.Y) * (x - from.X);
        }

        private void Shade(string shader, int at, Vector3 seen, double w)
        {
            if (shader == "scene" && _unlit != null)
            {
                var colour = _unlit.Value;
                Store(at, Unorm(Shown(colour.r)), Unorm(Shown(colour.g)), Unorm(Shown(colour.b)), 255);
            }
            else if (shader == "scene")
            {
                var millimetres = (int)Math.Round(w * SceneMetersPerUnit * 1000);
                Store(at, (byte)(millimetres >> 8), (byte)millimetres, 200, 17);
            }
            else if (shader == "Hidden/Depthbridge/InstanceId")
            {
                var bytes = ShaderCode.DepthbridgeIdBytes(Globals["_DepthbridgeId"]);
                if (Target.graphicsFormat == GraphicsFormat.R8G8_UNorm)
                {
                    Store(at, Unorm(bytes.x), Unorm(bytes.y));
                }
                else
                {
                    Store(at, Unorm(bytes.x), Unorm(bytes.y), 0, 255);
                }
            }
            else if (shader == "Hidden/Depthbridge/PlanarDepth" && Target.graphicsFormat == GraphicsFormat.R32_SFloat)
            {
                var depth = ShaderCode.DepthbridgePlanarDepth(new float3(seen.x, seen.y, seen.z), Globals["_DepthbridgeMetersPerUnit"]);
                Store(at, BitConverter.GetBytes(depth));
            }
            else
            {
                throw new ArgumentException("The stub's card does not know the shader " + shader + " into " + Target.graphicsFormat + ".");
            }
        }

        /// <summary>Colours of materials are sRGB; in linear projects shaders get them as linear values.</summary>
        private static float Shown(float value)
        {
            var isLinear = QualitySettings.activeColorSpace == ColorSpace.Linear;
            return !isLinear ? value : (float)(value <= 0.04045 ? value / 12.92 : Math.Pow((value + 0.055) / 1.055, 2.4));
        }

        private byte Unorm(float value)
        {
            double v = value;
            if (Target.graphicsFormat == GraphicsFormat.R8G8B8A8_SRGB) // what the card does to linear values there
            {
                v = v <= 0.0031308 ? 12.92 * v : 1.055 * Math.Pow(v, 1 / 2.4) - 0.055;
            }
            return (byte)Math.Round(v * 255);
        }

        private void Store(int at, params byte[] bytes)
        {
            Buffer.BlockCopy(bytes, 0, Target.Pixels, at * bytes.Length, bytes.Length);
        }
    }
}
