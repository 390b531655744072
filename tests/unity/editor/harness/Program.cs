// SPDX-License-Identifier: Apache-2.0
// Does in the stub's editor what a user does in Unity's, and tells what was on the screen as one JSON document on the standard output.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Reflection;
using System.Threading;
using Depthbridge;
using StubUnity;
using UnityEditor;
using UnityEngine;

namespace EditorHarness
{
    public static class Program
    {
        private static Dictionary<string, string> _options;
        private static JsonWriter _report;

        public static int Main(string[] arguments)
        {
            Resources.Root = arguments[1];
            _options = arguments.Skip(2).Select(each => each.Split(new[] { '=' }, 2)).ToDictionary(each => each[0], each => each[1]);
            Application.dataPath = _options["project"] + "/Assets";
            _report = new JsonWriter().BeginObject();
            PlayerLoop.Enter();
            Application.isPlaying = false;
            typeof(Program).GetMethod(arguments[0]).Invoke(null, null);
            Application.isPlaying = true;
            PlayerLoop.Exit();
            Write("left", AssemblyReloadEvents.Listeners + " " + EditorApplication.Listeners + " " + RenderTexture.Alive);
            Write("log", UnityEngine.Debug.Lines);
            Console.WriteLine(_report.EndObject().ToString());
            return 0;
        }

        /// <summary>The Inspector of a client in edit mode: the test, the command, the copy; then what stops it.</summary>
        public static void ClientInspector()
        {
            var client = Holder("client").AddComponent<DepthBridgeClient>();
            client.Disconnect(); // the stub enables components in edit mode, too
            client.Endpoint = _options["endpoint"];
            client.ConnectTimeoutMs = 1000;
            var editor = Editor.Open(client);
            Write("before", Draw(editor));
            Screenful.Press = "Test connection";
            Draw(editor);
            Screenful.Press = null;
            Write("during", Draw(editor));
            Write("repaints", editor.RequiresConstantRepaint());
            var clock = Stopwatch.StartNew();
            while (editor.RequiresConstantRepaint() && clock.Elapsed.TotalSeconds < 20)
            {
                Thread.Sleep(5);
            }
            Write("after", Draw(editor));
            Screenful.Press = "Copy";
            Draw(editor);
            Write("copied", EditorGUIUtility.systemCopyBuffer);
            Screenful.Press = "Test connection";
            Draw(editor);
            Screenful.Press = null;
            if (_options["stop"] == "reload")
            {
                AssemblyReloadEvents.Raise();
            }
            else
            {
                EditorApplication.Raise(PlayModeStateChange.ExitingEditMode);
            }
            Write("stopped", Draw(editor));
            Write("updates", editor.serializedObject.Updates + " " + editor.serializedObject.Applies);
            Windows.Send(editor, "OnDisable");
            Write("many", Draw(Editor.Open(client, Holder("other").AddComponent<DepthBridgeClient>()), true));
        }

        /// <summary>The Inspector of a capture with each kind of camera.</summary>
        public static void CaptureInspector()
        {
            var holder = Holder("capture");
            var capture = holder.AddComponent<DepthCapture>();
            capture.Width = 640;
            capture.Height = 360;
            var editor = Editor.Open(capture);
            Write("no_camera", Draw(editor));
            var camera = holder.AddComponent<Camera>();
            camera.usePhysicalProperties = true;
            camera.lensShift = new Vector2(0.1f, 0.2f);
            Write("physical", Draw(editor));
            camera.gateFit = Camera.GateFitMode.None;
            capture.PlanarDepth = true;
            Holder("marked").AddComponent<DepthObject>();
            holder.AddComponent<DepthBridgeClient>().Disconnect();
            Write("stretched", Draw(editor));
            camera.orthographic = true;
            capture.MetersPerUnit = 0;
            Write("orthographic", Draw(editor));
            Draw(editor);
            Write("camera_restored", camera.targetTexture == null);
            Windows.Send(editor, "OnDisable");
            Write("objects", Roots());
        }

        /// <summary>The Inspector of a dataset, before, while and after it captures.</summary>
        public static void DatasetInspector()
        {
            Application.isPlaying = true;
            var holder = Holder("dataset");
            holder.AddComponent<Camera>();
            var capture = holder.AddComponent<DepthCapture>();
            capture.Width = capture.Height = 8;
            holder.SetActive(false);
            var dataset = holder.AddComponent<BatchDatasetCapture>();
            dataset.BeginOnEnable = false;
            dataset.Frames = 4;
            holder.SetActive(true);
            var editor = Editor.Open(dataset);
            Application.isPlaying = false;
            Write("edit", Draw(editor));
            Application.isPlaying = true;
            Screenful.Press = "Begin";
            Draw(editor);
            Screenful.Press = null;
            for (var i = 0; i < 4; i++)
            {
                PlayerLoop.Frame(1 / 60f);
            }
            Write("capturing", Draw(editor));
            while (dataset.IsCapturing)
            {
                PlayerLoop.Frame(1 / 60f);
            }
            Screenful.Press = "Open folder";
            Write("complete", Draw(editor));
            Windows.Send(editor, "OnDisable");
        }

