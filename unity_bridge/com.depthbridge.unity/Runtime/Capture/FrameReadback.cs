// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using Unity.Collections;
using UnityEngine;
using UnityEngine.Rendering;
using Object = UnityEngine.Object;

namespace Depthbridge
{
    /// <summary>
    /// Brings a frame's targets into its arrays: asynchronously, some frames later and without a stall, where the card can; at once
    /// otherwise. Rows are left as they come, the lower one first.
    /// </summary>
    internal sealed class FrameReadback
    {
        /// <summary>How many frames may be under way.</summary>
        public const int MostPending = 3;

        private readonly Stack<Job> _idle = new Stack<Job>();
        private readonly Action<CapturedFrame, bool> _done;
        private readonly bool _maskHasTwoChannels;
        private readonly int _pixels;
        private byte[] _fourChannels;
        private Texture2D _colours;
        private Texture2D _ids;
        private Texture2D _floats;
        private Action _letGo;
        private bool _inCallback;

        /// <param name="width">Pixels.</param>
        /// <param name="height">Pixels.</param>
        /// <param name="isAsync">Whether SystemInfo says that the card can.</param>
        /// <param name="maskHasTwoChannels">
        /// What the mask's target holds per pixel: the id's two bytes, or four channels that begin with them.
        /// </param>
        /// <param name="done">A frame is complete, or (false) one of its pictures was lost. Main thread.</param>
        public FrameReadback(int width, int height, bool isAsync, bool maskHasTwoChannels, Action<CapturedFrame, bool> done)
        {
            IsAsync = isAsync;
            _maskHasTwoChannels = maskHasTwoChannels;
            _done = done;
            _pixels = width * height;
        }

        public bool IsAsync { get; private set; }

        /// <summary>Frames under way.</summary>
        public int Pending { get; private set; }

        /// <summary>Reads the targets as they are now. depth may be null.</summary>
        public void Start(CapturedFrame frame, RenderTexture image, RenderTexture mask, RenderTexture depth)
        {
            Pending++;
            var job = _idle.Count > 0 ? _idle.Pop() : new Job(this);
            job.Begin(frame, depth != null ? 3 : 2);
            if (!IsAsync)
            {
                ReadNow(job, image, mask, depth);
                return;
            }
            // Without a format: the bytes as they lie in the target. With one, Unity takes an sRGB format in linear projects, and ids
            // change.
            AsyncGPUReadback.Request(image, 0, job.ImageArrived);
            AsyncGPUReadback.Request(mask, 0, job.MaskArrived);
            if (depth != null)
            {
                AsyncGPUReadback.Request(depth, 0, job.DepthArrived);
            }
        }

        /// <summary>Blocks until all frames under way have arrived.</summary>
        public void WaitAll()
        {
            if (Pending > 0)
            {
                AsyncGPUReadback.WaitAllRequests();
            }
        }

        /// <summary>
        /// Waits for what is under way, since a target must not be released while the card copies from it. Within a callback, where
        /// nothing says that one may wait, the last callback ends it.
        /// </summary>
        /// <param name="letGo">Releases the targets; called once.</param>
        public void Stop(Action letGo)
        {
            _letGo = letGo;
            if (!_inCallback || Pending == 0)
            {
                WaitAll();
                LetGo();
            }
        }

        private void LetGo()
        {
            var letGo = _letGo;
            _letGo = null;
            if (letGo != null)
            {
                letGo();
                Object.DestroyImmediate(_colours);
                Object.DestroyImmediate(_ids);
                Object.DestroyImmediate(_floats);
            }
        }

