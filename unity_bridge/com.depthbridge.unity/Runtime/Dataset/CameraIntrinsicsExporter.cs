// SPDX-License-Identifier: Apache-2.0
using System;
using System.IO;
using System.Text;
using UnityEngine;
using Object = UnityEngine.Object;

namespace Depthbridge
{
    /// <summary>
    /// Writes a camera's true intrinsics, in pixels, as camera_intrinsics.json: field of view or physical camera, any gate fit, lens shift,
    /// any aspect. Orthographic cameras have none and are refused.
    /// </summary>
    [AddComponentMenu("Depthbridge/Camera Intrinsics Exporter")]
    [DisallowMultipleComponent]
    public sealed class CameraIntrinsicsExporter : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("Empty: the camera on this GameObject.")]
        private Camera _camera;

        [SerializeField]
        [Min(1)]
        [Tooltip("Of the pictures, pixels.")]
        private int _width = 1280;

        [SerializeField]
        [Min(1)]
        [Tooltip("Of the pictures, pixels.")]
        private int _height = 720;

        [SerializeField]
        [Tooltip("Relative: beside Assets in the editor, in persistentDataPath in a player.")]
        private string _file = "camera_intrinsics.json";

        [SerializeField]
        private bool _exportOnStart;

        private string _said;

        /// <summary>Why there are no intrinsics, in one sentence. Main thread.</summary>
        public event Action<string> OnProblem;

        /// <summary>The camera; null: the one on this GameObject.</summary>
        public Camera SourceCamera
        {
            get { return _camera; }
            set { _camera = value; }
        }

        /// <summary>Width of the pictures, pixels.</summary>
        public int Width
        {
            get { return _width; }
            set { _width = Mathf.Max(1, value); }
        }

        /// <summary>Height of the pictures, pixels.</summary>
        public int Height
        {
            get { return _height; }
            set { _height = Mathf.Max(1, value); }
        }

        /// <summary>Where it goes.</summary>
        public string File
        {
            get { return _file; }
            set { _file = value; }
        }

        /// <summary>Export as soon as the scene starts.</summary>
        public bool ExportOnStart
        {
            get { return _exportOnStart; }
            set { _exportOnStart = value; }
        }

        /// <summary>The intrinsics now; null, with a sentence in the console and in <see cref="OnProblem"/>, when there are none.</summary>
        public PinholeIntrinsics Read()
        {
            try
            {
                var camera = _camera != null ? _camera : GetComponent<Camera>();
                if (camera == null)
                {
                    throw new DepthbridgeException("CameraIntrinsicsExporter on '" + name + "' has no camera; assign one.");
                }
                var read = Read(camera);
                _said = null;
                return read;
            }
            catch (DepthbridgeException error)
            {
                Say(error.Message);
                return null;
            }
        }

        /// <summary>Writes the file, in place of an older one.</summary>
        [ContextMenu("Export camera_intrinsics.json")]
        public void Export()
        {
            ExportTo(ProjectPath.Full(_file));
        }

        /// <summary>
        /// Writes the file, in place of an older one. False, with a sentence as for <see cref="Read"/>, when it could not be.
        /// </summary>
        /// <param name="path">Full path of the file.</param>
        public bool ExportTo(string path)
        {
            var read = Read();
            if (read == null)
            {
                return false;
            }
            try
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path));
                System.IO.File.WriteAllText(path, DatasetJson.Intrinsics(read) + "\n", new UTF8Encoding(false));
                return true;
            }
            catch (Exception error) when (error is IOException || error is UnauthorizedAccessException)
            {
                Say("The intrinsics could not be written to " + path + ": " + error.Message);
                return false;
            }
        }

        private void Start()
        {
            if (_exportOnStart)
            {
                Export();
            }
        }

        /// <summary>The camera's aspect follows its target, so that it needs one of the pictures' size.</summary>
        private PinholeIntrinsics Read(Camera camera)
        {
            var target = new RenderTexture(_width, _height, 0, UnityEngine.Experimental.Rendering.GraphicsFormat.R8G8B8A8_UNorm);
            try
            {
                using (new CameraRedirect(camera, target))
                {
                    return CameraReader.Intrinsics(camera, _width, _height);
                }
            }
            finally
            {
                target.Release();
                Object.DestroyImmediate(target);
            }
        }

        private void Say(string sentence)
        {
            if (sentence == _said)
            {
                return;
            }
            _said = sentence;
            Debug.LogWarning("Depthbridge: " + sentence, this);
            if (OnProblem != null)
            {
                OnProblem(sentence);
            }
        }
    }
}
