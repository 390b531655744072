// SPDX-License-Identifier: Apache-2.0
// What scripts build scenes of, as far as the samples and the editor's menus do: public signatures, written from the scripting reference.
using System;
using System.Collections.Generic;
using UnityEngine.Rendering;

namespace UnityEngine
{
    public enum PrimitiveType
    {
        Cube = 3,
        Quad = 5,
    }

    public enum CameraClearFlags
    {
        Skybox = 1,
        SolidColor = 2,
    }

    public enum LightType
    {
        Spot = 0,
        Directional = 1,
    }

    public sealed class Light : Behaviour
    {
        public LightType type { get; set; }
    }

    public sealed partial class GameObject
    {
        public static GameObject CreatePrimitive(PrimitiveType type)
        {
            var made = new GameObject(type.ToString());
            made.AddComponent<MeshFilter>().sharedMesh = type == PrimitiveType.Quad ? Quad() : Cube();
            made.AddComponent<MeshRenderer>().sharedMaterial = new Material((Shader)null);
            return made;
        }

        public Component AddComponent(Type componentType)
        {
            var generic = typeof(GameObject).GetMethod("AddComponent", Type.EmptyTypes);
            return (Component)generic.MakeGenericMethod(componentType).Invoke(this, null);
        }

        /// <summary>One unit wide and high, its front towards -z, wound clockwise as seen from there.</summary>
        private static Mesh Quad()
        {
            var corners = new[]
            {
                new Vector3(-0.5f, -0.5f, 0), new Vector3(-0.5f, 0.5f, 0), new Vector3(0.5f, 0.5f, 0), new Vector3(0.5f, -0.5f, 0),
            };
            return Mesh.Make(corners, new[] { 0, 1, 2, 0, 2, 3 });
        }

        private static Mesh Cube()
        {
            var corners = new Vector3[8];
            for (var i = 0; i < 8; i++)
            {
                corners[i] = new Vector3((i & 1) - 0.5f, (i >> 1 & 1) - 0.5f, (i >> 2 & 1) - 0.5f);
            }
            var triangles = new List<int>();
            foreach (var face in new[] { new[] { 0, 2, 3, 1 }, new[] { 5, 7, 6, 4 }, new[] { 4, 6, 2, 0 }, new[] { 1, 3, 7, 5 },
                new[] { 2, 6, 7, 3 }, new[] { 4, 0, 1, 5 } })
            {
                triangles.AddRange(new[] { face[0], face[1], face[2], face[0], face[2], face[3] });
            }
            return Mesh.Make(corners, triangles.ToArray());
        }
    }

    public partial class Transform
    {
        public void LookAt(Vector3 worldPosition)
        {
            var way = worldPosition - position;
            var yaw = Quaternion.AngleAxis((float)(Math.Atan2(way.x, way.z) * 180 / Math.PI), new Vector3(0, 1, 0));
            var flat = Math.Sqrt((double)way.x * way.x + (double)way.z * way.z);
            rotation = yaw * Quaternion.AngleAxis((float)(-Math.Atan2(way.y, flat) * 180 / Math.PI), new Vector3(1, 0, 0));
        }
    }

    public partial struct Quaternion
    {
        public static Quaternion operator *(Quaternion a, Quaternion b)
        {
            return new Quaternion(
                a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
                a.w * b.y + a.y * b.w + a.z * b.x - a.x * b.z,
                a.w * b.z + a.z * b.w + a.x * b.y - a.y * b.x,
                a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z);
        }

        public static Vector3 operator *(Quaternion rotation, Vector3 point)
        {
            return Matrix4x4.TRS(Vector3.zero, rotation, Vector3.one).MultiplyPoint3x4(point);
        }
    }

    public sealed partial class Camera
    {
        public CameraClearFlags clearFlags { get; set; }
        public Color backgroundColor { get; set; }
    }

    public sealed partial class Shader
    {
        public static Shader Find(string name)
        {
            return name == "Unlit/Color" ? new Shader { name = name } : null;
        }
    }

    public partial class Material
    {
        /// <summary>What a card paints for it whatever the light; null: its own depth, as the stub's lit materials do.</summary>
        internal Color? Unlit;

        public Material(Material source)
        {
            shader = source.shader;
            renderQueue = source.renderQueue;
        }

        public Color color { get; set; }

        public void SetColor(string name, Color value)
        {
            Unlit = shader != null && shader.name == "Unlit/Color" && name == "_Color" ? (Color?)value : null;
        }
    }

    public partial class Renderer
    {
        public Material sharedMaterial
        {
            get { return Materials.Count > 0 ? Materials[0] : null; }
            set { Materials = new List<Material> { value }; }
        }
    }

    public static partial class Application
    {
        public static string unityVersion
        {
            get { return "0.0.0stub"; }
        }
    }

    public static partial class SystemInfo
    {
        public static string graphicsDeviceName
        {
            get { return "stub"; }
        }

        public static GraphicsDeviceType graphicsDeviceType { get; set; } = GraphicsDeviceType.Null;
    }
}

namespace UnityEngine.Rendering
{
    public enum GraphicsDeviceType
    {
        Null = 4,
        OpenGLES3 = 11,
    }

    public abstract class RenderPipelineAsset : Object
    {
        public virtual Material defaultMaterial
        {
            get { return null; }
        }
    }

    public sealed class GraphicsSettings
    {
        public static RenderPipelineAsset currentRenderPipeline { get; set; }
    }
}
