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
    internal sealed class ClientEditor : SettingsEditor
    {
        private readonly ConnectionCheck _check = new ConnectionCheck();
        private StopSignal _stopping;

        public override bool RequiresConstantRepaint()
        {
            return _check.IsRunning || base.RequiresConstantRepaint();
        }

        protected override void DrawMore()
        {
            var client = (DepthBridgeClient)target;
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
            _stopping = new StopSignal(Stop);
            _stopping.Listen();
        }

        private void OnDisable()
        {
            _stopping.End();
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

        /// <summary>Everything that runs, once or again.</summary>
        private void Stop()
        {
            _check.Stop();
        }
    }
}
