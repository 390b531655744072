// SPDX-License-Identifier: Apache-2.0
// The editor as far as the package uses it: public signatures, written from the scripting reference, and a screen that remembers.
using System;
using System.Collections.Generic;
using System.Reflection;
using StubUnity;
using UnityEngine;
using Object = UnityEngine.Object;

namespace StubUnity
{
    /// <summary>What was drawn, and what a user does.</summary>
    public static class Screenful
    {
        /// <summary>A line for each control: kind, and its texts.</summary>
        public static readonly List<string> Lines = new List<string>();

        /// <summary>Buttons with this text are pressed when they are drawn and enabled.</summary>
        public static string Press;

        public static int Disabled;

        public static void Add(string kind, params string[] texts)
        {
            Lines.Add(kind + ": " + string.Join(" | ", texts));
        }
    }
}

namespace UnityEditor
{
    public enum MessageType
    {
        None = 0,
        Info = 1,
        Warning = 2,
        Error = 3,
    }

    public enum PlayModeStateChange
    {
        EnteredEditMode = 0,
        ExitingEditMode = 1,
        EnteredPlayMode = 2,
        ExitingPlayMode = 3,
    }

    public sealed class CustomEditor : Attribute
    {
        public readonly Type Inspected;

        public CustomEditor(Type inspectedType)
        {
            Inspected = inspectedType;
        }
    }

    public sealed class CanEditMultipleObjects : Attribute
    {
    }

    public sealed class MenuItem : Attribute
    {
        public readonly string Path;

        public MenuItem(string itemName, bool isValidateFunction, int priority)
        {
            Path = itemName;
        }
    }

    public class MenuCommand
    {
        public Object context;

        public MenuCommand(Object inContext)
        {
            context = inContext;
        }
    }

    public class SerializedObject
    {
        private readonly int _targets;

        /// <summary>How often Update and ApplyModifiedProperties were called.</summary>
        public int Updates, Applies;

        public SerializedObject(Object[] objs)
        {
            _targets = objs.Length;
        }

        public bool isEditingMultipleObjects
        {
            get { return _targets > 1; }
        }

        public void Update()
        {
            Updates++;
        }

        public bool ApplyModifiedProperties()
        {
            Applies++;
            return false;
        }
    }

    public class ScriptableObject : Object
    {
    }

    public class Editor : ScriptableObject
    {
        public Object target { get; private set; }
        public SerializedObject serializedObject { get; private set; }

        public virtual bool RequiresConstantRepaint()
        {
            return false;
        }

        public virtual void OnInspectorGUI()
        {
        }

        /// <summary>What the Inspector does with what is selected.</summary>
        public static Editor Open(params Object[] targets)
        {
            foreach (var type in Assembly.Load("Depthbridge.Unity.Editor").GetTypes())
            {
                var custom = type.GetCustomAttribute<CustomEditor>();
                if (custom != null && custom.Inspected == targets[0].GetType())
                {
                    var editor = (Editor)Activator.CreateInstance(type);
                    editor.target = targets[0];
                    editor.serializedObject = new SerializedObject(targets);
                    Windows.Send(editor, "OnEnable");
                    return editor;
                }
            }
            throw new ArgumentException("No editor for " + targets[0].GetType());
        }

        protected static void DrawPropertiesExcluding(SerializedObject obj, params string[] propertyToExclude)
        {
            Screenful.Add("properties", "without " + string.Join(", ", propertyToExclude));
        }
    }

    public class EditorWindow : ScriptableObject
    {
        public static T GetWindow<T>(string title) where T : EditorWindow
        {
            Windows.Last = Activator.CreateInstance<T>();
            Windows.Send(Windows.Last, "OnEnable");
            return (T)Windows.Last;
        }

        public void Repaint()
        {
        }
    }

    /// <summary>The window that was opened last, and messages to windows and Inspectors.</summary>
    public static class Windows
    {
        public static EditorWindow Last;

        public static void Send(object to, string message)
        {
            const BindingFlags Any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
            var method = to.GetType().GetMethod(message, Any, null, Type.EmptyTypes, null);
            if (method != null)
            {
                method.Invoke(to, null);
            }
        }
    }

    public static class AssemblyReloadEvents
    {
        public delegate void AssemblyReloadCallback();

        public static event AssemblyReloadCallback beforeAssemblyReload;

        public static int Listeners
        {
            get { return beforeAssemblyReload == null ? 0 : beforeAssemblyReload.GetInvocationList().Length; }
        }

        public static void Raise()
        {
            if (beforeAssemblyReload != null)
            {
                beforeAssemblyReload();
            }
        }
    }

    public sealed class EditorApplication
    {
        public static event Action<PlayModeStateChange> playModeStateChanged;

        public static bool isPlaying { get; set; }

        public static int Listeners
        {
            get { return playModeStateChanged == null ? 0 : playModeStateChanged.GetInvocationList().Length; }
        }

