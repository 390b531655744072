// SPDX-License-Identifier: Apache-2.0
// Command buffers and readback as far as the package uses them: public signatures, written from the scripting reference.
using System;
using System.Collections.Generic;
using StubUnity;
using Unity.Collections;

namespace Unity.Collections
{
    public struct NativeArray<T> : IDisposable where T : struct
    {
        private readonly T[] _items;
        private readonly Func<bool> _valid;

        internal NativeArray(T[] items, Func<bool> valid)
        {
            _items = items;
            _valid = valid;
        }

        public int Length
        {
            get { return _items.Length; }
        }

        public void CopyTo(T[] array)
        {
            if (_valid != null && !_valid())
            {
                throw new InvalidOperationException("The NativeArray was used after its readback's callback had ended.");
            }
            if (array.Length != _items.Length)
            {
                throw new ArgumentException("The lengths differ: " + array.Length + " and " + _items.Length + ".");
            }
            Array.Copy(_items, array, array.Length);
        }

        public void Dispose()
        {
        }
    }
}

namespace UnityEngine.Rendering
{
    public enum CullMode
    {
        Off = 0,
        Front = 1,
        Back = 2,
    }

    public enum ShadowCastingMode
    {
        Off = 0,
        On = 1,
        TwoSided = 2,
        ShadowsOnly = 3,
    }

    public struct RenderTargetIdentifier
    {
        internal RenderTexture Texture;

        public static implicit operator RenderTargetIdentifier(Texture tex)
        {
            return new RenderTargetIdentifier { Texture = (RenderTexture)tex };
        }
    }

    public class CommandBuffer : IDisposable
    {
        private readonly List<Action<Rasterizer>> _commands = new List<Action<Rasterizer>>();

        /// <summary>How many there are that were not disposed.</summary>
        public static int Alive;

        public CommandBuffer()
        {
            Alive++;
        }

        public string name { get; set; }

        public void Clear()
        {
            _commands.Clear();
        }

        public void SetRenderTarget(RenderTargetIdentifier rt)
        {
            _commands.Add(gpu => gpu.Target = rt.Texture);
        }

        public void ClearRenderTarget(bool clearDepth, bool clearColor, Color backgroundColor)
        {
            _commands.Add(gpu => gpu.Clear(clearDepth, clearColor, backgroundColor));
        }

        public void SetViewProjectionMatrices(Matrix4x4 view, Matrix4x4 proj)
        {
            _commands.Add(gpu =>
            {
                gpu.View = view;
                gpu.Projection = proj;
            });
        }

        public void SetGlobalFloat(int nameID, float value)
        {
            _commands.Add(gpu => gpu.Globals[Shader.Name(nameID)] = value);
        }

        public void DrawRenderer(Renderer renderer, Material material, int submeshIndex, int shaderPass)
        {
            _commands.Add(gpu => gpu.Draw(renderer, material.shader.name, submeshIndex, shaderPass));
        }

        public void Dispose()
        {
            Alive--;
        }

        internal void Run()
        {
            var gpu = new Rasterizer();
            foreach (var command in _commands)
            {
                command(gpu);
            }
        }
    }

    public struct AsyncGPUReadbackRequest
    {
        internal Pending Of;

        internal sealed class Pending
        {
            public byte[] Pixels;
            public bool Failed;
            public bool InCallback;
            public int DueFrame;
            public Action<AsyncGPUReadbackRequest> Callback;
        }

        public bool hasError
        {
            get { return Of.Failed; }
        }

        public NativeArray<T> GetData<T>(int layer = 0) where T : struct
        {
            var of = Of;
            return new NativeArray<T>((T[])(object)of.Pixels, () => of.InCallback);
        }
    }

    public static class AsyncGPUReadback
    {
        /// <summary>Frames until the answer.</summary>
        public static int Latency = 2;

        /// <summary>The next so many requests fail, as after a lost device.</summary>
        public static int FailNext;

        private static readonly List<AsyncGPUReadbackRequest.Pending> Waiting = new List<AsyncGPUReadbackRequest.Pending>();

        private static bool _busy;

        public static int Outstanding
        {
            get { return Waiting.Count; }
        }

        public static AsyncGPUReadbackRequest Request(Texture src, int mipIndex = 0, Action<AsyncGPUReadbackRequest> callback = null)
        {
            var pending = new AsyncGPUReadbackRequest.Pending
            {
                Pixels = (byte[])((RenderTexture)src).Pixels.Clone(), // the card copies in order, before the next draw into it
                // OpenGL ES promises glReadPixels of four channels alone.
                Failed = FailNext > 0 ||
                    (SystemInfo.graphicsDeviceType == GraphicsDeviceType.OpenGLES3 && ((RenderTexture)src).PixelBytes == 2),
                DueFrame = Time.frameCount + Latency,
                Callback = callback,
            };
            FailNext = Math.Max(0, FailNext - 1);
            Waiting.Add(pending);
            return new AsyncGPUReadbackRequest { Of = pending };
        }

        public static void WaitAllRequests()
        {
            Finish(int.MaxValue);
        }

        internal static void Deliver()
        {
            Finish(Time.frameCount);
        }

        private static void Finish(int frame)
        {
            if (_busy)
            {
                throw new InvalidOperationException("Readbacks were waited for within a readback's callback: can the engine?");
            }
            _busy = true;
            try
            {
                Run(frame);
            }
            finally
            {
                _busy = false;
            }
        }

        private static void Run(int frame)
        {
            foreach (var pending in Waiting.ToArray())
            {
                if (pending.DueFrame <= frame && Waiting.Remove(pending))
                {
                    pending.InCallback = true;
                    try
                    {
                        pending.Callback(new AsyncGPUReadbackRequest { Of = pending });
                    }
                    catch (Exception error)
                    {
                        Debug.LogException(error);
                    }
                    pending.InCallback = false;
                }
            }
        }
    }
}
