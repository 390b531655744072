// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using UnityEngine;

namespace Depthbridge
{
    /// <summary>
    /// Marks an object whose distance is wanted: all renderers below this GameObject, down to the next marked one, get one id in the mask.
    /// </summary>
    [AddComponentMenu("Depthbridge/Depth Object")]
    [DisallowMultipleComponent]
    public sealed class DepthObject : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("What the answer and the dataset call it. Empty: the number it has in the mask.")]
        private string _id = "";

        [SerializeField]
        [Tooltip("What it is, such as red_cube. Empty: the GameObject's name.")]
        private string _category = "";

        [SerializeField]
        [Tooltip("The object that this one stands on or belongs to.")]
        private DepthObject _parent;

        [SerializeField]
        [Min(0)]
        [Tooltip("Its true distance along the camera's axis in metres, at the median of its pixels, if it is known; 0 if not. The depth " +
            "map is fitted to what is known: a model without metres gets them that way.")]
        private float _knownDistance;

        /// <summary>What answer and dataset call it; empty: its number in the mask.</summary>
        public string Id
        {
            get { return _id; }
            set { _id = value ?? ""; }
        }

        /// <summary>What it is; empty: the GameObject's name.</summary>
        public string Category
        {
            get { return _category; }
            set { _category = value ?? ""; }
        }

        /// <summary>The object that this one stands on or belongs to, or null.</summary>
        public DepthObject Parent
        {
            get { return _parent; }
            set { _parent = value; }
        }

        /// <summary>True distance along the camera's axis at the median of its pixels, metres; 0: not known.</summary>
        public float KnownDistance
        {
            get { return _knownDistance; }
            set { _knownDistance = Mathf.Max(0, value); }
        }

        /// <summary>The middle of the box around all its active renderers, in the world; false when it has none.</summary>
        /// <param name="scratch">A list to work in.</param>
        /// <param name="center">World units.</param>
        public bool TryGetCenter(List<Renderer> scratch, out Vector3 center)
        {
            gameObject.GetComponentsInChildren(false, scratch);
            var found = false;
            var box = new Bounds();
            foreach (var each in scratch)
            {
                if (!each.enabled || each.GetComponentInParent<DepthObject>() != this)
                {
                    continue;
                }
                if (found)
                {
                    box.Encapsulate(each.bounds);
                }
                else
                {
                    box = each.bounds;
                    found = true;
                }
            }
            center = box.center;
            return found;
        }
    }
}
