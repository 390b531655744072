// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using UnityEngine;

namespace Depthbridge
{
    /// <summary>
    /// Captures a camera: picture, mask of object ids and, if wanted, true planar depth, each from a target of its own size, of one moment;
    /// hands them to <see cref="OnFrameCaptured"/> and, through a <see cref="DepthBridgeClient"/>, to a server, whose distances come back
    /// in
    /// <see cref="OnDistances"/>.
    /// </summary>
    /// <remarks>
    /// <para>The camera is rendered once more, into the capture's own target, in LateUpdate after every other script (order 32000): the
    /// size does not depend on the window, Camera.Render is one way for Built-in, URP and HDRP, and the moment is the one that this frame
    /// shows. WaitForEndOfFrame is not used: it never comes in batch mode, and an editor that is paused renders one frame many times. A
    /// capture camera of its own, disabled, beside the player's keeps HDRP's temporal effects of the latter out of it.</para>
    /// <para>The target has 8 bits per channel and is sRGB in linear projects, so that what is read back are the sRGB bytes that networks
    /// want, whatever the camera renders in before.</para>
    /// <para>What only an editor can show, the Self-Test sample does: row order on each graphics API, each pipeline's Camera.Render.</para>
    /// </remarks>
    [AddComponentMenu("Depthbridge/Depth Capture")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(32000)]
    public sealed partial class DepthCapture : MonoBehaviour
    {
        private readonly HashSet<string> _said = new HashSet<string>();
        private ObjectTable _objects;
        private CaptureTargets _targets;
        private FrameSender _sender;
        private BufferPool _pool;
        private long _frameId;
        private int _lastFrameCount = -1;
        private int _framesUntilNext;
        private float _nextTime;
        private bool _requested;
        private bool _stopping;

        /// <summary>A frame is there. Its arrays are free again after the callback, unless it is retained. Main thread.</summary>
        public event Action<CapturedFrame> OnFrameCaptured;

        /// <summary>The distances of a frame are there. The frame's arrays may be gone by now; what it says is not. Main thread.</summary>
        public event Action<CapturedFrame, DepthAnswer> OnDistances;

        /// <summary>Something is wrong, in one sentence, such as an orthographic camera. Told once while it lasts. Main thread.</summary>
        public event Action<string> OnProblem;

        /// <summary>The id of the last frame that was rendered; 0 before the first.</summary>
        public long LastFrameId
        {
            get { return _frameId; }
        }

        /// <summary>The last frame that distances came back for, and they; null before.</summary>
        public CapturedFrame LastMeasuredFrame { get; private set; }

        /// <summary>The last answer; null before.</summary>
        public DepthAnswer LastAnswer { get; private set; }

        /// <summary>True while a lossless client has no room: nothing is captured until it has.</summary>
        public bool IsWaitingForServer
        {
            get { return _sender != null && _sender.IsBehind; }
        }

        /// <summary>Frames whose pixels the graphics card did not give.</summary>
        public long FramesLost { get; private set; }

        /// <summary>
        /// Captures at the end of this frame (of the next one, if this frame was captured already), whatever the trigger.
        /// </summary>
        public void RequestCapture()
        {
            _requested = true;
        }

        private void OnEnable()
        {
            _stopping = false;
            _lastFrameCount = -1;
            _framesUntilNext = 0;
            _nextTime = 0;
            _said.Clear();
            _pool = new BufferPool();
            _objects = _objects ?? new ObjectTable();
            _sender = new FrameSender(FindClient(), Measured, Say);
        }

        private void LateUpdate()
        {
            if (_sender == null)
            {
                return; // some platforms play on for a frame after OnApplicationQuit
            }
            _sender.Pump();
            if (_sender == null || Time.frameCount == _lastFrameCount || !IsDue() || !HasRoom())
            {
                return;
            }
            _lastFrameCount = Time.frameCount;
            _requested = false;
            _framesUntilNext = _everyFrames;
            _nextTime = Time.time + _intervalSeconds;
            try
            {
                Capture();
            }
            catch (DepthbridgeException error)
            {
                Say(error.Message);
            }
        }

        private void OnDisable()
        {
            Stop();
        }

        private void OnApplicationQuit()
        {
            Stop();
        }

        private void OnDestroy()
        {
            Stop();
        }

        /// <summary>Waits for what the card still copies, then lets go of everything. May be called again.</summary>
        private void Stop()
        {
            _stopping = true;
            if (_targets != null)
            {
                _targets.Dispose();
                _targets = null;
            }
            if (_sender != null)
            {
                _sender.Dispose();
                _sender = null;
            }
            _pool = null;
        }

        private bool IsDue()
        {
            _framesUntilNext -= Time.timeScale > 0 ? 1 : 0; // a simulation that stands still is captured on request alone
            switch (_trigger)
            {
                case CaptureTrigger.EveryFrames:
                    return _requested || _framesUntilNext <= 0;
                case CaptureTrigger.Interval:
                    return _requested || Time.time >= _nextTime;
                default:
                    return _requested;
            }
        }

        /// <summary>For live use a frame that finds no room is left out; a lossless one waits, and the frame after it too.</summary>
        private bool HasRoom()
        {
            if (IsWaitingForServer)
            {
                return false;
            }
            if (_targets == null || _targets.Readback.Pending < FrameReadback.MostPending)
            {
                return true;
            }
            if (!WaitForReadback)
            {
                return false;
            }
            _targets.Readback.WaitAll();
            return !IsWaitingForServer;
        }

        private DepthBridgeClient FindClient()
        {
            return _client != null ? _client : GetComponent<DepthBridgeClient>();
        }

        private Camera FindCamera()
        {
            var found = _camera != null ? _camera : GetComponent<Camera>();
            found = found != null ? found : Camera.main;
            if (found == null)
            {
                throw new DepthbridgeException(
                    "DepthCapture on '" + name + "' has no camera; assign one, or put the component on a camera.");
            }
            return found;
        }

        private void Say(string sentence)
        {
            if (!_said.Add(sentence))
            {
                return;
            }
            Debug.LogWarning("Depthbridge: " + sentence, this);
            if (OnProblem != null)
            {
                OnProblem(sentence);
            }
        }
    }
}