        private void ReadNow(Job job, RenderTexture image, RenderTexture mask, RenderTexture depth)
        {
            var before = RenderTexture.active;
            try
            {
                Read(image, ref _colours, TextureFormat.RGBA32, false).CopyTo(job.Frame.TakeImage());
                job.Arrived(true);
                StoreMask(job.Frame, Read(mask, ref _ids, TextureFormat.RGBA32, true));
                job.Arrived(true);
                if (depth != null)
                {
                    Read(depth, ref _floats, TextureFormat.RFloat, true).CopyTo(job.Frame.TakeDepth());
                    job.Arrived(true);
                }
            }
            catch
            {
                job.Abandon();
                throw;
            }
            finally
            {
                RenderTexture.active = before;
            }
        }

        /// <summary>Into a texture of the target's own format, sRGB where that is: bytes are copied, and never converted.</summary>
        private static NativeArray<byte> Read(RenderTexture source, ref Texture2D into, TextureFormat format, bool linear)
        {
            if (into == null)
            {
                into = new Texture2D(source.width, source.height, format, false, linear) { hideFlags = HideFlags.HideAndDontSave };
            }
            RenderTexture.active = source;
            into.ReadPixels(new Rect(0, 0, source.width, source.height), 0, 0, false);
            return into.GetRawTextureData<byte>();
        }

        private void StoreMask(CapturedFrame frame, NativeArray<byte> data)
        {
            var mask = frame.TakeMask();
            if (_maskHasTwoChannels)
            {
                data.CopyTo(mask);
                return;
            }
            _fourChannels = _fourChannels ?? new byte[4 * _pixels];
            data.CopyTo(_fourChannels);
            for (var i = 0; i < _pixels; i++)
            {
                mask[2 * i] = _fourChannels[4 * i];
                mask[2 * i + 1] = _fourChannels[4 * i + 1];
            }
        }

        private void End(Job job, CapturedFrame frame, bool complete)
        {
            Pending--;
            _idle.Push(job);
            var within = _inCallback;
            _inCallback = true;
            try
            {
                _done(frame, complete);
            }
            finally
            {
                _inCallback = within;
                if (Pending == 0)
                {
                    LetGo();
                }
            }
        }

        /// <summary>A frame's pictures on their way; used again, so that its callbacks make no garbage.</summary>
        private sealed class Job
        {
            public readonly Action<AsyncGPUReadbackRequest> ImageArrived;
            public readonly Action<AsyncGPUReadbackRequest> MaskArrived;
            public readonly Action<AsyncGPUReadbackRequest> DepthArrived;
            private readonly FrameReadback _owner;
            private int _awaited;
            private bool _complete;

            public Job(FrameReadback owner)
            {
                _owner = owner;
                ImageArrived = request => Store(request, Picture.Image);
                MaskArrived = request => Store(request, Picture.Mask);
                DepthArrived = request => Store(request, Picture.Depth);
            }

            private enum Picture
            {
                Image,
                Mask,
                Depth
            }

            public CapturedFrame Frame { get; private set; }

            public void Begin(CapturedFrame frame, int pictures)
            {
                Frame = frame;
                _awaited = pictures;
                _complete = true;
            }

            public void Arrived(bool complete)
            {
                _complete &= complete;
                if (--_awaited == 0)
                {
                    End();
                }
            }

            /// <summary>Ends it with what is still missing lost.</summary>
            public void Abandon()
            {
                if (Frame != null)
                {
                    _complete = false;
                    End();
                }
            }

            private void End()
            {
                var frame = Frame;
                Frame = null;
                _owner.End(this, frame, _complete);
            }

            private void Store(AsyncGPUReadbackRequest request, Picture picture)
            {
                var stored = false;
                try
                {
                    if (!request.hasError)
                    {
                        Store(request.GetData<byte>(), picture);
                        stored = true;
                    }
                }
                finally
                {
                    Arrived(stored);
                }
            }

            private void Store(NativeArray<byte> data, Picture picture)
            {
                if (picture == Picture.Mask)
                {
                    _owner.StoreMask(Frame, data);
                }
                else
                {
                    data.CopyTo(picture == Picture.Image ? Frame.TakeImage() : Frame.TakeDepth());
                }
            }
        }
    }
}
