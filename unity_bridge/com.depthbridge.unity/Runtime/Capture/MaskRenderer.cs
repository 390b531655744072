// SPDX-License-Identifier: Apache-2.0
using System;
using UnityEngine;
using UnityEngine.Experimental.Rendering;

namespace Depthbridge
{
    /// <summary>
    /// Draws a mask of ids: one sample per pixel, no filtering, no sRGB, nothing between the shader's bytes and the bytes read back.
    /// </summary>
    internal sealed class MaskRenderer : IDisposable
    {
        private readonly PlainPass _pass;
        private readonly int _idProperty = Shader.PropertyToID("_DepthbridgeId");

        /// <param name="width">Pixels.</param>
        /// <param name="height">Pixels.</param>
        /// <param name="twoChannels">
        /// Two 8-bit channels, that are little-endian ids when read back; else four, for cards and ways without.
        /// </param>
        public MaskRenderer(int width, int height, bool twoChannels)
        {
            HasTwoChannels = twoChannels;
            var format = twoChannels ? GraphicsFormat.R8G8_UNorm : GraphicsFormat.R8G8B8A8_UNorm;
            _pass = new PlainPass("Depthbridge/InstanceId", "Depthbridge mask", width, height, format);
        }

        public bool HasTwoChannels { get; private set; }

        public RenderTexture Target
        {
            get { return _pass.Target; }
        }

        public void Draw(DrawList list, Camera camera)
        {
            var buffer = _pass.Begin(camera);
            foreach (var item in list.Items)
            {
                buffer.SetGlobalFloat(_idProperty, item.Id);
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
