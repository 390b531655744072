// SPDX-License-Identifier: Apache-2.0
using System;
using System.Globalization;

namespace Depthbridge.Editor
{
    /// <summary>The command lines that belong to what is set in the Inspector.</summary>
    internal static class ServerCommand
    {
        private const int UsualPort = 5577;

        /// <summary>Starts the server that a client looks for; null when the endpoint is none.</summary>
        public static string Serve(string endpoint, bool hasToken)
        {
            Uri uri;
            if (!TryParse(endpoint, out uri))
            {
                return null;
            }
            var command = "depthbridge serve";
            if (!uri.IsLoopback || uri.Port != UsualPort)
            {
                var address = !uri.IsLoopback ? "0.0.0.0" : uri.HostNameType == UriHostNameType.IPv6 ? "[::1]" : "127.0.0.1";
                command += " --bind tcp://" + address + ":" + uri.Port.ToString(CultureInfo.InvariantCulture);
            }
            return !uri.IsLoopback || hasToken ? command + " --token-file token.txt" : command;
        }

        /// <summary>Where that command is to be run, and what belongs to it.</summary>
        public static string Where(string endpoint, bool hasToken)
        {
            Uri uri;
            if (!TryParse(endpoint, out uri))
            {
                return "The endpoint must read tcp://host:port, such as tcp://127.0.0.1:5577.";
            }
            var where = uri.IsLoopback ? "Start the server on this machine:" : "Start the server on " + uri.Host + ":";
            return !uri.IsLoopback || hasToken ? where + " (the first line of token.txt is the client's Token)" : where;
        }

        /// <summary>Measures a captured folder.</summary>
        public static string Annotate(string folder)
        {
            return "depthbridge annotate \"" + folder + "\" --out \"" + folder + "_annotated\" --report";
        }

        private static bool TryParse(string endpoint, out Uri uri)
        {
            return Uri.TryCreate(endpoint, UriKind.Absolute, out uri) && uri.Scheme == "tcp" && uri.Port > 0 && uri.Host.Length > 0;
        }
    }
}
