// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using UnityEngine;
using UnityEngine.Rendering;
using Object = UnityEngine.Object;

namespace Depthbridge.Samples
{
    /// <summary>
    /// Are rows, ids, depth and intrinsics right on this graphics API, in this pipeline and colour space? Put it on an empty GameObject and
    /// press Play: a table comes into the console and the Game view. No server is needed.
    /// </summary>
    public sealed class SelfTest : MonoBehaviour
    {
        private const int WarmUps = 1; // captures before the one that counts: exposure and temporal effects settle
        private const int MostFrames = 300; // that a capture may take

        [SerializeField]
        [Tooltip("A layer that nothing else of the scene is on.")]
        private int _layer = 31;

        [SerializeField]
        [Tooltip("Pixels.")]
        private int _width = 640;

        [SerializeField]
        [Tooltip("Pixels.")]
        private int _height = 360;

        private List<Setup> _setups;
        private Target _target;
        private Camera _camera;
        private DepthCapture _capture;
        private CapturedFrame _without;
        private int _setup = -1;
        private int _warmUps;
        private int _waited;
        private bool _asked;
        private string _text;
        private GUIStyle _style;

        /// <summary>The table is complete.</summary>
        public event Action<SelfTestReport> Finished;

        /// <summary>The table, which fills as the test goes on.</summary>
        public SelfTestReport Report { get; private set; }

        /// <summary>Whether the table is complete.</summary>
        public bool IsDone
        {
            get { return _text != null; }
        }

        private void OnEnable()
        {
            Report = new SelfTestReport();
            _text = null;
            _setup = -1;
            NoteSurroundings();
            _target = new Target(_layer);
            _setups = Setup.All();
            _capture = gameObject.AddComponent<DepthCapture>();
            _capture.Trigger = CaptureTrigger.Manual;
            _capture.Width = _width;
            _capture.Height = _height;
            _capture.PlanarDepth = true;
            _capture.OnFrameCaptured += Take;
            _capture.OnProblem += Fail;
            Next();
        }

        private void Update()
        {
            if (IsDone)
            {
                return;
            }
            if (!_asked)
            {
                _asked = true;
                _waited = 0;
                _capture.RequestCapture();
            }
            else if (++_waited > MostFrames)
            {
                Fail("No frame came within " + MostFrames + " frames.");
            }
        }

        private void OnDisable()
        {
            End();
        }

        private void OnGUI()
        {
            if (!IsDone)
            {
                return;
            }
            _style = _style ?? new GUIStyle(GUI.skin.box) { alignment = TextAnchor.UpperLeft, wordWrap = true };
            GUI.Label(new Rect(10, 10, Screen.width - 20, Screen.height - 20), new GUIContent(_text), _style);
        }

        /// <summary>The next camera, or the end.</summary>
        private void Next()
        {
            if (_camera != null)
            {
                Object.Destroy(_camera.gameObject);
            }
            if (++_setup == _setups.Count)
            {
                Finish();
                return;
            }
            _camera = _target.NewCamera();
            _setups[_setup].Apply(_camera);
            _capture.SourceCamera = _camera;
            Expect(false);
        }

        private void Expect(bool marker)
        {
            _target.Marker.Renderer.enabled = marker;
            _warmUps = WarmUps;
            _asked = false;
        }

        private void Take(CapturedFrame frame)
        {
            _asked = false;
            if (IsDone || --_warmUps >= 0)
            {
                return;
            }
            if (_without == null)
            {
                frame.Retain();
                _without = frame;
                Expect(true);
                return;
            }
            var check = new FrameCheck(frame, _without, _target);
            if (_setup == 0)
            {
                check.Report(Report);
            }
            else
            {
                check.ReportIntrinsics(Report, _setups[_setup].Name);
            }
            Release();
            Next();
        }

        private void Fail(string sentence)
        {
            var name = _setup >= 0 && _setup < _setups.Count ? _setups[_setup].Name : "start";
            Report.Add("capture: " + name, false, sentence, "See the console for what was logged before.");
            Release();
            Next();
        }

        private void Finish()
        {
            _text = Report.ToString();
            if (Report.Passed)
            {
                Debug.Log(_text, this);
            }
            else
            {
                Debug.LogError(_text, this);
            }
            End();
            if (Finished != null)
            {
                Finished(Report);
            }
        }

        private void Release()
        {
            if (_without != null)
            {
                _without.Release();
                _without = null;
            }
        }

        /// <summary>Lets go of everything. May be called again.</summary>
        private void End()
        {
            Release();
            if (_capture != null)
            {
                _capture.OnFrameCaptured -= Take;
                _capture.OnProblem -= Fail;
                Object.Destroy(_capture);
                _capture = null;
            }
            if (_target != null)
            {
                _target.Dispose();
                _target = null;
            }
        }

        private void NoteSurroundings()
        {
            var pipeline = GraphicsSettings.currentRenderPipeline;
            var twoChannels = SystemInfo.supportsAsyncGPUReadback && SystemInfo.SupportsRenderTextureFormat(RenderTextureFormat.RG16);
            Report.Note("Unity", Application.unityVersion);
            Report.Note("graphics", SystemInfo.graphicsDeviceType + ", " + SystemInfo.graphicsDeviceName);
            Report.Note("pipeline", pipeline == null ? "Built-in" : pipeline.GetType().Name);
            Report.Note("colour space", QualitySettings.activeColorSpace.ToString());
            Report.Note("readback", SystemInfo.supportsAsyncGPUReadback ? "asynchronous" : "ReadPixels: each capture waits for the card");
            Report.Note("mask", twoChannels ? "two channels of 8 bits" : "four channels of 8 bits");
        }
    }
}
