// SPDX-License-Identifier: Apache-2.0
// Plays the shipped samples through the lifecycle of a player, and tells what came of it as one JSON document on the standard output.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Reflection;
using System.Threading;
using Depthbridge;
using Depthbridge.Samples;
using StubUnity;
using UnityEngine;
using UnityEngine.Rendering;
using Debug = UnityEngine.Debug;

namespace PlaySamples
{
    public static class Program
    {
        public static int Main(string[] arguments)
        {
            Resources.Root = arguments[1];
            var options = arguments.Skip(2).Select(each => each.Split(new[] { '=' }, 2)).ToDictionary(each => each[0], each => each[1]);
            var report = new JsonWriter().BeginObject();
            PlayerLoop.Enter();
            switch (arguments[0])
            {
                case "SelfTest":
                    Test(report, options);
                    break;
                case "Boxes":
                    Boxes(report, options);
                    break;
                default:
                    Dataset(report, options);
                    break;
            }
            PlayerLoop.Exit();
            report.Name("render_textures_left").Value(RenderTexture.Alive).Name("command_buffers_left").Value(CommandBuffer.Alive);
            report.Name("log").BeginArray();
            foreach (var line in Debug.Lines)
            {
                report.Value(line);
            }
            Console.WriteLine(report.EndArray().EndObject().ToString());
            return 0;
        }

        private static void Test(JsonWriter report, Dictionary<string, string> options)
        {
            SystemInfo.supportsAsyncGPUReadback = !options.ContainsKey("sync");
            QualitySettings.activeColorSpace = options.ContainsKey("gamma") ? ColorSpace.Gamma : ColorSpace.Linear;
            if (options.ContainsKey("four"))
            {
                SystemInfo.Missing.Add(RenderTextureFormat.RG16);
            }
            var test = new GameObject("test").AddComponent<SelfTest>();
            var finished = 0;
            test.Finished += table => finished++;
            Until(() => test.IsDone);
            PlayerLoop.Frame(1 / 60f);
            var roots = new List<GameObject>();
            PlayerLoop.MainScene.GetRootGameObjects(roots);
            var tidy = roots.Count == 1 && test.GetComponent<DepthCapture>() == null;
            report.Name("tidy").Value(tidy).Name("targets").Value(RenderTexture.Alive);
            report.Name("finished").Value(finished).Name("passed").Value(test.Report.Passed).Name("text").Value(test.Report.ToString());
            report.Name("shown").Value(GUI.Drawn.Count > 0 ? GUI.Drawn[GUI.Drawn.Count - 1].Value : "").Name("lines").BeginArray();
            foreach (var line in test.Report.Lines)
            {
                report.BeginObject().Name("check").Value(line.Check).Name("verdict").Value(line.Verdict.ToString());
                report.Name("found").Value(line.Found).Name("remedy").Value(line.Remedy).EndObject();
            }
            report.EndArray();
        }

        private static void Boxes(JsonWriter report, Dictionary<string, string> options)
        {
            var sample = Build(options["endpoint"]);
            var capture = sample.Camera.GetComponent<DepthCapture>();
            Until(() => capture.LastAnswer != null);
            PlayerLoop.Frame(1 / 60f);
            report.Name("objects").BeginArray();
            foreach (var mark in sample.Objects)
            {
                report.BeginObject().Name("category").Value(mark.Category).Name("has_parent").Value(mark.Parent != null).EndObject();
            }
            report.EndArray().Name("answers").BeginArray();
            foreach (var item in capture.LastAnswer.Objects)
            {
                report.BeginObject().Name("category").Value(item.Category).Name("pixels").Value(item.PixelCount);
                report.Name("median").Value(item.Distance != null ? item.Distance.Median : 0).EndObject();
            }
            report.EndArray().Name("labels").BeginArray();
            foreach (var drawn in GUI.Drawn)
            {
                report.Value(drawn.Value);
            }
            report.EndArray();
        }

        private static void Dataset(JsonWriter report, Dictionary<string, string> options)
        {
            Application.dataPath = options["project"] + "/Assets";
            var sample = Build("tcp://127.0.0.1:9");
            var poses = sample.gameObject.AddComponent<RandomPoses>();
            poses.GetType().GetField("_frames", Any).SetValue(poses, int.Parse(options["frames"]));
            PlayerLoop.Frame(1 / 60f);
            Until(() => !poses.Dataset.IsCapturing);
            report.Name("folder").Value(poses.Dataset.CurrentFolder).Name("captured").Value(poses.Dataset.Captured);
        }

        private const BindingFlags Any = BindingFlags.Instance | BindingFlags.NonPublic;

        private static BoxesOnCubes Build(string endpoint)
        {
            var holder = new GameObject("sample");
            holder.SetActive(false);
            var sample = holder.AddComponent<BoxesOnCubes>();
            sample.GetType().GetField("_endpoint", Any).SetValue(sample, endpoint);
            holder.SetActive(true);
            return sample;
        }

        /// <summary>Frames of a sixtieth second; an exception after that many seconds of a wall clock.</summary>
        private static void Until(Func<bool> condition, double seconds = 120)
        {
            var clock = Stopwatch.StartNew();
            while (!condition())
            {
                if (clock.Elapsed.TotalSeconds > seconds)
                {
                    throw new TimeoutException(string.Join("\n", Debug.Lines.ToArray()));
                }
                PlayerLoop.Frame(1 / 60f);
                Thread.Sleep(1);
            }
        }
    }
}
