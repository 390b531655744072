// SPDX-License-Identifier: Apache-2.0
using UnityEditor;
using UnityEngine;

namespace Depthbridge.Editor
{
    /// <summary>The Inspector of a component: its settings, and below them, of a single one, what the derived class draws.</summary>
    internal abstract class SettingsEditor : UnityEditor.Editor
    {
        public override bool RequiresConstantRepaint()
        {
            return Application.isPlaying;
        }

        public sealed override void OnInspectorGUI()
        {
            serializedObject.Update();
            DrawPropertiesExcluding(serializedObject, "m_Script");
            serializedObject.ApplyModifiedProperties();
            if (!serializedObject.isEditingMultipleObjects)
            {
                EditorGUILayout.Space();
                DrawMore();
            }
        }

        /// <summary>What is not a setting.</summary>
        protected abstract void DrawMore();
    }
}
