// SPDX-License-Identifier: Apache-2.0
using System;
using UnityEngine;

namespace Depthbridge
{
    /// <summary>A camera that draws the whole of another target until this is disposed.</summary>
    internal struct CameraRedirect : IDisposable
    {
        private readonly Camera _camera;
        private readonly RenderTexture _target;
        private readonly Rect _rect;

        public CameraRedirect(Camera camera, RenderTexture target)
        {
            _camera = camera;
            _target = camera.targetTexture;
            _rect = camera.rect;
            camera.targetTexture = target;
            camera.rect = new Rect(0, 0, 1, 1);
        }

        public void Dispose()
        {
            _camera.targetTexture = _target;
            _camera.rect = _rect;
        }
    }
}
