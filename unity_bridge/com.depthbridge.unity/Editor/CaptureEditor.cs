// SPDX-License-Identifier: Apache-2.0
using System;
using UnityEditor;
using UnityEngine;

namespace Depthbridge.Editor
{
    /// <summary>The Inspector of a capture: settings, its frames' intrinsics, and what stands in their way.</summary>
    [CustomEditor(typeof(DepthCapture))]
    [CanEditMultipleObjects]
    internal sealed class CaptureEditor : SettingsEditor
    {
        private const double SquareTolerance = 1e-3;

        private readonly IntrinsicsReader _reader = new IntrinsicsReader();
        private PinholeIntrinsics _intrinsics;
        private string _problem;
        private StopSignal _stopping;

        protected override void DrawMore()
        {
            var capture = (DepthCapture)target;
            DrawIntrinsics(capture);
            DrawAdvice(capture);
            if (Application.isPlaying)
            {
                DrawLive(capture);
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

        private void DrawIntrinsics(DepthCapture capture)
        {
            var camera = IntrinsicsReader.CameraOf(capture);
            if (camera == null)
            {
                EditorGUILayout.HelpBox("There is no camera: assign one, or put this component on one.", MessageType.Error);
                return;
            }
            if (Event.current.type == EventType.Layout) // once per repaint; what is laid out must be what is painted
            {
                _intrinsics = _reader.Read(camera, capture.Width, capture.Height, out _problem);
            }
            if (_intrinsics == null)
            {
                EditorGUILayout.HelpBox(_problem ?? "", MessageType.Error);
                return;
            }
            EditorGUILayout.LabelField("Intrinsics of '" + camera.name + "'", capture.Width + " x " + capture.Height + " px");
            EditorGUILayout.LabelField("fx, fy", Pair(_intrinsics.Fx, _intrinsics.Fy) + " px");
            EditorGUILayout.LabelField("cx, cy", Pair(_intrinsics.Cx, _intrinsics.Cy) + " px, from the upper left");
            EditorGUILayout.LabelField("Vertical field of view", Blocks.Number(_intrinsics.VerticalFovDegrees, "0.00") + " degrees");
            if (Math.Abs(_intrinsics.Fx / _intrinsics.Fy - 1) > SquareTolerance)
            {
                EditorGUILayout.HelpBox(
                    "Pixels are not square: a script set the camera's aspect, or its gate fit is None. The numbers above are right, but " +
                    "the picture is stretched, and networks know few such pictures.",
                    MessageType.Warning);
            }
        }

        private static void DrawAdvice(DepthCapture capture)
        {
            if (!(capture.MetersPerUnit > 0))
            {
                EditorGUILayout.HelpBox("Meters Per Unit must be positive: 1 when a unit is a metre.", MessageType.Error);
            }
            if (capture.PlanarDepth)
            {
                EditorGUILayout.HelpBox(
                    "Planar depth is drawn by the package: the pipeline's Depth Texture setting has no part in it.", MessageType.Info);
            }
            var client = capture.Client != null ? capture.Client : capture.GetComponent<DepthBridgeClient>();
            if (client == null)
            {
                EditorGUILayout.HelpBox(
                    "Frames are captured and not sent: there is no Depth Bridge Client here or in the Client field.", MessageType.Info);
            }
            else if (client.Server != null && (long)capture.Width * capture.Height > client.Server.MaxPixels)
            {
                EditorGUILayout.HelpBox(
                    "The server takes " + client.Server.MaxPixels + " pixels at most; capture smaller frames.", MessageType.Error);
            }
            if (capture.Ids == IdSource.DepthObjects && SceneComponents.Find<DepthObject>().Count == 0)
            {
                EditorGUILayout.HelpBox(
                    "Nothing is marked: add Depth Object to what shall be measured, or set Ids to Every Renderer.", MessageType.Warning);
            }
        }

        private static void DrawLive(DepthCapture capture)
        {
            EditorGUILayout.Space();
            EditorGUILayout.LabelField("Frames captured", capture.LastFrameId + ", lost by the card: " + capture.FramesLost);
            if (capture.IsWaitingForServer)
            {
                EditorGUILayout.HelpBox("Waiting for the server: the client is lossless and its queue is full.", MessageType.Info);
            }
            if (GUILayout.Button("Capture now"))
            {
                capture.RequestCapture();
            }
            Blocks.Distances(capture);
        }

        private static string Pair(double a, double b)
        {
            return Blocks.Number(a, "0.00") + ", " + Blocks.Number(b, "0.00");
        }

        private void Stop()
        {
            _reader.Dispose();
        }
    }
}
