// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using UnityEngine;
using UnityEngine.SceneManagement;

namespace Depthbridge.Editor
{
    /// <summary>
    /// Components of the loaded scenes, switched off ones included. From the scenes' roots: the engine's own searches are obsolete in one
    /// version or the other.
    /// </summary>
    internal static class SceneComponents
    {
        public static List<T> Find<T>() where T : Component
        {
            var found = new List<T>();
            var roots = new List<GameObject>();
            var ofRoot = new List<T>();
            for (var i = 0; i < SceneManager.sceneCount; i++)
            {
                var scene = SceneManager.GetSceneAt(i);
                if (!scene.IsValid() || !scene.isLoaded)
                {
                    continue;
                }
                scene.GetRootGameObjects(roots);
                foreach (var root in roots)
                {
                    root.GetComponentsInChildren(true, ofRoot);
                    found.AddRange(ofRoot);
                }
            }
            return found;
        }
    }
}
