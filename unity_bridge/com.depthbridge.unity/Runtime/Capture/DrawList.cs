// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using UnityEngine;
using UnityEngine.Rendering;
using UnityEngine.SceneManagement;

namespace Depthbridge
{
    /// <summary>
    /// What a camera sees of the scene, as draw calls: renderer, sub-mesh, culling, id. Made anew for each frame, in lists that are kept.
    /// </summary>
    /// <remarks>
    /// Renderers are found from the scenes' roots: Object.FindObjectsOfType and FindObjectsByType make garbage, and each is obsolete in
    /// some version from 2021.3 to 6.5. Terrains, Graphics.DrawMesh and entities are no renderers and are not in the mask. Transparent
    /// materials (render queue above 2500) of unmarked renderers hide nothing. Cut-out materials are drawn whole.
    /// </remarks>
    internal sealed class DrawList
    {
        private const int LastOpaqueQueue = 2500;

        private readonly List<GameObject> _roots = new List<GameObject>();
        private readonly List<Renderer> _renderers = new List<Renderer>();
        private readonly List<Renderer> _ofRoot = new List<Renderer>();
        private readonly List<Material> _materials = new List<Material>();
        private readonly Plane[] _frustum = new Plane[6];
        private readonly LodLevels _lods = new LodLevels();
        private readonly ObjectTable _objects;
        private readonly int[] _cullProperties = { Shader.PropertyToID("_Cull"), Shader.PropertyToID("_CullMode") };
        private Scene _kept;

        public DrawList(ObjectTable objects)
        {
            _objects = objects;
        }

        /// <summary>One draw call.</summary>
        public struct Item
        {
            public Renderer Renderer;
            public int SubMesh;
            public int Pass;
            public int Id;
        }

        /// <summary>The draw calls of the last <see cref="Collect"/>.</summary>
        public List<Item> Items { get; } = new List<Item>();

        /// <summary>Lists what the camera sees; its target must be the one that is captured, for the aspect's sake.</summary>
        public void Collect(Camera camera, IdSource ids)
        {
            Items.Clear();
            _objects.BeginFrame();
            ListRenderers();
            GeometryUtility.CalculateFrustumPlanes(CameraReader.Projection(camera) * camera.worldToCameraMatrix, _frustum);
            _lods.Choose(camera);
            foreach (var renderer in _renderers)
            {
                if (IsDrawn(renderer, camera.cullingMask))
                {
                    Add(renderer, _objects.IdOf(renderer, ids));
                }
            }
        }

        private bool IsDrawn(Renderer renderer, int cullingMask)
        {
            return renderer.enabled && !renderer.forceRenderingOff && renderer.shadowCastingMode != ShadowCastingMode.ShadowsOnly &&
                (cullingMask & (1 << renderer.gameObject.layer)) != 0 && !_lods.Hides(renderer) &&
                GeometryUtility.TestPlanesAABB(_frustum, renderer.bounds);
        }

        private void Add(Renderer renderer, int id)
        {
            renderer.GetSharedMaterials(_materials);
            var count = Mathf.Min(_materials.Count, SubMeshes(renderer));
            for (var i = 0; i < count; i++)
            {
                var material = _materials[i];
                if (id == 0 && material != null && material.renderQueue > LastOpaqueQueue)
                {
                    continue;
                }
                Items.Add(new Item { Renderer = renderer, SubMesh = i, Pass = IsTwoSided(material) ? 1 : 0, Id = id });
            }
        }

        /// <summary>Renderers without a mesh (particles, lines, sprites) draw all their materials.</summary>
        private static int SubMeshes(Renderer renderer)
        {
            Mesh mesh;
            if (renderer is MeshRenderer)
            {
                var filter = renderer.GetComponent<MeshFilter>();
                mesh = filter != null ? filter.sharedMesh : null;
            }
            else if (renderer is SkinnedMeshRenderer)
            {
                mesh = ((SkinnedMeshRenderer)renderer).sharedMesh;
            }
            else
            {
                return int.MaxValue;
            }
            return mesh != null ? mesh.subMeshCount : 0;
        }

        /// <summary>URP's and HDRP's own materials say whether they cull back faces; what says nothing does.</summary>
        private bool IsTwoSided(Material material)
        {
            if (material != null)
            {
                foreach (var property in _cullProperties)
                {
                    if (material.HasProperty(property))
                    {
                        return material.GetFloat(property) != (float)CullMode.Back;
                    }
                }
            }
            return false;
        }

        private void ListRenderers()
        {
            _renderers.Clear();
            _lods.BeginScene();
            for (var i = 0; i < SceneManager.sceneCount; i++)
            {
                var scene = SceneManager.GetSceneAt(i);
                if (scene.isLoaded)
                {
                    ListScene(scene);
                }
            }
            ListScene(KeptScene()); // which no loading ever ends for
        }

        private void ListScene(Scene scene)
        {
            if (!scene.IsValid())
            {
                return;
            }
            scene.GetRootGameObjects(_roots);
            foreach (var root in _roots)
            {
                if (root.activeInHierarchy)
                {
                    root.GetComponentsInChildren(false, _ofRoot);
                    _renderers.AddRange(_ofRoot);
                    _lods.AddFrom(root);
                }
            }
        }

        /// <summary>The scene of DontDestroyOnLoad, which SceneManager does not list: an object put there tells.</summary>
        private Scene KeptScene()
        {
            if (!_kept.IsValid() && Application.isPlaying) // in edit mode there is none
            {
                var probe = new GameObject("Depthbridge probe");
                Object.DontDestroyOnLoad(probe);
                _kept = probe.scene;
                Object.DestroyImmediate(probe);
            }
            return _kept;
        }
    }
}
