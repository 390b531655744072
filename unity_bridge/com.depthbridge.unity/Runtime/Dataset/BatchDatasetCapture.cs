// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using UnityEngine;

namespace Depthbridge
{
    /// <summary>
    /// Writes what a <see cref="DepthCapture"/> captures into a folder: images/, masks/, depth/ if wanted, camera_intrinsics.json,
    /// annotations.json. <c>depthbridge annotate FOLDER --out DIR</c> adds distances later; with a client they come at once, too.
    /// </summary>
    /// <remarks>
    /// Files are made on a thread of their own. When the disk is slower than the scene, the game waits for it; when a lossless client's
    /// server is, the game's time stands still: no frame is left out and none is out of step.
    /// </remarks>
    [AddComponentMenu("Depthbridge/Batch Dataset Capture")]
    [DisallowMultipleComponent]
    [RequireComponent(typeof(DepthCapture))]
    public sealed partial class BatchDatasetCapture : MonoBehaviour
    {
        private const int DiskTimeoutMs = 60000;

        private readonly HashSet<long> _unmeasured = new HashSet<long>();
        private DepthCapture _capture;
        private DatasetWriter _writer;
        private float _captureDeltaTimeBefore;
        private float _timeScaleBefore;
        private bool _frozen;

        /// <summary>A frame was taken in. Main thread; see <see cref="CapturedFrame"/> about its arrays.</summary>
        public event Action<CapturedFrame> OnFrameCaptured;

        /// <summary>The distances of a frame of this capture are there, maybe after its end; with a client alone. Main thread.</summary>
        public event Action<CapturedFrame, DepthAnswer> OnDistances;

        /// <summary>The folder is complete. Main thread.</summary>
        public event Action<string> OnFinished;

        /// <summary>Whether it captures now.</summary>
        public bool IsCapturing
        {
            get { return _writer != null; }
        }

        /// <summary>Frames taken in since <see cref="Begin"/>.</summary>
        public int Captured { get; private set; }

        /// <summary>Where this capture, or the last one, is; null before.</summary>
        public string CurrentFolder { get; private set; }

        /// <summary>
        /// Starts a capture; one that runs is ended first. A folder that has a capture is left alone, and one beside it taken.
        /// </summary>
        public void Begin()
        {
            End();
            Forget();
            try
            {
                _writer = new DatasetWriter(new DatasetOptions
                {
                    Folder = ProjectPath.Full(_folder), Overwrite = _overwrite, CameraPerImage = _cameraPerImage, FlushEvery = _flushEvery,
                });
            }
            catch (DepthbridgeException error)
            {
                Debug.LogError("Depthbridge: " + error.Message, this);
                return;
            }
            CurrentFolder = _writer.Folder;
            Captured = 0;
            _captureDeltaTimeBefore = Time.captureDeltaTime;
            if (_simulationStep > 0)
            {
                Time.captureDeltaTime = _simulationStep;
            }
            _capture = GetComponent<DepthCapture>();
            _capture.PlanarDepth = _capture.PlanarDepth || _planarDepth;
            _capture.WaitForReadback = true;
            _capture.OnFrameCaptured += Take;
            _capture.OnDistances += Measured;
        }

        /// <summary>Ends the capture and waits until all its files are written. May be called again.</summary>
        public void End()
        {
            var writer = _writer;
            _writer = null;
            if (writer == null)
            {
                return;
            }
            _capture.OnFrameCaptured -= Take;
            _capture.WaitForReadback = false;
            Freeze(false);
            if (_simulationStep > 0)
            {
                Time.captureDeltaTime = _captureDeltaTimeBefore;
            }
            if (!writer.Finish(DiskTimeoutMs))
            {
                Debug.LogWarning("Depthbridge: " + writer.Folder + " is still being written; the disk is slow.", this);
            }
            if (writer.Error != null)
            {
                Debug.LogError("Depthbridge: " + writer.Error, this);
            }
            else if (OnFinished != null)
            {
                OnFinished(writer.Folder);
            }
        }

        private void OnEnable()
        {
            if (_beginOnEnable)
            {
                Begin();
            }
        }

        private void Update()
        {
            if (_writer == null)
            {
                return;
            }
            Freeze(_capture.IsWaitingForServer);
            if (_writer.Error != null || (_frames > 0 && Captured >= _frames))
            {
                End();
            }
        }

        private void OnDisable()
        {
            End();
            Forget();
        }

        private void OnApplicationQuit()
        {
            End();
        }

        private void OnDestroy()
        {
            End();
            Forget();
        }

        /// <summary>Nobody waits for this capture's distances any more.</summary>
        private void Forget()
        {
            _unmeasured.Clear();
            if (_capture != null)
            {
                _capture.OnDistances -= Measured;
            }
        }

        private void Take(CapturedFrame frame)
        {
            if (_writer == null || (_frames > 0 && Captured >= _frames) || !_writer.WaitForRoom(DiskTimeoutMs))
            {
                return;
            }
            frame.Retain();
            if (!_writer.TryAdd(Record(frame)))
            {
                frame.Release();
                return;
            }
            Captured++;
            _unmeasured.Add(frame.FrameId);
            if (OnFrameCaptured != null)
            {
                OnFrameCaptured(frame);
            }
            _frameCaptured.Invoke(frame);
        }

        private void Measured(CapturedFrame frame, DepthAnswer answer)
        {
            if (!_unmeasured.Remove(frame.FrameId))
            {
                return;
            }
            if (OnDistances != null)
            {
                OnDistances(frame, answer);
            }
            _distances.Invoke(frame, answer);
        }

        private static DatasetFrame Record(CapturedFrame frame)
        {
            var objects = new RequestObject[frame.Objects.Count];
            for (var i = 0; i < objects.Length; i++)
            {
                objects[i] = frame.Objects[i].Request;
            }
            return new DatasetFrame
            {
                Width = frame.Width,
                Height = frame.Height,
                Origin = frame.Origin,
                Rgba = new ArraySegment<byte>(frame.Image),
                Mask = new ArraySegment<byte>(frame.Mask),
                Depth = frame.Depth != null ? new ArraySegment<byte>(frame.Depth) : default(ArraySegment<byte>),
                Camera = frame.Intrinsics,
                Extrinsics = frame.Extrinsics,
                Objects = objects,
                Release = frame.Release,
            };
        }

        /// <summary>The game's time stands still while a lossless client has no room, and goes on as it went.</summary>
        private void Freeze(bool wanted)
        {
            if (wanted == _frozen)
            {
                return;
            }
            _frozen = wanted;
            if (wanted)
            {
                _timeScaleBefore = Time.timeScale;
            }
            Time.timeScale = wanted ? 0 : _timeScaleBefore;
        }
    }
}
