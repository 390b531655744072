// SPDX-License-Identifier: Apache-2.0
using System;
using UnityEngine;
using Object = UnityEngine.Object;

namespace Depthbridge.Editor
{
    /// <summary>Reads a camera's intrinsics in edit mode, through the component of play mode on a hidden GameObject.</summary>
    internal sealed class IntrinsicsReader : IDisposable
    {
        private GameObject _holder;
        private CameraIntrinsicsExporter _exporter;

        /// <summary>The camera that a capture takes; null when there is none.</summary>
        public static Camera CameraOf(DepthCapture capture)
        {
            var found = capture.SourceCamera != null ? capture.SourceCamera : capture.GetComponent<Camera>();
            return found != null ? found : Camera.main;
        }

        /// <summary>Null, with the sentence, when the camera has none.</summary>
        public PinholeIntrinsics Read(Camera camera, int width, int height, out string problem)
        {
            if (camera.orthographic)
            {
                problem = "The camera '" + camera.name + "' is orthographic and has no focal length; switch it to perspective.";
                return null;
            }
            Prepare(camera, width, height);
            string said = null;
            Action<string> listen = sentence => said = sentence;
            _exporter.OnProblem += listen;
            var read = _exporter.Read();
            _exporter.OnProblem -= listen;
            problem = read != null ? null : said ?? "The camera's projection matrix is none of a pinhole camera; see the console.";
            return read;
        }

        /// <summary>Writes camera_intrinsics.json; false, with the sentence, when it could not be.</summary>
        public bool Export(Camera camera, int width, int height, string path, out string problem)
        {
            if (Read(camera, width, height, out problem) == null)
            {
                return false;
            }
            string said = null;
            Action<string> listen = sentence => said = sentence;
            _exporter.OnProblem += listen;
            var written = _exporter.ExportTo(path);
            _exporter.OnProblem -= listen;
            problem = written ? null : said ?? path + " could not be written; see the console.";
            return written;
        }

        public void Dispose()
        {
            if (_holder != null)
            {
                Object.DestroyImmediate(_holder);
            }
            _holder = null;
        }

        private void Prepare(Camera camera, int width, int height)
        {
            if (_holder == null)
            {
                _holder = new GameObject("Depthbridge intrinsics") { hideFlags = HideFlags.HideAndDontSave };
                _exporter = _holder.AddComponent<CameraIntrinsicsExporter>();
            }
            _exporter.SourceCamera = camera;
            _exporter.Width = width;
            _exporter.Height = height;
        }
    }
}
