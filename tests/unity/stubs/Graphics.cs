// SPDX-License-Identifier: Apache-2.0
// Textures, meshes, renderers and materials as far as the package uses them: public signatures, written from the scripting reference.
using System;
using System.Collections.Generic;
using System.Linq;
using Unity.Collections;
using UnityEngine.Experimental.Rendering;
using UnityEngine.Rendering;

namespace UnityEngine.Experimental.Rendering
{
    public enum GraphicsFormat
    {
        None = 0,
        R8G8B8A8_SRGB = 4,
        R8G8_UNorm = 6,
        R8G8B8A8_UNorm = 8,
        R32_SFloat = 49,
    }
}

namespace UnityEngine
{
    public enum FilterMode
    {
        Point = 0,
        Bilinear = 1,
    }

    public enum TextureWrapMode
    {
        Repeat = 0,
        Clamp = 1,
    }

    public enum TextureFormat
    {
        RGBA32 = 4,
        RFloat = 18,
        RG16 = 62,
    }

    public enum RenderTextureFormat
    {
        ARGB32 = 0,
        RFloat = 14,
        RG16 = 25,
    }

    public class Texture : Object
    {
        public Texture()
        {
            filterMode = FilterMode.Bilinear;
        }

        public virtual int width { get; set; }
        public virtual int height { get; set; }
        public FilterMode filterMode { get; set; }
        public TextureWrapMode wrapMode { get; set; }
    }

    public class RenderTexture : Texture
    {
        /// <summary>Rows from the bottom, as on every graphics card seen through Unity.</summary>
        internal byte[] Pixels;
        internal float[] DepthBuffer;
        private int _antiAliasing = 1;

        /// <summary>How many there are that were created and not released.</summary>
        public static int Alive;

        public RenderTexture(int width, int height, int depth, GraphicsFormat format)
        {
            this.width = width;
            this.height = height;
            this.depth = depth;
            graphicsFormat = format;
        }

        public static RenderTexture active { get; set; }

        public int depth { get; private set; }
        public GraphicsFormat graphicsFormat { get; private set; }
        public bool useMipMap { get; set; }
        public bool autoGenerateMips { get; set; }

        public int antiAliasing
        {
            get { return _antiAliasing; }
            set { _antiAliasing = value; }
        }

        internal int PixelBytes
        {
            get { return graphicsFormat == GraphicsFormat.R8G8_UNorm ? 2 : 4; }
        }

        /// <summary>False, and a line in the console, for sizes that no card has.</summary>
        public bool Create()
        {
            if (Math.Max(width, height) > 16384)
            {
                return false;
            }
            if (Pixels == null)
            {
                Pixels = new byte[width * height * PixelBytes];
                DepthBuffer = new float[width * height];
                Alive++;
            }
            return true;
        }

        public bool IsCreated()
        {
            return Pixels != null;
        }

        public void Release()
        {
            if (Pixels != null)
            {
                Pixels = null;
                Alive--;
            }
        }

        internal override void OnDestroyed()
        {
            Release();
        }
    }

    public sealed class Texture2D : Texture
    {
        private readonly byte[] _pixels;
        private readonly GraphicsFormat _format;

        public Texture2D(int width, int height, TextureFormat textureFormat, bool mipChain, bool linear)
        {
            this.width = width;
            this.height = height;
            var srgb = !linear && QualitySettings.activeColorSpace == ColorSpace.Linear;
            _format = textureFormat == TextureFormat.RFloat ? GraphicsFormat.R32_SFloat
                : srgb ? GraphicsFormat.R8G8B8A8_SRGB : GraphicsFormat.R8G8B8A8_UNorm;
            _pixels = new byte[width * height * 4];
        }

        public void ReadPixels(Rect source, int destX, int destY, bool recalculateMipMaps)
        {
            var from = RenderTexture.active;
            if (_format != from.graphicsFormat)
            {
                throw new ArgumentException("ReadPixels from " + from.graphicsFormat + " into " + _format + " may convert the bytes.");
            }
            Buffer.BlockCopy(from.Pixels, 0, _pixels, 0, _pixels.Length);
        }

        public NativeArray<T> GetRawTextureData<T>() where T : struct
        {
            return new NativeArray<T>((T[])(object)_pixels, null);
        }
    }

    public sealed partial class Shader : Object
    {
        private static readonly List<string> Names = new List<string>();

