// SPDX-License-Identifier: Apache-2.0
// The rest of the engine as far as the package uses it: public signatures, written from the scripting reference.
using System;
using System.Collections.Generic;
using System.IO;
using System.Text.RegularExpressions;

namespace UnityEngine
{
    public static class Debug
    {
        /// <summary>Everything that was logged, in order: level and text.</summary>
        public static readonly List<string> Lines = new List<string>();

        public static void Log(object message, Object context)
        {
            Add("log", message);
        }

        public static void LogWarning(object message, Object context)
        {
            Add("warning", message);
        }

        public static void LogError(object message, Object context)
        {
            Add("error", message);
        }

        public static void LogException(Exception exception)
        {
            Add("exception", exception);
        }

        public static void LogException(Exception exception, Object context)
        {
            Add("exception", exception);
        }

        private static void Add(string level, object message)
        {
            lock (Lines)
            {
                Lines.Add(level + ": " + message);
            }
        }
    }

    public static partial class Application
    {
        public static string dataPath { get; set; }
        public static string persistentDataPath { get; set; }

        /// <summary>In Unity it can only be read; the editor's tests set it.</summary>
        public static bool isPlaying { get; set; } = true;

        public static bool isEditor
        {
            get { return true; }
        }

        public static string productName
        {
            get { return "Stub Game"; }
        }
    }

    public static class Time
    {
        static Time()
        {
            timeScale = 1;
        }

        public static int frameCount { get; private set; }
        public static float time { get; private set; }
        public static float deltaTime { get; private set; }
        public static float unscaledTime { get; private set; }
        public static float timeScale { get; set; }
        public static float captureDeltaTime { get; set; }

        public static float realtimeSinceStartup
        {
            get { return unscaledTime; }
        }

        internal static void Advance(float seconds)
        {
            frameCount++;
            unscaledTime += seconds;
            deltaTime = (captureDeltaTime > 0 ? captureDeltaTime : seconds) * timeScale;
            time += deltaTime;
        }
    }

    public enum ColorSpace
    {
        Gamma = 0,
        Linear = 1,
    }

    public static class QualitySettings
    {
        static QualitySettings()
        {
            activeColorSpace = ColorSpace.Linear;
            lodBias = 1;
        }

        public static ColorSpace activeColorSpace { get; set; }
        public static float lodBias { get; set; }
        public static int maximumLODLevel { get; set; }
    }

    public static partial class SystemInfo
    {
        /// <summary>What this graphics card of the stub's cannot do.</summary>
        public static readonly HashSet<RenderTextureFormat> Missing = new HashSet<RenderTextureFormat>();

        static SystemInfo()
        {
            supportsAsyncGPUReadback = true;
        }

        public static bool supportsAsyncGPUReadback { get; set; }

        public static bool SupportsRenderTextureFormat(RenderTextureFormat format)
        {
            return !Missing.Contains(format);
        }
    }

    public static class Screen
    {
        static Screen()
        {
            width = 1280;
            height = 720;
        }

        public static int width { get; set; }
        public static int height { get; set; }
    }

    public class Resources
    {
        /// <summary>The package's own folder: what is asked for must lie there.</summary>
        public static string Root;

        public static T Load<T>(string path) where T : Object
        {
            var file = Path.Combine(Root, path + ".shader");
            if (typeof(T) != typeof(Shader) || !File.Exists(file))
            {
                return null;
            }
            return (T)(object)new Shader { name = Regex.Match(File.ReadAllText(file), "Shader\\s+\"([^\"]+)\"").Groups[1].Value };
        }
    }

    public enum EventType
    {
        Repaint = 7,
        Layout = 8,
    }

    public sealed class Event
    {
        public static Event current { get; set; }
        public EventType type { get; set; }
    }

    public class GUIContent
    {
        public GUIContent(string text)
        {
            this.text = text;
        }

        public string text { get; set; }
    }

    public enum TextAnchor
    {
        UpperLeft = 0,
        MiddleCenter = 4,
    }

    public sealed class GUIStyle
    {
        public GUIStyle(GUIStyle other)
        {
        }

        internal GUIStyle()
        {
        }

        public int fontSize { get; set; }
        public TextAnchor alignment { get; set; }
        public bool wordWrap { get; set; }

        public Vector2 CalcSize(GUIContent content)
        {
            return new Vector2(8 * content.text.Length, 20);
        }
    }

    public sealed class GUISkin
    {
        public GUIStyle box { get; private set; } = new GUIStyle();
    }

    public class GUI
    {
        /// <summary>What was drawn since it was last cleared: the rectangle and the text.</summary>
        public static readonly List<KeyValuePair<Rect, string>> Drawn = new List<KeyValuePair<Rect, string>>();

        public static GUISkin skin { get; private set; } = new GUISkin();
        public static Color color { get; set; } = Color.white;

        public static void Label(Rect position, GUIContent content, GUIStyle style)
        {
            Drawn.Add(new KeyValuePair<Rect, string>(position, content.text));
        }
    }

    public static class ImageConversion
    {
        /// <summary>The JPEG encoder; outside Unity it is whoever runs the test.</summary>
        public static Func<byte[], int, int, int, byte[]> Encoder;

        public static byte[] EncodeArrayToJPG(
            Array array, Experimental.Rendering.GraphicsFormat format, uint width, uint height, uint rowBytes = 0, int quality = 75)
        {
            return Encoder((byte[])array, (int)width, (int)height, quality);
        }
    }
}

namespace UnityEngine.Events
{
    public abstract class UnityEventBase
    {
    }

    public class UnityEvent<T0> : UnityEventBase
    {
        private Action<T0> _listeners = delegate { };

        public void AddListener(Action<T0> call)
        {
            _listeners += call;
        }

        public void Invoke(T0 arg0)
        {
            _listeners(arg0);
        }
    }

    public class UnityEvent<T0, T1> : UnityEventBase
    {
        private Action<T0, T1> _listeners = delegate { };

        public void AddListener(Action<T0, T1> call)
        {
            _listeners += call;
        }

        public void Invoke(T0 arg0, T1 arg1)
        {
            _listeners(arg0, arg1);
        }
    }
}