        public static void Raise(PlayModeStateChange change)
        {
            if (playModeStateChanged != null)
            {
                playModeStateChanged(change);
            }
        }
    }

    public sealed class Selection
    {
        public static GameObject activeGameObject { get; set; }

        public static GameObject[] gameObjects { get; set; }
    }

    public sealed class GameObjectUtility
    {
        public static void SetParentAndAlign(GameObject child, GameObject parent)
        {
            if (parent != null)
            {
                child.transform.SetParent(parent.transform);
            }
        }
    }

    public class Undo
    {
        public static readonly List<string> Steps = new List<string>();

        public static void RegisterCreatedObjectUndo(Object objectToUndo, string name)
        {
            Steps.Add(name);
        }

        public static T AddComponent<T>(GameObject gameObject) where T : Component
        {
            Steps.Add("Add " + typeof(T).Name);
            return gameObject.AddComponent<T>();
        }
    }

    public static class EditorUtility
    {
        /// <summary>What the user answers to a file panel.</summary>
        public static string Chosen = "";

        public static bool DisplayDialog(string title, string message, string ok)
        {
            Screenful.Add("dialog", title, message);
            return true;
        }

        public static string SaveFilePanel(string title, string directory, string defaultName, string extension)
        {
            Screenful.Add("panel", title, defaultName + "." + extension);
            return Chosen;
        }

        public static void RevealInFinder(string path)
        {
            Screenful.Add("reveal", path);
        }
    }

    public sealed class EditorGUIUtility
    {
        public static string systemCopyBuffer { get; set; }

        public static float singleLineHeight
        {
            get { return 18; }
        }
    }

    public sealed class EditorStyles
    {
        public static GUIStyle boldLabel
        {
            get { return GUI.skin.box; }
        }
    }

    public sealed class EditorGUI
    {
        public struct DisabledScope : IDisposable
        {
            private readonly bool _disabled;

            public DisabledScope(bool disabled)
            {
                _disabled = disabled;
                Screenful.Disabled += disabled ? 1 : 0;
            }

            public void Dispose()
            {
                Screenful.Disabled -= _disabled ? 1 : 0;
            }
        }

        public static void ProgressBar(Rect position, float value, string text)
        {
            Screenful.Add("progress", value.ToString("0.00", System.Globalization.CultureInfo.InvariantCulture), text);
        }
    }

    public sealed class EditorGUILayout
    {
        public class HorizontalScope : IDisposable
        {
            public HorizontalScope(params GUILayoutOption[] options)
            {
            }

            public void Dispose()
            {
            }
        }

        public static void LabelField(string label, params GUILayoutOption[] options)
        {
            Screenful.Add("label", label);
        }

        public static void LabelField(string label, string label2, params GUILayoutOption[] options)
        {
            Screenful.Add("label", label, label2);
        }

        public static void LabelField(string label, string label2, GUIStyle style, params GUILayoutOption[] options)
        {
            Screenful.Add("label", label, label2);
        }

        public static void SelectableLabel(string text, params GUILayoutOption[] options)
        {
            Screenful.Add("selectable", text);
        }

        public static void HelpBox(string message, MessageType type)
        {
            Screenful.Add(type.ToString().ToLowerInvariant(), message);
        }

        public static void Space()
        {
        }

        public static Rect GetControlRect(params GUILayoutOption[] options)
        {
            return new Rect(0, 0, 300, 18);
        }

        public static Vector2 BeginScrollView(Vector2 scrollPosition, params GUILayoutOption[] options)
        {
            return scrollPosition;
        }

        public static void EndScrollView()
        {
        }
    }
}

namespace UnityEditor.SceneManagement
{
    public enum NewSceneSetup
    {
        EmptyScene = 0,
        DefaultGameObjects = 1,
    }

    public enum NewSceneMode
    {
        Single = 0,
        Additive = 1,
    }

    public sealed class EditorSceneManager
    {
        /// <summary>What the user answers when asked to save.</summary>
        public static bool Saves = true;

        public static bool SaveCurrentModifiedScenesIfUserWantsTo()
        {
            return Saves;
        }

        public static UnityEngine.SceneManagement.Scene NewScene(NewSceneSetup setup, NewSceneMode mode)
        {
            PlayerLoop.Enter();
            return PlayerLoop.MainScene;
        }
    }
}

namespace UnityEngine
{
    public sealed class GUILayoutOption
    {
    }

    public class GUILayout
    {
        public static bool Button(string text, params GUILayoutOption[] options)
        {
            Screenful.Add(Screenful.Disabled > 0 ? "disabled button" : "button", text);
            return Screenful.Disabled == 0 && text == Screenful.Press;
        }

        public static GUILayoutOption Width(float width)
        {
            return new GUILayoutOption();
        }

        public static GUILayoutOption Height(float height)
        {
            return new GUILayoutOption();
        }
    }
}