        public bool isSupported
        {
            get { return true; }
        }

        public static int PropertyToID(string name)
        {
            if (!Names.Contains(name))
            {
                Names.Add(name);
            }
            return Names.IndexOf(name);
        }

        internal static string Name(int id)
        {
            return Names[id];
        }
    }

    public partial class Material : Object
    {
        private readonly Dictionary<int, float> _floats = new Dictionary<int, float>();

        public Material(Shader shader)
        {
            this.shader = shader;
            renderQueue = 2000;
        }

        public Shader shader { get; set; }
        public int renderQueue { get; set; }

        public bool HasProperty(int nameID)
        {
            return _floats.ContainsKey(nameID);
        }

        public float GetFloat(int nameID)
        {
            return _floats[nameID];
        }

        public void SetFloat(string name, float value)
        {
            _floats[Shader.PropertyToID(name)] = value;
        }
    }

    public sealed class Mesh : Object
    {
        internal Vector3[] Vertices;
        internal int[][] Triangles;

        public int subMeshCount
        {
            get { return Triangles.Length; }
        }

        public static Mesh Make(Vector3[] vertices, params int[][] triangles)
        {
            return new Mesh { Vertices = vertices, Triangles = triangles };
        }
    }

    public sealed class MeshFilter : Component
    {
        public Mesh sharedMesh { get; set; }
    }

    public partial class Renderer : Component
    {
        internal List<Material> Materials = new List<Material>();

        public Renderer()
        {
            enabled = true;
        }

        public bool enabled { get; set; }
        public bool forceRenderingOff { get; set; }
        public ShadowCastingMode shadowCastingMode { get; set; }

        public bool isVisible
        {
            get { return enabled; }
        }

        public Bounds bounds
        {
            get
            {
                Vector3 low = transform.TransformPoint(DrawnMesh.Vertices[0]), high = low;
                foreach (var vertex in DrawnMesh.Vertices.Select(transform.TransformPoint))
                {
                    low = new Vector3(Math.Min(low.x, vertex.x), Math.Min(low.y, vertex.y), Math.Min(low.z, vertex.z));
                    high = new Vector3(Math.Max(high.x, vertex.x), Math.Max(high.y, vertex.y), Math.Max(high.z, vertex.z));
                }
                return new Bounds((low + high) * 0.5f, high - low);
            }
        }

        public Material[] sharedMaterials
        {
            set { Materials = new List<Material>(value); }
        }

        public void GetSharedMaterials(List<Material> m)
        {
            m.Clear();
            m.AddRange(Materials);
        }

        internal virtual Mesh DrawnMesh
        {
            get { return GetComponent<MeshFilter>().sharedMesh; }
        }
    }

    public class MeshRenderer : Renderer
    {
    }

    public class SkinnedMeshRenderer : Renderer
    {
        public Mesh sharedMesh { get; set; }

        internal override Mesh DrawnMesh
        {
            get { return sharedMesh; }
        }
    }

    public struct LOD
    {
        public float screenRelativeTransitionHeight;
        public float fadeTransitionWidth;
        public Renderer[] renderers;

        public LOD(float screenRelativeTransitionHeight, Renderer[] renderers)
        {
            this.screenRelativeTransitionHeight = screenRelativeTransitionHeight;
            this.renderers = renderers;
            fadeTransitionWidth = 0;
        }
    }

    public class LODGroup : Component
    {
        /// <summary>The level that the stub's camera draws: whoever builds the scene says it.</summary>
        public int Level;
        private LOD[] _lods = new LOD[0];

        public LODGroup()
        {
            enabled = true;
            size = 1;
        }

        public bool enabled { get; set; }
        public float size { get; set; }
        public Vector3 localReferencePoint { get; set; }

        public int lodCount
        {
            get { return _lods.Length; }
        }

        public LOD[] GetLODs()
        {
            return (LOD[])_lods.Clone();
        }

        public void SetLODs(LOD[] lods)
        {
            _lods = lods;
        }

        internal bool Hides(Renderer renderer)
        {
            var level = Array.FindIndex(_lods, each => each.renderers.Contains(renderer));
            return level >= 0 && (!enabled || level != Level);
        }
    }

    public class Graphics
    {
        public static void ExecuteCommandBuffer(CommandBuffer buffer)
        {
            buffer.Run();
        }
    }
}
