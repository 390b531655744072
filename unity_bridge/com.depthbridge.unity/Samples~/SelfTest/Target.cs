// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using UnityEngine;
using UnityEngine.Rendering;
using Object = UnityEngine.Object;

namespace Depthbridge.Samples
{
    /// <summary>
    /// What the self-test looks at: 300 dark patches with ids, at distances from 2 to 6 m, and a grey marker before them, at the upper
    /// left. Nothing else is on its layer.
    /// </summary>
    internal sealed class Target : IDisposable
    {
        private const int Columns = 20, Rows = 15;

        private readonly GameObject _root = new GameObject("Depthbridge self-test");
        private readonly List<Material> _materials = new List<Material>();
        private readonly int _layer;

        public Target(int layer)
        {
            _layer = layer;
            var dark = Unlit(new Color(0, 0, 0, 1));
            for (var i = 0; i < Columns * Rows; i++)
            {
                int column = i % Columns, row = i / Columns;
                var z = 2 + 0.25 * (7 * i % 17);
                var patch = new Patch { X = z * 0.1 * (column - 9.5), Y = z * 0.075 * (row - 7), Z = z };
                patch.HalfWidth = 0.033 * z;
                patch.HalfHeight = 0.025 * z;
                Patches.Add(Make(patch, "patch " + i, dark));
            }
            Marker = new Patch { X = -0.3, Y = 0.2, Z = 1.5, HalfWidth = 0.075, HalfHeight = 0.05 };
            Patches.Add(Make(Marker, "marker", Unlit(new Color(0.5f, 0.5f, 0.5f, 1)))); // last: the nearest
        }

        /// <summary>The marker is the last one and the nearest.</summary>
        public List<Patch> Patches { get; } = new List<Patch>();

        public Patch Marker { get; private set; }

        /// <summary>Whether the marker's colour is known in the picture; false where the pipeline has no unlit shader at hand.</summary>
        public bool IsUnlit { get; private set; }

        /// <summary>A camera of default settings that no pipeline renders by itself.</summary>
        public Camera NewCamera()
        {
            var holder = new GameObject("Depthbridge self-test camera");
            holder.transform.SetParent(_root.transform);
            holder.transform.position = new Vector3(1.5f, 1.25f, -2);
            holder.transform.rotation = Quaternion.AngleAxis(25, new Vector3(0.2f, 1, 0.1f));
            var camera = holder.AddComponent<Camera>();
            camera.enabled = false;
            camera.cullingMask = 1 << _layer;
            camera.clearFlags = CameraClearFlags.SolidColor;
            camera.backgroundColor = new Color(0, 0, 0, 0);
            camera.nearClipPlane = 0.1f;
            camera.farClipPlane = 100;
            foreach (var patch in Patches)
            {
                patch.Place(holder.transform);
            }
            return camera;
        }

        public void Dispose()
        {
            Object.Destroy(_root);
            foreach (var material in _materials)
            {
                Object.Destroy(material);
            }
        }

        private Patch Make(Patch patch, string name, Material material)
        {
            var made = GameObject.CreatePrimitive(PrimitiveType.Quad);
            made.name = name;
            made.layer = _layer;
            made.transform.SetParent(_root.transform);
            patch.Renderer = made.GetComponent<Renderer>();
            if (material != null)
            {
                patch.Renderer.sharedMaterial = material;
            }
            patch.Marker = made.AddComponent<DepthObject>();
            patch.Marker.Category = name;
            return patch;
        }

        private Material Unlit(Color colour)
        {
            var pipeline = GraphicsSettings.currentRenderPipeline;
            var name = pipeline == null ? "" : pipeline.GetType().Name;
            var found = MakeMaterial("Unlit/Color", "_Color", colour, pipeline == null);
            found = found ?? MakeMaterial("Universal Render Pipeline/Unlit", "_BaseColor", colour, name.Contains("Universal"));
            found = found ?? MakeMaterial("HDRP/Unlit", "_UnlitColor", colour, name.Contains("HD"));
            IsUnlit = found != null;
            return found;
        }

        private Material MakeMaterial(string shader, string property, Color colour, bool wanted)
        {
            var found = wanted ? Shader.Find(shader) : null;
            if (found == null)
            {
                return null;
            }
            var made = new Material(found);
            made.SetColor(property, colour);
            _materials.Add(made);
            return made;
        }
    }
}
