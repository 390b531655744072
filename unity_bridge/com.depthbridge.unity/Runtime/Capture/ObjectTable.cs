// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using UnityEngine;

namespace Depthbridge
{
    /// <summary>Which id belongs to what, the same one as long as this lives, and which of them the frame in work has.</summary>
    internal sealed class ObjectTable
    {
        private readonly MaskIds _ids = new MaskIds();
        private readonly Dictionary<int, CapturedObject> _known = new Dictionary<int, CapturedObject>();
        private readonly HashSet<int> _inFrame = new HashSet<int>();
        private List<CapturedObject> _objects = new List<CapturedObject>();

        public void BeginFrame()
        {
            _inFrame.Clear();
            _objects = new List<CapturedObject>();
        }

        /// <summary>What was drawn since <see cref="BeginFrame"/>; a new list for each frame.</summary>
        public List<CapturedObject> Objects
        {
            get { return _objects; }
        }

        /// <summary>The id to draw a renderer with; 0 for the background.</summary>
        /// <exception cref="DepthbridgeException">65535 ids are in use.</exception>
        public int IdOf(Renderer renderer, IdSource source)
        {
            var marker = renderer.GetComponentInParent<DepthObject>();
            if (marker == null && source == IdSource.DepthObjects)
            {
                return 0;
            }
            var id = marker != null ? _ids.IdOf(marker) : _ids.IdOf(renderer);
            if (_inFrame.Add(id))
            {
                _objects.Add(Describe(id, marker, renderer));
            }
            return id;
        }

        private CapturedObject Describe(int id, DepthObject marker, Renderer renderer)
        {
            CapturedObject known;
            if (!_known.TryGetValue(id, out known) || !IsCurrent(known, marker))
            {
                _known[id] = known = marker != null
                    ? new CapturedObject(marker, Request(id, marker))
                    : new CapturedObject(renderer, new RequestObject { MaskValue = id, Category = renderer.name });
            }
            return known;
        }

        private RequestObject Request(int id, DepthObject marker)
        {
            var parent = marker.Parent;
            return new RequestObject
            {
                MaskValue = id,
                Id = marker.Id.Length > 0 ? marker.Id : null,
                Category = CategoryOf(marker),
                ParentId = parent != null && parent.Id.Length > 0 ? parent.Id : null,
                ParentMaskValue = parent != null && parent.Id.Length == 0 ? _ids.IdOf(parent) : 0,
                KnownDistanceM = marker.KnownDistance > 0 ? marker.KnownDistance : (double?)null,
            };
        }

        /// <summary>Whether what was said of it still holds. Names of GameObjects are not asked again: each asking makes garbage.</summary>
        private bool IsCurrent(CapturedObject known, DepthObject marker)
        {
            if (marker == null)
            {
                return true;
            }
            var said = known.Request;
            var parent = marker.Parent;
            return (said.Id ?? "") == marker.Id && known.GivenCategory == marker.Category &&
                said.KnownDistanceM.GetValueOrDefault() == marker.KnownDistance &&
                (said.ParentId ?? "") == (parent != null ? parent.Id : "") &&
                said.ParentMaskValue == (parent != null && parent.Id.Length == 0 ? _ids.IdOf(parent) : 0);
        }

        private static string CategoryOf(DepthObject marker)
        {
            return marker.Category.Length > 0 ? marker.Category : marker.name;
        }
    }
}
