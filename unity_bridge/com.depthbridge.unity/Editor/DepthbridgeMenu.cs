// SPDX-License-Identifier: Apache-2.0
using System;
using UnityEditor;
using UnityEditor.SceneManagement;
using UnityEngine;

namespace Depthbridge.Editor
{
    /// <summary>GameObject > Depthbridge, and Tools > Depthbridge.</summary>
    internal static class DepthbridgeMenu
    {
        private const string Title = "Depthbridge";
        private const string SelfTestType = "Depthbridge.Samples.SelfTest, Depthbridge.Samples.SelfTest";

        /// <summary>A camera of its own, with client, capture and labels.</summary>
        [MenuItem("GameObject/Depthbridge/Capture Camera", false, 10)]
        public static void AddCaptureCamera(MenuCommand command)
        {
            var made = new GameObject("Depthbridge Camera");
            made.AddComponent<Camera>();
            AddAll(made, false);
            GameObjectUtility.SetParentAndAlign(made, command.context as GameObject);
            Undo.RegisterCreatedObjectUndo(made, "Add capture camera");
            Selection.activeGameObject = made;
        }

        /// <summary>Depth Object on what is selected.</summary>
        [MenuItem("GameObject/Depthbridge/Mark as Depth Object", false, 11)]
        public static void Mark(MenuCommand command)
        {
            var one = command.context as GameObject; // from the Hierarchy's menu: called once for each selected one
            var all = one != null ? new[] { one } : Selection.gameObjects;
            foreach (var each in all)
            {
                Ensure<DepthObject>(each, true);
            }
        }

        /// <summary>Client, capture and labels on the scene's main camera.</summary>
        [MenuItem("Tools/Depthbridge/Add Capture to Main Camera", false, 0)]
        public static void AddToMainCamera()
        {
            var camera = Camera.main;
            if (camera == null)
            {
                EditorUtility.DisplayDialog(Title, "No camera of the scene has the tag MainCamera; add one, or tag yours.", "OK");
                return;
            }
            AddAll(camera.gameObject, true);
            Selection.activeGameObject = camera.gameObject;
        }

        /// <summary>The window.</summary>
        [MenuItem("Tools/Depthbridge/Status", false, 20)]
        public static void ShowStatus()
        {
            EditorWindow.GetWindow<StatusWindow>("Depthbridge");
        }

        /// <summary>The sample Self-Test, in a scene of its own.</summary>
        [MenuItem("Tools/Depthbridge/Self-Test", false, 21)]
        public static void RunSelfTest()
        {
            var type = Type.GetType(SelfTestType);
            if (type == null)
            {
                EditorUtility.DisplayDialog(
                    Title, "Import the sample Self-Test first: Window > Package Manager > Depthbridge > Samples.", "OK");
                return;
            }
            if (EditorApplication.isPlaying || !EditorSceneManager.SaveCurrentModifiedScenesIfUserWantsTo())
            {
                return;
            }
            EditorSceneManager.NewScene(NewSceneSetup.EmptyScene, NewSceneMode.Single);
            new GameObject("Depthbridge self-test").AddComponent(type);
            EditorApplication.isPlaying = true;
        }

        /// <summary>camera_intrinsics.json of the selected camera, else of the main one.</summary>
        [MenuItem("Tools/Depthbridge/Export Intrinsics...", false, 22)]
        public static void ExportIntrinsics()
        {
            var selected = Selection.activeGameObject;
            var capture = selected != null ? selected.GetComponent<DepthCapture>() : null;
            var camera = selected != null ? selected.GetComponent<Camera>() : null;
            camera = camera != null ? camera : capture != null ? IntrinsicsReader.CameraOf(capture) : Camera.main;
            if (camera == null)
            {
                EditorUtility.DisplayDialog(Title, "Select a camera, or give one of the scene the tag MainCamera.", "OK");
                return;
            }
            capture = capture != null ? capture : camera.GetComponent<DepthCapture>();
            var width = capture != null ? capture.Width : camera.pixelWidth;
            var height = capture != null ? capture.Height : camera.pixelHeight;
            var path = EditorUtility.SaveFilePanel("Intrinsics of " + width + " x " + height + " pixels", "", "camera_intrinsics", "json");
            if (string.IsNullOrEmpty(path))
            {
                return;
            }
            string problem;
            using (var reader = new IntrinsicsReader())
            {
                if (!reader.Export(camera, width, height, path, out problem))
                {
                    EditorUtility.DisplayDialog(Title, problem, "OK");
                }
            }
        }

        private static void AddAll(GameObject to, bool undo)
        {
            Ensure<DepthBridgeClient>(to, undo);
            Ensure<DepthCapture>(to, undo);
            Ensure<DistanceOverlay>(to, undo);
        }

        private static void Ensure<T>(GameObject on, bool undo) where T : Component
        {
            if (on.GetComponent<T>() != null)
            {
                return;
            }
            if (undo)
            {
                Undo.AddComponent<T>(on);
            }
            else
            {
                on.AddComponent<T>(); // the whole GameObject is undone
            }
        }
    }
}