        /// <summary>The window, with a client that is answered and then one whose server refuses a frame.</summary>
        public static void Status()
        {
            Run("Tools/Depthbridge/Status");
            Write("empty", DrawWindow());
            var holder = Holder("camera");
            holder.AddComponent<Camera>();
            holder.SetActive(false);
            var client = holder.AddComponent<DepthBridgeClient>();
            client.Endpoint = _options["endpoint"];
            var capture = holder.AddComponent<DepthCapture>();
            capture.Width = 64;
            capture.Height = 48;
            capture.Model = _options["model"];
            var panel = GameObject.CreatePrimitive(PrimitiveType.Quad);
            panel.transform.position = new Vector3(0, 0, 2.5f);
            panel.AddComponent<DepthObject>().Category = "panel";
            Windows.Send(Windows.Last, "OnInspectorUpdate");
            Write("edit", DrawWindow());
            Application.isPlaying = true;
            EditorApplication.Raise(PlayModeStateChange.EnteredPlayMode);
            Write("forgotten", DrawWindow());
            Windows.Send(Windows.Last, "OnInspectorUpdate");
            holder.SetActive(true);
            var clock = Stopwatch.StartNew();
            while (clock.Elapsed.TotalSeconds < 30 && client.Counters.Answered + client.Counters.Failed < 2)
            {
                PlayerLoop.Frame(1 / 60f);
                Thread.Sleep(2);
            }
            PlayerLoop.Frame(1 / 60f);
            Windows.Send(Windows.Last, "OnInspectorUpdate");
            Write("play", DrawWindow());
            var inspector = Editor.Open(capture);
            Write("capture", Draw(inspector));
            Windows.Send(inspector, "OnDisable");
            EditorApplication.Raise(PlayModeStateChange.ExitingPlayMode);
            Windows.Send(Windows.Last, "OnDisable");
        }

        /// <summary>Every menu.</summary>
        public static void Menus()
        {
            Write("paths", MenuMethods().Select(each => each.GetCustomAttribute<MenuItem>().Path).ToList());
            Run("Tools/Depthbridge/Add Capture to Main Camera");
            Run("Tools/Depthbridge/Export Intrinsics...");
            Write("without_camera", Screen());
            var holder = Holder("camera");
            Camera.main = holder.AddComponent<Camera>();
            Run("Tools/Depthbridge/Add Capture to Main Camera");
            Run("Tools/Depthbridge/Add Capture to Main Camera");
            Write("on_camera", Components(holder).ToList());
            Selection.gameObjects = new[] { Holder("a"), Holder("b") };
            Run("GameObject/Depthbridge/Mark as Depth Object");
            Run("GameObject/Depthbridge/Mark as Depth Object", Selection.gameObjects[0]);
            var root = Holder("root");
            Run("GameObject/Depthbridge/Capture Camera", root);
            Write("made", Selection.activeGameObject.transform.parent == root.transform);
            Write("undo", Undo.Steps);
            holder.GetComponent<DepthCapture>().Width = 640;
            holder.GetComponent<DepthCapture>().Height = 360;
            Selection.activeGameObject = null;
            Run("Tools/Depthbridge/Export Intrinsics..."); // cancelled
            EditorUtility.Chosen = _options["project"] + "/new/camera_intrinsics.json";
            Run("Tools/Depthbridge/Export Intrinsics...");
            Camera.main.orthographic = true;
            Screenful.Lines.Clear();
            Run("Tools/Depthbridge/Export Intrinsics...");
            Write("orthographic", Screen());
            Run("Tools/Depthbridge/Self-Test");
            Write("playing", EditorApplication.isPlaying);
            Write("self_test", Roots());
            Application.isPlaying = true;
        }

        /// <summary>What the menu says where the sample was not imported.</summary>
        public static void SelfTestNotImported()
        {
            Holder("the user's");
            Run("Tools/Depthbridge/Self-Test");
            Write("said", Screen());
            Write("objects", Roots());
        }

        private static GameObject Holder(string name)
        {
            return new GameObject(name);
        }

        private static List<string> Components(GameObject of)
        {
            var found = new List<MonoBehaviour>();
            of.GetComponentsInChildren(true, found);
            return found.Select(each => each.GetType().Name).ToList();
        }

        private static List<string> Draw(Editor editor, bool andClose = false)
        {
            foreach (var type in new[] { EventType.Layout, EventType.Repaint })
            {
                Screenful.Lines.Clear();
                Event.current = new Event { type = type };
                editor.OnInspectorGUI();
                Screenful.Press = type == EventType.Layout ? null : Screenful.Press; // one click
            }
            if (andClose)
            {
                Windows.Send(editor, "OnDisable");
            }
            return Screen();
        }

        private static List<string> DrawWindow()
        {
            foreach (var type in new[] { EventType.Layout, EventType.Repaint })
            {
                Screenful.Lines.Clear();
                Event.current = new Event { type = type };
                Windows.Send(Windows.Last, "OnGUI");
            }
            return Screen();
        }

        private static List<string> Screen()
        {
            return Screenful.Lines.ToList();
        }

        private static List<string> Roots()
        {
            var roots = new List<GameObject>();
            PlayerLoop.MainScene.GetRootGameObjects(roots);
            return roots.Select(each => each.name).ToList();
        }

        private static IEnumerable<MethodInfo> MenuMethods()
        {
            return Assembly.Load("Depthbridge.Unity.Editor").GetTypes().SelectMany(each => each.GetMethods())
                .Where(each => each.GetCustomAttribute<MenuItem>() != null);
        }

        private static void Run(string path, UnityEngine.Object context = null)
        {
            var found = MenuMethods().Single(each => each.GetCustomAttribute<MenuItem>().Path == path);
            found.Invoke(null, found.GetParameters().Length == 0 ? null : new object[] { new MenuCommand(context) });
        }

        private static void Write(string name, IEnumerable<string> lines)
        {
            _report.Name(name).BeginArray();
            foreach (var line in lines)
            {
                _report.Value(line);
            }
            _report.EndArray();
        }

        private static void Write(string name, string value)
        {
            _report.Name(name).Value(value);
        }

        private static void Write(string name, bool value)
        {
            _report.Name(name).Value(value);
        }
    }
}
