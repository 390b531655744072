// SPDX-License-Identifier: Apache-2.0
using System.IO;
using UnityEngine;

namespace Depthbridge
{
    /// <summary>Where files go that have a relative path.</summary>
    internal static class ProjectPath
    {
        /// <summary>Beside Assets in the editor; where a game may write, in a player.</summary>
        public static string Full(string path)
        {
            var root = Application.isEditor ? Path.GetDirectoryName(Application.dataPath) : Application.persistentDataPath;
            return Path.Combine(root, path);
        }
    }
}
