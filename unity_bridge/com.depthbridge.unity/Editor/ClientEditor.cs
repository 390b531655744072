// SPDX-License-Identifier: Apache-2.0
using UnityEditor;
using UnityEngine;

namespace Depthbridge.Editor
{
    /// <summary>
    /// The Inspector of a client: settings, a connection test, how to start a server, and in play mode what the connection does.
    /// </summary>
    [CustomEditor(typeof(DepthBridgeClient))]
    [CanEditMultipleObjects]
    internal sealed class ClientEditor : UnityEditor.Editor
    {
        private readonly ConnectionCheck _check = new ConnectionCheck();

        public override bool RequiresConstantRepaint()
        {
            return _check.IsRunning || Application.isPlaying;
        }

        public override void OnInspectorGUI()
        {
            serializedObject.Update();
            DrawPropertiesExcluding(serializedObject, "m_Script");
            serializedObject.ApplyModifiedProperties();
            if (serializedObject.isEditingMultipleObjects)
            {
                return;
            }
            var client = (DepthBridgeClient)target;
            EditorGUILayout.Space();
            DrawTest(client);
            var command = ServerCommand.Serve(client.Endpoint, client.Token.Length > 0);
            EditorGUILayout.LabelField(ServerCommand.Where(client.Endpoint, client.Token.Length > 0));
            if (command != null)
            {
                Blocks.Command(command);
            }
            if (Application.isPlaying)
            {
                EditorGUILayout.Space();
                Blocks.Connection(client);
            }
        }

        private void OnEnable()
        {
            AssemblyReloadEvents.beforeAssemblyReload += Stop;
            EditorApplication.playModeStateChanged += PlayModeChanged;
        }

        private void OnDisable()
        {
            AssemblyReloadEvents.beforeAssemblyReload -= Stop;
            EditorApplication.playModeStateChanged -= PlayModeChanged;
            Stop();
        }

        private void DrawTest(DepthBridgeClient client)
        {
            using (new EditorGUI.DisabledScope(_check.IsRunning))
            {
                if (GUILayout.Button(_check.IsRunning ? "Testing..." : "Test connection"))
                {
                    _check.Start(client.Options());
                }
            }
            if (_check.Sentence != null)
            {
                EditorGUILayout.HelpBox(_check.Sentence, _check.IsGood ? MessageType.Info : MessageType.Error);
            }
        }

        private void PlayModeChanged(PlayModeStateChange change)
        {
            Stop();
        }

        /// <summary>Everything that runs, once or again.</summary>
        private void Stop()
        {
            _check.Stop();
        }
    }
}
