// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using UnityEngine;

namespace Depthbridge
{
    /// <summary>What one id in a frame's mask stands for. It does not change: another name or parent makes another one.</summary>
    public sealed class CapturedObject
    {
        internal CapturedObject(DepthObject marker, RequestObject request)
        {
            Marker = marker;
            GivenCategory = marker.Category;
            Request = request;
        }

        internal CapturedObject(Renderer renderer, RequestObject request)
        {
            Renderer = renderer;
            Request = request;
        }

        /// <summary>The marker's own, which may be empty.</summary>
        internal string GivenCategory { get; private set; }

        /// <summary>Who marked it; null for a renderer with an id of its own.</summary>
        public DepthObject Marker { get; private set; }

        /// <summary>The renderer with an id of its own; null for a marked object.</summary>
        public Renderer Renderer { get; private set; }

        /// <summary>Its value in the mask.</summary>
        public int MaskValue
        {
            get { return Request.MaskValue; }
        }

        /// <summary>What it is.</summary>
        public string Category
        {
            get { return Request.Category; }
        }

        /// <summary>What a request and a dataset say of it. Change nothing in it.</summary>
        public RequestObject Request { get; private set; }

        /// <summary>Where its middle is now, in the world; false when it is gone or not shown.</summary>
        /// <param name="scratch">A list to work in.</param>
        /// <param name="center">World units.</param>
        public bool TryGetCenter(List<Renderer> scratch, out Vector3 center)
        {
            if (Marker != null)
            {
                return Marker.TryGetCenter(scratch, out center);
            }
            center = Renderer != null ? Renderer.bounds.center : Vector3.zero;
            return Renderer != null && Renderer.enabled;
        }
    }
}
