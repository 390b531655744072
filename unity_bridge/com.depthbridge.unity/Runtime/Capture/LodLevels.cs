// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using UnityEngine;

namespace Depthbridge
{
    /// <summary>
    /// Which renderers of level-of-detail groups a camera does not draw. Unity does not tell which level it chose for a camera; its rule is
    /// that of the manual: the object's height as a part of the picture's, times the quality setting's bias, against each level's
    /// threshold.
    /// </summary>
    /// <remarks>
    /// Renderer.isVisible does not tell: it is of all cameras, shadows and the Scene view included, and of the last frame. While two levels
    /// fade into each other Unity draws both, and here the one is drawn that the rule says; LODGroup.ForceLOD is not seen. Only an editor
    /// can compare.
    /// </remarks>
    internal sealed class LodLevels
    {
        private readonly List<LODGroup> _groups = new List<LODGroup>();
        private readonly List<LODGroup> _ofRoot = new List<LODGroup>();
        private readonly Dictionary<LODGroup, LOD[]> _levels = new Dictionary<LODGroup, LOD[]>();
        private readonly HashSet<Renderer> _hidden = new HashSet<Renderer>();

        public void BeginScene()
        {
            _groups.Clear();
        }

        public void AddFrom(GameObject root)
        {
            root.GetComponentsInChildren(false, _ofRoot);
            _groups.AddRange(_ofRoot);
        }

        public void Choose(Camera camera)
        {
            _hidden.Clear();
            foreach (var group in _groups)
            {
                Choose(group, camera);
            }
        }

        public bool Hides(Renderer renderer)
        {
            return _hidden.Contains(renderer);
        }

        private void Choose(LODGroup group, Camera camera)
        {
            var levels = LevelsOf(group);
            var shown = group.enabled ? Level(levels, RelativeHeight(group, camera)) : levels.Length; // a disabled group shows nothing
            for (var i = 0; i < levels.Length; i++)
            {
                if (i != shown && levels[i].renderers != null)
                {
                    _hidden.UnionWith(levels[i].renderers);
                }
            }
            if (shown < levels.Length && levels[shown].renderers != null)
            {
                _hidden.ExceptWith(levels[shown].renderers); // a renderer may belong to several levels
            }
        }

        /// <summary>The number of levels where the object is too small for the last one.</summary>
        private static int Level(LOD[] levels, float height)
        {
            for (var i = 0; i < levels.Length; i++)
            {
                if (i >= QualitySettings.maximumLODLevel && height >= levels[i].screenRelativeTransitionHeight)
                {
                    return i;
                }
            }
            return levels.Length;
        }

        private static float RelativeHeight(LODGroup group, Camera camera)
        {
            var place = group.transform;
            var scale = place.lossyScale;
            var size = group.size * Mathf.Max(Mathf.Abs(scale.x), Mathf.Max(Mathf.Abs(scale.y), Mathf.Abs(scale.z)));
            var distance = (place.TransformPoint(group.localReferencePoint) - camera.transform.position).magnitude;
            // The projection's (1, 1) is 1 / tan(half the field of view).
            return distance > 0 ? size * CameraReader.Projection(camera).m11 / (2 * distance) * QualitySettings.lodBias : float.MaxValue;
        }

        /// <summary>GetLODs makes arrays: asked once for each group, and again when its number of levels changes.</summary>
        private LOD[] LevelsOf(LODGroup group)
        {
            LOD[] levels;
            if (!_levels.TryGetValue(group, out levels) || levels.Length != group.lodCount)
            {
                _levels[group] = levels = group.GetLODs();
            }
            return levels;
        }
    }
}
