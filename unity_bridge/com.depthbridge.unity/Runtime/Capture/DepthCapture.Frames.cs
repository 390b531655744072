// SPDX-License-Identifier: Apache-2.0
using UnityEngine;

namespace Depthbridge
{
    // From rendering a frame to handing out what became of it.
    public sealed partial class DepthCapture
    {
        private void Capture()
        {
            var camera = FindCamera();
            CameraReader.Check(camera);
            if (_targets == null || !_targets.Fits(_width, _height, _planarDepth))
            {
                if (_targets != null)
                {
                    _targets.Dispose();
                    _pool.Clear();
                }
                _targets = null; // stays so when the next line throws
                _targets = new CaptureTargets(_width, _height, _planarDepth, _objects, Arrived);
            }
            var frame = new CapturedFrame(_pool, _width, _height);
            using (new CameraRedirect(camera, _targets.Image))
            {
                camera.Render(); // first: it brings up to date the aspect, a filter's matrices, and what is drawn of skinned meshes
                frame.Intrinsics = CameraReader.Intrinsics(camera, _width, _height);
                frame.Extrinsics = CameraReader.Extrinsics(camera, _metersPerUnit);
                _targets.Draw(camera, _ids, _metersPerUnit);
            }
            frame.FrameId = ++_frameId;
            frame.FrameCount = Time.frameCount;
            frame.Time = Time.time;
            frame.RealTime = Time.realtimeSinceStartup;
            frame.MetersPerUnit = _metersPerUnit;
            frame.Objects = _objects.Objects;
            _targets.Read(frame);
        }

        /// <summary>Some frames later, or at once.</summary>
        private void Arrived(CapturedFrame frame, bool complete)
        {
            try
            {
                if (!complete && !_stopping)
                {
                    FramesLost++;
                    Say("The graphics card did not give the pixels of a frame; it is left out.");
                }
                else if (!_stopping)
                {
                    Deliver(frame);
                }
            }
            finally
            {
                frame.Release();
            }
        }

        private void Deliver(CapturedFrame frame)
        {
            if (_sender.HasClient)
            {
                _sender.Send(frame, Request(frame), _transfer == ImageTransfer.Compressed ? _jpegQuality : 0);
            }
            if (OnFrameCaptured != null)
            {
                OnFrameCaptured(frame);
            }
            _frameCaptured.Invoke(frame);
        }

        private DepthRequest Request(CapturedFrame frame)
        {
            var request = new DepthRequest
            {
                FrameId = frame.FrameId,
                Tag = frame,
                Image = FramePayload.Rgba(frame.Image, frame.Width, frame.Height, frame.Origin),
                Mask = FramePayload.Mask16(frame.Mask, frame.Width, frame.Height, frame.Origin),
                Camera = frame.Intrinsics,
                Extrinsics = frame.Extrinsics,
                WantDepth = _wantDepthMap,
                HalfDepth = _halfDepthMap,
                WantOverlay = _wantOverlay,
                DeadlineMs = _deadlineMs,
                Model = string.IsNullOrEmpty(_model) ? null : _model,
            };
            request.Objects = new System.Collections.Generic.List<RequestObject>(frame.Objects.Count);
            foreach (var item in frame.Objects)
            {
                request.Objects.Add(item.Request);
            }
            return request;
        }

        private void Measured(CapturedFrame frame, DepthAnswer answer)
        {
            LastMeasuredFrame = frame;
            LastAnswer = answer;
            if (answer.MaskFlipSuspected == true)
            {
                Say("The server suspects that masks are upside down against the pictures; run the Self-Test sample once on this graphics " +
                    "API.");
            }
            if (OnDistances != null)
            {
                OnDistances(frame, answer);
            }
            _distances.Invoke(frame, answer);
        }
    }
}
