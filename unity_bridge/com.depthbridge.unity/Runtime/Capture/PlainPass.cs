// SPDX-License-Identifier: Apache-2.0
using System;
using UnityEngine;
using UnityEngine.Experimental.Rendering;
using UnityEngine.Rendering;
using Object = UnityEngine.Object;

namespace Depthbridge
{
    /// <summary>A target, a shader, and the command buffer between them; the scene's own pipeline has no part in it.</summary>
    internal sealed class PlainPass : IDisposable
    {
        private readonly CommandBuffer _buffer;

        public PlainPass(string shader, string name, int width, int height, GraphicsFormat format)
        {
            var found = Resources.Load<Shader>(shader);
            if (found == null || !found.isSupported)
            {
                throw new DepthbridgeException(
                    "The shader " + shader + " is missing or not supported here; reimport the Depthbridge package, and see the console " +
                    "for the shader's own errors.");
            }
            Material = new Material(found) { hideFlags = HideFlags.HideAndDontSave };
            Target = new RenderTexture(width, height, 24, format) { name = name, filterMode = FilterMode.Point, antiAliasing = 1 };
            Target.Create();
            _buffer = new CommandBuffer { name = name };
        }

        public Material Material { get; private set; }

        public RenderTexture Target { get; private set; }

        public CommandBuffer Begin(Camera camera)
        {
            _buffer.Clear();
            _buffer.SetRenderTarget(Target);
            _buffer.ClearRenderTarget(true, true, Color.clear);
            // Both as Unity's own cameras have them: how this graphics API turns rows around is the engine's business for every target.
            _buffer.SetViewProjectionMatrices(camera.worldToCameraMatrix, CameraReader.Projection(camera));
            return _buffer;
        }

        public void End()
        {
            var before = RenderTexture.active;
            Graphics.ExecuteCommandBuffer(_buffer);
            RenderTexture.active = before;
        }

        public void Dispose()
        {
            _buffer.Dispose();
            Target.Release();
            Object.DestroyImmediate(Target);
            Object.DestroyImmediate(Material);
        }
    }
}
