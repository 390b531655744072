// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using UnityEngine;
using UnityEngine.Experimental.Rendering;

namespace Depthbridge
{
    /// <summary>Takes a capture's frames to a client: compressed on a thread if wanted, kept while a lossless client has no room.</summary>
    internal sealed class FrameSender : IDisposable
    {
        private readonly DepthBridgeClient _client;
        private readonly Action<CapturedFrame, DepthAnswer> _measured;
        private readonly Action<string> _say;
        private readonly Queue<DepthRequest> _unsent = new Queue<DepthRequest>();
        private readonly ConcurrentQueue<DepthRequest> _compressed = new ConcurrentQueue<DepthRequest>();
        private readonly ConcurrentQueue<string> _faults = new ConcurrentQueue<string>();
        private readonly HashSet<CapturedFrame> _ours = new HashSet<CapturedFrame>();
        private WorkQueue _compressor;

        public FrameSender(DepthBridgeClient client, Action<CapturedFrame, DepthAnswer> measured, Action<string> say)
        {
            _client = client;
            _measured = measured;
            _say = say;
            if (client != null)
            {
                client.Answered += Answered;
                client.Failed += Failed;
                client.Dropped += Forget;
            }
        }

        public bool HasClient
        {
            get { return _client != null; }
        }

        /// <summary>Whether frames wait here for a lossless client: no other should be captured.</summary>
        public bool IsBehind
        {
            get { return _unsent.Count > 0 || (_compressor != null && _client.Flow == FlowMode.Lossless && IsCompressing); }
        }

        /// <summary>Sends a frame; it is retained until the session is done with its arrays.</summary>
        /// <param name="frame">Whose request it is.</param>
        /// <param name="request">To be sent.</param>
        /// <param name="jpegQuality">1 to 100: the picture as JPEG, the mask as PNG; 0: both as they are.</param>
        public void Send(CapturedFrame frame, DepthRequest request, int jpegQuality)
        {
            frame.Retain();
            if (jpegQuality == 0)
            {
                request.Release = frame.Release;
                Submit(request);
                return;
            }
            if (_compressor == null)
            {
                // Room for one in work and all that may still be on their way from the card: a lossless one never finds it full.
                _compressor = new WorkQueue("Depthbridge compress", FrameReadback.MostPending + 1, error => _faults.Enqueue(error.Message));
            }
            if (!_compressor.TryAdd(() => Compress(frame, request, jpegQuality)))
            {
                frame.Release();
                _say("Compressing takes longer than capturing; frames are left out. Capture fewer, or send them as they are.");
            }
        }

        /// <summary>Once a frame, on the main thread: what waited goes on.</summary>
        public void Pump()
        {
            string fault;
            while (_faults.TryDequeue(out fault))
            {
                _say("A frame could not be compressed: " + fault);
            }
            while (_unsent.Count > 0 && Accepts(_unsent.Peek()))
            {
                _unsent.Dequeue();
            }
            DepthRequest request;
            while (_unsent.Count == 0 && _compressed.TryDequeue(out request))
            {
                Submit(request);
            }
        }

        public void Dispose()
        {
            if (_client != null)
            {
                _client.Answered -= Answered;
                _client.Failed -= Failed;
                _client.Dropped -= Forget;
            }
            if (_compressor != null)
            {
                _compressor.Dispose();
            }
            foreach (var request in _unsent)
            {
                FreeBuffers(request);
            }
            _unsent.Clear();
        }

        private bool IsCompressing
        {
            get { return _compressor.Unfinished > 0 || !_compressed.IsEmpty; }
        }

        private void Submit(DepthRequest request)
        {
            if (!Accepts(request))
            {
                _unsent.Enqueue(request);
            }
        }

        /// <summary>False when it must be offered again later.</summary>
        private bool Accepts(DepthRequest request)
        {
            var frame = (CapturedFrame)request.Tag;
            _ours.Add(frame);
            var outcome = _client.Submit(request);
            if (outcome == SubmitOutcome.Queued || outcome == SubmitOutcome.ReplacedOlder)
            {
                return true;
            }
            _ours.Remove(frame);
            if (outcome == SubmitOutcome.QueueFull && _client.Flow == FlowMode.Lossless)
            {
                return false;
            }
            FreeBuffers(request);
            if (outcome == SubmitOutcome.TooLarge)
            {
                _say("A frame of " + frame.Width + "x" + frame.Height + " pixels is more than the server takes; capture smaller ones.");
            }
            else if (_client.Flow == FlowMode.Lossless)
            {
                _say("Frames are captured without a server, and have no distances: " + _client.Status);
            }
            return true;
        }

        private void Answered(DepthRequest request, DepthAnswer answer)
        {
            var frame = request.Tag as CapturedFrame;
            if (frame != null && _ours.Remove(frame))
            {
                _measured(frame, answer);
            }
        }

        private void Failed(DepthRequest request, BridgeError error)
        {
            Forget(request);
        }

        private void Forget(DepthRequest request)
        {
            var frame = request.Tag as CapturedFrame;
            if (frame != null)
            {
                _ours.Remove(frame);
            }
        }

        private static void FreeBuffers(DepthRequest request)
        {
            if (request.Release != null)
            {
                request.Release();
            }
        }

        /// <summary>On the compressor's thread. The arrays are free as soon as the files are made.</summary>
        private void Compress(CapturedFrame frame, DepthRequest request, int quality)
        {
            try
            {
                // Unity takes the lower row for the first one, as it reads them, and writes upright files.
                var jpeg = ImageConversion.EncodeArrayToJPG(
                    frame.Image, GraphicsFormat.R8G8B8A8_UNorm, (uint)frame.Width, (uint)frame.Height, 0, quality);
                request.Image = Encoded("jpeg", new ArraySegment<byte>(jpeg), frame);
                using (var file = new MemoryStream())
                {
                    PngWriter.WriteGrey16(file, request.Mask.Bytes, frame.Width, frame.Height, frame.Origin);
                    request.Mask = Encoded("png", new ArraySegment<byte>(file.GetBuffer(), 0, (int)file.Length), frame);
                }
                _compressed.Enqueue(request);
            }
            finally
            {
                frame.Release();
            }
        }

        private static FramePayload Encoded(string encoding, ArraySegment<byte> bytes, CapturedFrame frame)
        {
            return new FramePayload
            {
                Encoding = encoding, Width = frame.Width, Height = frame.Height, Origin = RowOrigin.TopLeft, Bytes = bytes
            };
        }
    }
}
