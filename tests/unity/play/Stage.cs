// SPDX-License-Identifier: Apache-2.0
// A scene whose every distance is known: rectangles square to the camera, and all that may hide them or must not.
using System.Collections.Generic;
using Depthbridge;
using UnityEngine;
using UnityEngine.Rendering;

namespace Play
{
    /// <summary>Builds the scene in camera coordinates: x right, y up, distance along the axis, world units.</summary>
    public sealed class Stage
    {
        public readonly Dictionary<string, Piece> Pieces = new Dictionary<string, Piece>();
        public readonly Camera Camera;
        private readonly float _scale;

        public sealed class Piece
        {
            public GameObject GameObject;
            public DepthObject Marker;
            public double DistanceM;
            public Vector3 CenterM;
            public double WidthM, HeightM;
        }

        /// <param name="metersPerUnit">Everything is made this much larger in units, so that metres stay what they are.</param>
        public Stage(float metersPerUnit = 1)
        {
            _scale = 1 / metersPerUnit;
            StubUnity.Rasterizer.SceneMetersPerUnit = metersPerUnit;
            var holder = new GameObject("Camera");
            Camera = holder.AddComponent<Camera>();
            Camera.main = Camera;
            holder.transform.position = new Vector3(3, 1.5f, -2) * _scale;
            holder.transform.rotation = Quaternion.AngleAxis(28, new Vector3(0.2f, 1, 0.1f));
            Camera.nearClipPlane = 0.1f * _scale;
            Camera.farClipPlane = 1000 * _scale;
            Camera.usePhysicalProperties = true; // 36 x 24 mm, 50 mm, gate fit horizontal: the field of view is not the image's
            Camera.focalLength = 24;
            Camera.lensShift = new Vector2(0.05f, -0.08f);
            Camera.cullingMask = ~(1 << 5);
        }

        public void Build()
        {
            Panel("wall", 0, 0, 20, 60, 40);
            var red = Marked("red_cube", -1.1f, 0.6f, 2.5f, 0.5f, 0.3f);
            Marked("green_box", 1.5f, 0.9f, 4.25f, 1.2f, 0.5f).Marker.Parent = red.Marker;
            Panel("column", 1.35f, 0.9f, 3, 0.12f, 1); // unmarked, before the middle of green_box
            Pair();
            Skinned();
            Marked("behind", 0, 0, -3, 1, 1);
            Marked("on_another_layer", -0.2f, 0.2f, 1.2f, 0.2f, 0.2f).GameObject.layer = 5;
            Marked("switched_off", -0.3f, 0.1f, 1.1f, 0.2f, 0.2f).GameObject.GetComponent<Renderer>().enabled = false;
            Marked("forced_off", -0.3f, 0.1f, 1.1f, 0.2f, 0.2f).GameObject.GetComponent<Renderer>().forceRenderingOff = true;
            var shadow = Marked("casts_shadows_only", -0.3f, 0.1f, 1.1f, 0.2f, 0.2f);
            shadow.GameObject.GetComponent<Renderer>().shadowCastingMode = ShadowCastingMode.ShadowsOnly;
            Marked("seen_from_behind", 0.1f, -0.1f, 1.5f, -0.2f, 0.2f);
            var leaf = Marked("two_sided", 0.4f, -0.75f, 7.5f, -1.5f, 0.6f);
            leaf.GameObject.GetComponent<Renderer>().sharedMaterials = new[] { Cloth("_Cull", 0) };
            var glass = Panel("glass", 0, 0, 1, 4, 4);
            glass.GetComponent<Renderer>().sharedMaterials = new[] { new Material((Shader)null) { renderQueue = 3000 } };
            Levels();
            var off = Marked("levels_off", -0.3f, 0.1f, 1.15f, 0.2f, 0.2f).GameObject;
            var group = off.AddComponent<LODGroup>();
            group.SetLODs(new[] { new LOD(0, new[] { off.GetComponent<Renderer>() }) });
            group.enabled = false;
            Object.DontDestroyOnLoad(Marked("kept", -2.9f, -0.4f, 8.125f, 0.8f, 0.4f).GameObject);
            Marked("hidden", -1.32f, 0.72f, 3, 0.2f, 0.1f); // behind red_cube
        }

