// SPDX-License-Identifier: Apache-2.0
using System;
using UnityEngine;
using UnityEngine.Experimental.Rendering;

namespace Depthbridge
{
    /// <summary>Draws planar depth in metres, 0 where there is nothing.</summary>
    internal sealed class PlanarDepthRenderer : IDisposable
    {
        private readonly PlainPass _pass;
        private readonly int _scaleProperty = Shader.PropertyToID("_DepthbridgeMetersPerUnit");

        public PlanarDepthRenderer(int width, int height)
        {
            _pass = new PlainPass("Depthbridge/PlanarDepth", "Depthbridge planar depth", width, height, GraphicsFormat.R32_SFloat);
        }

        public RenderTexture Target
        {
            get { return _pass.Target; }
        }

        public void Draw(DrawList list, Camera camera, float metersPerUnit)
        {
            var buffer = _pass.Begin(camera);
            buffer.SetGlobalFloat(_scaleProperty, metersPerUnit);
            foreach (var item in list.Items)
            {
                buffer.DrawRenderer(item.Renderer, _pass.Material, item.SubMesh, item.Pass);
            }
            _pass.End();
        }

        public void Dispose()
        {
            _pass.Dispose();
        }
    }
}
