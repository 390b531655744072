// SPDX-License-Identifier: Apache-2.0
using System.Globalization;
using UnityEditor;
using UnityEngine;

namespace Depthbridge.Editor
{
    /// <summary>What several Inspectors and the status window draw alike.</summary>
    internal static class Blocks
    {
        /// <summary>A command line, with a button that copies it.</summary>
        public static void Command(string command)
        {
            using (new EditorGUILayout.HorizontalScope())
            {
                EditorGUILayout.SelectableLabel(command, GUILayout.Height(EditorGUIUtility.singleLineHeight));
                if (GUILayout.Button("Copy", GUILayout.Width(50)))
                {
                    EditorGUIUtility.systemCopyBuffer = command;
                }
            }
        }

        /// <summary>What a client is doing; in play mode.</summary>
        public static void Connection(DepthBridgeClient client)
        {
            EditorGUILayout.LabelField("State", client.State.ToString());
            EditorGUILayout.HelpBox(client.Status, Kind(client.State));
            var server = client.Server;
            if (server != null)
            {
                EditorGUILayout.LabelField("Server", "depthbridge " + server.ServerVersion + ", protocol " + server.Protocol);
                EditorGUILayout.LabelField("Model", server.Model + " (" + server.Kind + ")");
            }
            var counters = client.Counters;
            if (counters != null)
            {
                EditorGUILayout.LabelField("Round trip", Number(client.LastRoundTripMs, "0.0") + " ms");
                EditorGUILayout.LabelField(
                    "Frames", counters.Submitted + " taken, " + counters.Answered + " answered, " + counters.Dropped + " left out, " +
                    counters.Failed + " failed (" + counters.TimedOut + " of them timed out)");
                EditorGUILayout.LabelField("Reconnects", counters.Reconnects.ToString(CultureInfo.InvariantCulture));
            }
        }

        /// <summary>The distances of the last answer.</summary>
        public static void Distances(DepthCapture capture)
        {
            var answer = capture.LastAnswer;
            if (answer == null)
            {
                EditorGUILayout.LabelField("Last answer", "none yet");
                return;
            }
            var frame = capture.LastMeasuredFrame.FrameId;
            EditorGUILayout.LabelField("Last answer", "frame " + frame + ", " + answer.Objects.Count + " objects");
            foreach (var item in answer.Objects)
            {
                var name = item.Category + " (" + item.Id + ")";
                var unit = answer.Unit == "m" ? " m" : " (relative)";
                var found = item.Distance != null ? Number(item.Distance.Median, "0.00") + unit : item.Reason ?? "no distance";
                EditorGUILayout.LabelField(name, found);
            }
        }

        /// <summary>A number as everywhere.</summary>
        public static string Number(double value, string format)
        {
            return value.ToString(format, CultureInfo.InvariantCulture);
        }

        private static MessageType Kind(SessionState state)
        {
            switch (state)
            {
                case SessionState.Refused:
                    return MessageType.Error;
                case SessionState.Waiting:
                    return MessageType.Warning;
                default:
                    return MessageType.Info;
            }
        }
    }
}