        /// <summary>A rectangle with a mark. A negative width turns it around.</summary>
        public Piece Marked(string name, float x, float y, float distance, float width, float height)
        {
            var piece = new Piece { GameObject = Panel(name, x, y, distance, width, height), DistanceM = distance };
            piece.Marker = piece.GameObject.AddComponent<DepthObject>();
            piece.Marker.Category = name;
            piece.CenterM = piece.GameObject.transform.position * (1 / _scale);
            piece.WidthM = Mathf.Abs(width);
            piece.HeightM = height;
            Pieces[name] = piece;
            return piece;
        }

        public GameObject Panel(string name, float x, float y, float distance, float width, float height)
        {
            var made = new GameObject(name);
            Place(made, x, y, distance, width, height);
            made.AddComponent<MeshFilter>().sharedMesh = Square(1);
            made.AddComponent<MeshRenderer>().sharedMaterials = new[] { new Material((Shader)null) };
            return made;
        }

        /// <summary>Two renderers below one mark: one object.</summary>
        private void Pair()
        {
            var piece = new Piece { GameObject = new GameObject("pair"), DistanceM = 6.75 };
            piece.Marker = piece.GameObject.AddComponent<DepthObject>();
            foreach (var x in new[] { -2.2f, -1.2f })
            {
                Panel("half", x, -1, 6.75f, 0.6f, 0.5f).transform.SetParent(piece.GameObject.transform);
            }
            Pieces["pair"] = piece;
        }

        private void Skinned()
        {
            var made = new GameObject("skinned");
            Place(made, 2.3f, -0.6f, 5.125f, 0.7f, 0.9f);
            var renderer = made.AddComponent<SkinnedMeshRenderer>();
            renderer.sharedMesh = Square(2);
            renderer.sharedMaterials = new[] { new Material((Shader)null), new Material((Shader)null), new Material((Shader)null) }; // one more than sub-meshes
            Pieces["skinned"] = new Piece
            {
                GameObject = made, Marker = made.AddComponent<DepthObject>(), DistanceM = 5.125, WidthM = 0.7, HeightM = 0.9,
                CenterM = made.transform.position * (1 / _scale),
            };
        }

        /// <summary>
        /// 0.4 m, 3.735 m away, behind 24 mm before 20.25 mm: 0.4 * 2.370 / 7.470 = 0.127 of the picture, the second level.
        /// </summary>
        private void Levels()
        {
            var piece = new Piece { GameObject = new GameObject("levels"), DistanceM = 3.625, WidthM = 0.4, HeightM = 0.3 };
            piece.Marker = piece.GameObject.AddComponent<DepthObject>();
            Place(piece.GameObject, 0, 0.9f, 3.625f, 1, 1);
            piece.GameObject.transform.localScale = Vector3.one * _scale;
            var near = Panel("level 0", 0, 0.9f, 3.5f, 0.4f, 0.4f);
            var far = Panel("level 1", 0, 0.9f, 3.625f, 0.4f, 0.3f);
            near.transform.SetParent(piece.GameObject.transform);
            far.transform.SetParent(piece.GameObject.transform);
            var group = piece.GameObject.AddComponent<LODGroup>();
            group.size = 0.4f;
            group.Level = 1;
            group.SetLODs(new[]
            {
                new LOD(0.135f, new[] { near.GetComponent<Renderer>() }), new LOD(0.05f, new[] { far.GetComponent<Renderer>() }),
            });
            piece.CenterM = far.transform.position * (1 / _scale);
            Pieces["levels"] = piece;
        }

        private void Place(GameObject made, float x, float y, float distance, float width, float height)
        {
            var pose = Matrix4x4.TRS(Camera.transform.position, Camera.transform.rotation, Vector3.one);
            made.transform.position = pose.MultiplyPoint3x4(new Vector3(x, y, distance) * _scale);
            made.transform.rotation = Camera.transform.rotation;
            made.transform.localScale = new Vector3(width, height, 1) * _scale;
        }

        private static Material Cloth(string property, float value)
        {
            var made = new Material((Shader)null);
            made.SetFloat(property, value);
            return made;
        }

        /// <summary>One unit wide and high, its front towards -z, in one or two sub-meshes.</summary>
        private static Mesh Square(int subMeshes)
        {
            var corners = new[]
            {
                new Vector3(-0.5f, -0.5f, 0), new Vector3(-0.5f, 0.5f, 0), new Vector3(0.5f, 0.5f, 0), new Vector3(0.5f, -0.5f, 0),
            };
            int[] one = { 0, 1, 2 }, other = { 0, 2, 3 };
            return subMeshes == 2 ? Mesh.Make(corners, one, other) : Mesh.Make(corners, new[] { 0, 1, 2, 0, 2, 3 });
        }
    }
}
