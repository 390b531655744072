// SPDX-License-Identifier: Apache-2.0
using System.IO;
using UnityEditor;
using UnityEngine;

namespace Depthbridge.Editor
{
    /// <summary>The Inspector of a dataset capture: settings, where it goes, how far it is, and how to go on.</summary>
    [CustomEditor(typeof(BatchDatasetCapture))]
    [CanEditMultipleObjects]
    internal sealed class DatasetEditor : SettingsEditor
    {
        protected override void DrawMore()
        {
            var dataset = (BatchDatasetCapture)target;
            var folder = FolderOf(dataset);
            EditorGUILayout.LabelField("Goes to", folder);
            DrawProgress(dataset);
            DrawButtons(dataset, folder);
            EditorGUILayout.LabelField("When it is complete, measure it:");
            Blocks.Command(ServerCommand.Annotate(folder));
        }

        /// <summary>Of the capture that runs or ran last; else where the next one wants to go.</summary>
        private static string FolderOf(BatchDatasetCapture dataset)
        {
            if (dataset.CurrentFolder != null)
            {
                return dataset.CurrentFolder;
            }
            return Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Application.dataPath), dataset.Folder ?? ""));
        }

        private static void DrawProgress(BatchDatasetCapture dataset)
        {
            if (!Application.isPlaying || dataset.CurrentFolder == null)
            {
                return;
            }
            var state = dataset.IsCapturing ? "capturing: " : "complete: ";
            if (dataset.Frames > 0)
            {
                var text = state + dataset.Captured + " of " + dataset.Frames;
                EditorGUI.ProgressBar(EditorGUILayout.GetControlRect(), (float)dataset.Captured / dataset.Frames, text);
            }
            else
            {
                EditorGUILayout.LabelField("Frames", state + dataset.Captured);
            }
        }

        private static void DrawButtons(BatchDatasetCapture dataset, string folder)
        {
            using (new EditorGUILayout.HorizontalScope())
            {
                using (new EditorGUI.DisabledScope(!Application.isPlaying))
                {
                    if (GUILayout.Button(dataset.IsCapturing ? "End" : "Begin"))
                    {
                        Toggle(dataset);
                    }
                }
                using (new EditorGUI.DisabledScope(!Directory.Exists(folder)))
                {
                    if (GUILayout.Button("Open folder"))
                    {
                        EditorUtility.RevealInFinder(folder);
                    }
                }
            }
        }

        private static void Toggle(BatchDatasetCapture dataset)
        {
            if (dataset.IsCapturing)
            {
                dataset.End();
            }
            else
            {
                dataset.Begin();
            }
        }
    }
}
