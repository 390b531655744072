// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using UnityEditor;
using UnityEngine;

namespace Depthbridge.Editor
{
    /// <summary>Every client and every capture of the loaded scenes: state, last answer, last error.</summary>
    internal sealed class StatusWindow : EditorWindow
    {
        private readonly List<ClientWatch> _clients = new List<ClientWatch>();
        private List<DepthCapture> _captures = new List<DepthCapture>();
        private Vector2 _scroll;
        private StopSignal _stopping;

        private void OnEnable()
        {
            _stopping = new StopSignal(Stop);
            _stopping.Listen();
        }

        private void OnDisable()
        {
            _stopping.End();
        }

        /// <summary>Ten times a second.</summary>
        private void OnInspectorUpdate()
        {
            Refresh();
            Repaint();
        }

        private void OnGUI()
        {
            if (Event.current.type == EventType.Layout)
            {
                _clients.RemoveAll(watch => watch.IsGone);
                _captures.RemoveAll(capture => capture == null);
            }
            _scroll = EditorGUILayout.BeginScrollView(_scroll);
            if (_clients.Count == 0)
            {
                EditorGUILayout.HelpBox(
                    "No loaded scene has a Depth Bridge Client: Tools > Depthbridge > Add Capture to Main Camera.", MessageType.Info);
            }
            foreach (var watch in _clients)
            {
                Draw(watch);
            }
            foreach (var capture in _captures)
            {
                Draw(capture);
            }
            EditorGUILayout.EndScrollView();
        }

        private static void Draw(ClientWatch watch)
        {
            EditorGUILayout.LabelField(watch.Client.name, watch.Client.Endpoint, EditorStyles.boldLabel);
            if (!Application.isPlaying)
            {
                EditorGUILayout.LabelField("State", "connects in play mode");
                return;
            }
            Blocks.Connection(watch.Client);
            if (watch.LastError != null)
            {
                EditorGUILayout.HelpBox(watch.LastError, MessageType.Error);
            }
        }

        private static void Draw(DepthCapture capture)
        {
            EditorGUILayout.LabelField(capture.name, capture.Width + " x " + capture.Height + " px", EditorStyles.boldLabel);
            if (!Application.isPlaying)
            {
                EditorGUILayout.LabelField("Frames captured", "captures in play mode");
                return;
            }
            EditorGUILayout.LabelField("Frames captured", capture.LastFrameId + ", lost by the card: " + capture.FramesLost);
            Blocks.Distances(capture);
        }

        private void Refresh()
        {
            _captures = SceneComponents.Find<DepthCapture>();
            foreach (var client in SceneComponents.Find<DepthBridgeClient>())
            {
                if (!_clients.Exists(watch => watch.Client == client))
                {
                    _clients.Add(new ClientWatch(client));
                }
            }
        }

        /// <summary>Listens to nothing any more: the objects of the other mode are others. May be called again.</summary>
        private void Stop()
        {
            foreach (var watch in _clients)
            {
                watch.Stop();
            }
            _clients.Clear();
            _captures.Clear();
        }

        /// <summary>Remembers a client's last error.</summary>
        private sealed class ClientWatch
        {
            public ClientWatch(DepthBridgeClient client)
            {
                Client = client;
                client.Failed += Failed;
            }

            public DepthBridgeClient Client { get; private set; }

            public string LastError { get; private set; }

            public bool IsGone
            {
                get { return Client == null; }
            }

            public void Stop()
            {
                if (!ReferenceEquals(Client, null))
                {
                    Client.Failed -= Failed;
                }
            }

            private void Failed(DepthRequest request, BridgeError error)
            {
                LastError = "Frame " + request.FrameId + ": " + error.Message + " (" + error.Code + ")";
            }
        }
    }
}
