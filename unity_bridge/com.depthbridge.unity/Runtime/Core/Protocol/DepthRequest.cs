// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;

namespace Depthbridge
{
    /// <summary>
    /// One frame to be measured. From an accepted <see cref="BridgeSession.Submit"/> until <see cref="Release"/> is called it belongs to
    /// the session: change nothing in it, nor in its buffers.
    /// </summary>
    public sealed class DepthRequest
    {
        private int _inUse;

        /// <summary>The caller's own number, for its logs.</summary>
        public long FrameId { get; set; }

        /// <summary>Whatever the caller wants to find again with the answer.</summary>
        public object Tag { get; set; }

        /// <summary>The picture.</summary>
        public FramePayload Image { get; set; }

        /// <summary>Which pixels belong to which object; needed for objects and the overlay, else null.</summary>
        public FramePayload Mask { get; set; }

        /// <summary>Of the upright picture; null only for models that have metres without it.</summary>
        public PinholeIntrinsics Camera { get; set; }

        /// <summary>
        /// 12 numbers, world to camera (see <see cref="WorldToCamera"/>), metres; null: no world positions in the answer.
        /// </summary>
        public double[] Extrinsics { get; set; }

        /// <summary>The objects to measure; null: each value in the mask.</summary>
        public List<RequestObject> Objects { get; set; }

        /// <summary>Distances of the objects.</summary>
        public bool WantObjects { get; set; } = true;

        /// <summary>The whole depth map.</summary>
        public bool WantDepth { get; set; }

        /// <summary>The picture with outlines and distances drawn, as a JPEG file.</summary>
        public bool WantOverlay { get; set; }

        /// <summary>The depth map in 16 bits: half the bytes, 3 digits.</summary>
        public bool HalfDepth { get; set; }

        /// <summary>The server does not begin after so many milliseconds; 0: the session's request timeout.</summary>
        public int DeadlineMs { get; set; }

        /// <summary>Refuse unless this model answers; null: any.</summary>
        public string Model { get; set; }

        /// <summary>
        /// Called exactly once for each accepted request, when the session is done with its buffers: after sending, or, where it may be
        /// sent again (lossless), after its end; before or after its event. On any thread. Not called when Submit did not accept it.
        /// </summary>
        public Action Release { get; set; }

        /// <summary>What is wrong with it, in one sentence; null when it can be sent.</summary>
        public string Fault()
        {
            if (Image == null)
            {
                return "The request has no image.";
            }
            var fault = Image.Fault("image") ?? (Mask != null ? Mask.Fault("mask") : null);
            if (fault != null)
            {
                return fault;
            }
            if (Mask != null && (Mask.Width != Image.Width || Mask.Height != Image.Height))
            {
                return "The mask is " + Mask.Width + "x" + Mask.Height + " and the image " + Image.Width + "x" + Image.Height +
                    "; render both at one size.";
            }
            if (Camera != null && (Camera.Width != Image.Width || Camera.Height != Image.Height))
            {
                return "The camera is for " + Camera.Width + "x" + Camera.Height + " pixels and the image has " + Image.Width + "x" +
                    Image.Height + "; give the intrinsics of the pixels that are sent.";
            }
            return OutputFault();
        }

        /// <summary>Bytes of the payloads.</summary>
        internal long PayloadBytes
        {
            get { return (long)Image.Bytes.Count + (Mask != null ? Mask.Bytes.Count : 0); }
        }

        /// <summary>False when it is in a session already.</summary>
        internal bool TryTakeInUse()
        {
            return System.Threading.Interlocked.CompareExchange(ref _inUse, 1, 0) == 0;
        }

        internal void GiveBack()
        {
            System.Threading.Interlocked.Exchange(ref _inUse, 0);
        }

        private string OutputFault()
        {
            if (!WantObjects && !WantDepth)
            {
                return "The request wants nothing; ask for objects or depth.";
            }
            if (WantObjects != (Mask != null))
            {
                return Mask == null ? "Objects are asked for, and there is no mask." : "There is a mask, and no objects are asked for.";
            }
            if (WantOverlay && !WantObjects)
            {
                return "The overlay shows objects; ask for them, too.";
            }
            if (Extrinsics != null && Extrinsics.Length != 12)
            {
                return "Extrinsics are three rows of four numbers; " + Extrinsics.Length + " were given.";
            }
            if (Mask != null && Mask.ColourIds && Objects == null)
            {
                return "A colour-coded mask needs the objects that say which colour is which.";
            }
            return null;
        }
    }
}
