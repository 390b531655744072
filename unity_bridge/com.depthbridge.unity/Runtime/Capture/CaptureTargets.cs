// SPDX-License-Identifier: Apache-2.0
using System;
using UnityEngine;
using UnityEngine.Experimental.Rendering;
using UnityEngine.Rendering;
using Object = UnityEngine.Object;

namespace Depthbridge
{
    /// <summary>Everything of one size that a capture draws into, and the way back from there.</summary>
    internal sealed class CaptureTargets : IDisposable
    {
        private readonly DrawList _list;
        private readonly MaskRenderer _mask;
        private readonly PlanarDepthRenderer _depth;

        public CaptureTargets(int width, int height, bool withDepth, ObjectTable objects, Action<CapturedFrame, bool> done)
        {
            if (withDepth && !SystemInfo.SupportsRenderTextureFormat(RenderTextureFormat.RFloat))
            {
                throw new DepthbridgeException("This graphics card cannot render 32-bit floats; switch planar depth off.");
            }
            _list = new DrawList(objects);
            var isAsync = SystemInfo.supportsAsyncGPUReadback;
            var isLinear = QualitySettings.activeColorSpace == ColorSpace.Linear;
            var format = isLinear ? GraphicsFormat.R8G8B8A8_SRGB : GraphicsFormat.R8G8B8A8_UNorm;
            try
            {
                Image = new RenderTexture(width, height, 24, format) { name = "Depthbridge picture" };
                if (!Image.Create())
                {
                    throw new DepthbridgeException(
                        "This graphics card cannot make pictures of " + width + "x" + height + " pixels; capture smaller ones.");
                }
                _mask = new MaskRenderer(width, height, isAsync && CanReadTwoChannels());
                _depth = withDepth ? new PlanarDepthRenderer(width, height) : null;
            }
            catch
            {
                LetGo(); // it is tried again with each frame
                throw;
            }
            Readback = new FrameReadback(width, height, isAsync, _mask.HasTwoChannels, done);
        }

        public RenderTexture Image { get; private set; }

        public FrameReadback Readback { get; private set; }

        public bool Fits(int width, int height, bool withDepth)
        {
            return Image.width == width && Image.height == height && (_depth != null) == withDepth && Image.IsCreated();
        }

        /// <summary>Mask and depth of what the camera sees now.</summary>
        public void Draw(Camera camera, IdSource ids, float metersPerUnit)
        {
            _list.Collect(camera, ids);
            _mask.Draw(_list, camera);
            if (_depth != null)
            {
                _depth.Draw(_list, camera, metersPerUnit);
            }
        }

        /// <summary>Sends the frame on its way back.</summary>
        public void Read(CapturedFrame frame)
        {
            Readback.Start(frame, Image, _mask.Target, _depth != null ? _depth.Target : null);
        }

        public void Dispose()
        {
            Readback.Stop(LetGo);
        }

        /// <summary>OpenGL ES and ReadPixels are only sure of four.</summary>
        private static bool CanReadTwoChannels()
        {
            return SystemInfo.graphicsDeviceType != GraphicsDeviceType.OpenGLES3 &&
                SystemInfo.SupportsRenderTextureFormat(RenderTextureFormat.RG16);
        }

        private void LetGo()
        {
            if (_mask != null)
            {
                _mask.Dispose();
            }
            if (_depth != null)
            {
                _depth.Dispose();
            }
            if (Image != null)
            {
                Image.Release();
                Object.DestroyImmediate(Image);
            }
        }
    }
}
