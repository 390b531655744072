// SPDX-License-Identifier: Apache-2.0
using System;
using UnityEditor;

namespace Depthbridge.Editor
{
    /// <summary>Calls a Stop before scripts are reloaded and whenever play mode begins or ends: whatever runs must not outlive either.</summary>
    internal sealed class StopSignal
    {
        private readonly Action _stop;

        public StopSignal(Action stop)
        {
            _stop = stop;
        }

        /// <summary>From OnEnable.</summary>
        public void Listen()
        {
            AssemblyReloadEvents.beforeAssemblyReload += Reloading;
            EditorApplication.playModeStateChanged += PlayModeChanged;
        }

        /// <summary>From OnDisable; stops, too.</summary>
        public void End()
        {
            AssemblyReloadEvents.beforeAssemblyReload -= Reloading;
            EditorApplication.playModeStateChanged -= PlayModeChanged;
            _stop();
        }

        private void Reloading()
        {
            _stop();
        }

        private void PlayModeChanged(PlayModeStateChange change)
        {
            _stop();
        }
    }
}
