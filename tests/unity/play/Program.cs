// SPDX-License-Identifier: Apache-2.0
// Plays the shipped components through the lifecycle of a player, and tells what came of it as one JSON document on the standard output.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using Depthbridge;
using StubUnity;
using UnityEngine;
using UnityEngine.Rendering;
using Debug = UnityEngine.Debug;

namespace Play
{
    public static class Program
    {
        public static int Main(string[] arguments)
        {
            Resources.Root = arguments[1];
            var options = arguments.Skip(2).Select(each => each.Split(new[] { '=' }, 2)).ToDictionary(each => each[0], each => each[1]);
            var scenario = (Action<JsonWriter, Dictionary<string, string>>)Delegate.CreateDelegate(
                typeof(Action<JsonWriter, Dictionary<string, string>>), typeof(Scenarios), arguments[0]);
            var report = new JsonWriter().BeginObject();
            scenario(report, options);
            report.Name("log").BeginArray();
            foreach (var line in Debug.Lines)
            {
                report.Value(line);
            }
            report.EndArray().EndObject();
            Console.WriteLine(report.ToString());
            return 0;
        }

        /// <summary>Frames of a sixtieth second until the condition holds; false after that many seconds of a wall clock.</summary>
        public static bool Until(Func<bool> condition, double seconds = 30)
        {
            var clock = Stopwatch.StartNew();
            while (!condition())
            {
                if (clock.Elapsed.TotalSeconds > seconds)
                {
                    return false;
                }
                PlayerLoop.Frame(1 / 60f);
                Thread.Sleep(2);
            }
            return true;
        }
    }
}
