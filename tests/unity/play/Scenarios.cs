// SPDX-License-Identifier: Apache-2.0
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
    public static class Scenarios
    {
        /// <summary>Capture, client, real server and overlay: the distances of some frames.</summary>
        public static void Live(JsonWriter report, Dictionary<string, string> options)
        {
            var set = new LiveSet(options);
            var answers = new List<KeyValuePair<CapturedFrame, DepthAnswer>>();
            set.Capture.OnDistances += (frame, answer) => answers.Add(new KeyValuePair<CapturedFrame, DepthAnswer>(frame, answer));
            var captured = 0;
            var arrays = new HashSet<object>();
            set.Capture.OnFrameCaptured += frame => arrays.Add(frame.Image);
            set.Capture.FrameCapturedEvent.AddListener(frame => captured += frame.Image != null && frame.Mask != null ? 1 : 0);
            set.Start();
            var wanted = int.Parse(Get(options, "answers", "3"));
            report.Name("enough").Value(Program.Until(() => answers.Count >= wanted));
            report.Name("captured").Value(captured).Name("arrays").Value(arrays.Count);
            GUI.Drawn.Clear();
            PlayerLoop.Frame(1 / 60f);
            WriteLabels(report, "labels");
            set.Capture.Trigger = CaptureTrigger.Manual;
            Program.Until(() => set.Client.Counters.Submitted == set.Client.Counters.Answered + set.Client.Counters.Dropped, 5);
            PlayerLoop.Frame(2.5f);
            GUI.Drawn.Clear();
            PlayerLoop.Frame(1 / 60f);
            WriteLabels(report, "stale_labels");
            report.Name("answers").BeginArray();
            foreach (var pair in answers)
            {
                WriteAnswer(report, pair.Key, pair.Value, set);
            }
            report.EndArray();
            WriteStage(report, set.Stage);
            report.Name("target_restored").Value(ReferenceEquals(set.Stage.Camera.targetTexture, null)); // a destroyed one equals null, too
            PlayerLoop.Exit();
            report.Name("render_textures_left").Value(RenderTexture.Alive).Name("command_buffers_left").Value(CommandBuffer.Alive);
            report.Name("readbacks_left").Value(AsyncGPUReadback.Outstanding);
        }

        /// <summary>A folder of some frames, the camera moving on; with a client if an endpoint is given.</summary>
        public static void Dataset(JsonWriter report, Dictionary<string, string> options)
        {
            var set = new LiveSet(options);
            Application.dataPath = Path.Combine(options["folder"], "Assets");
            set.Holder.SetActive(false);
            var batch = set.Holder.AddComponent<BatchDatasetCapture>();
            batch.Folder = "capture";
            batch.Frames = int.Parse(Get(options, "frames", "3"));
            batch.PlanarDepth = true;
            batch.Overwrite = Get(options, "overwrite", "no") == "yes";
            batch.SimulationStep = 0.1f;
            var measured = 0;
            batch.OnDistances += (frame, answer) => measured++;
            var times = new List<double>();
            var advances = new List<double>();
            batch.OnFrameCaptured += frame => times.Add(frame.Time);
            batch.OnFrameCaptured += frame => advances.Add(set.Dolly.AdvanceM[frame.FrameCount]);
            string finished = null;
            batch.OnFinished += folder => finished = folder;
            set.Start();
            var interrupted = options.ContainsKey("stop_after");
            Program.Until(() => finished != null || (interrupted && batch.Captured >= int.Parse(options["stop_after"])));
            report.Name("capturing").Value(batch.IsCapturing).Name("captured").Value(batch.Captured);
            if (options.ContainsKey("endpoint"))
            {
                report.Name("all_measured").Value(Program.Until(() => measured >= batch.Captured));
            }
            PlayerLoop.Exit();
            report.Name("folder").Value(batch.CurrentFolder).Name("finished").Value(finished).Name("measured").Value(measured);
            report.Name("advances").Values(advances);
            report.Name("times").Values(times);
            report.Name("capture_delta_time").Value(Time.captureDeltaTime).Name("time_scale").Value(Time.timeScale);
            WriteStage(report, set.Stage);
        }

        /// <summary>Play and Stop, again and again in one process, with the server there and gone.</summary>
        public static void Cycles(JsonWriter report, Dictionary<string, string> options)
        {
            var threads = 0;
            var longest = 0.0;
            var answered = 0;
            for (var cycle = 0; cycle < int.Parse(options["cycles"]); cycle++)
            {
                var set = new LiveSet(options);
                set.Capture.OnDistances += (frame, answer) => answered++;
                set.Start();
                var before = answered;
                if (cycle % 5 == 0)
                {
                    Program.Until(() => answered > before, 20);
                }
                else
                {
                    for (var i = 0; i < cycle % 7; i++)
                    {
                        PlayerLoop.Frame(1 / 60f);
                    }
                }
                threads = Math.Max(threads, OwnThreads());
                var clock = Stopwatch.StartNew();
                PlayerLoop.Exit();
                longest = Math.Max(longest, clock.Elapsed.TotalSeconds);
            }
            report.Name("threads_at_most").Value(threads);
            report.Name("threads_left").Value(WaitForThreads());
            report.Name("longest_stop_s").Value(longest).Name("answered").Value(answered);
            report.Name("render_textures_left").Value(RenderTexture.Alive).Name("command_buffers_left").Value(CommandBuffer.Alive);
        }

        /// <summary>A card that fails now and then, a size that changes, triggers; without a server.</summary>
        public static void Hiccups(JsonWriter report, Dictionary<string, string> options)
        {
            var set = new LiveSet(options);
            var sizes = new List<string>();
            set.Capture.OnFrameCaptured += frame => sizes.Add(frame.Width + "x" + frame.Height);
            set.Capture.OnFrameCaptured += frame => sizes.Add(frame.Image.Length + ":" + frame.Mask.Length);
            set.Capture.Trigger = CaptureTrigger.Manual;
            set.Start();
            AsyncGPUReadback.FailNext = 1;
            set.Capture.RequestCapture();
            Frames(6);
            report.Name("after_a_failure").Value(sizes.Count).Name("lost").Value(set.Capture.FramesLost);
            set.Capture.RequestCapture();
            Frames(1);
            set.Capture.Width = 64; // while the larger one is still on its way
            set.Capture.RequestCapture();
            Frames(6);
            report.Name("sizes").Value(string.Join(" ", sizes));
            var renders = set.Stage.Camera.Renders;
            set.Capture.RequestCapture();
            set.Capture.RequestCapture();
            Frames(1);
            PlayerLoop.Send(set.Capture, "LateUpdate"); // an editor that is paused draws one frame again and again
            set.Capture.RequestCapture();
            PlayerLoop.Send(set.Capture, "LateUpdate");
            report.Name("renders_in_one_frame").Value(set.Stage.Camera.Renders - renders);
            Frames(6);
            renders = set.Stage.Camera.Renders;
            set.Capture.Trigger = CaptureTrigger.EveryFrames;
            set.Capture.EveryFrames = 3;
            Frames(12);
            report.Name("every_third_of_12").Value(set.Stage.Camera.Renders - renders);
            set.Capture.Trigger = CaptureTrigger.Manual;
            Frames(6);
            renders = set.Stage.Camera.Renders;
            set.Capture.Trigger = CaptureTrigger.EveryFrames;
            set.Capture.EveryFrames = 1;
            AsyncGPUReadback.Latency = 1000;
            Frames(10);
            report.Name("under_way_at_most").Value(set.Stage.Camera.Renders - renders);
            report.Name("readbacks").Value(AsyncGPUReadback.Outstanding);
            var before = sizes.Count;
            PlayerLoop.Exit(); // waits for the card, and hands nothing out any more
            report.Name("delivered_while_stopping").Value(sizes.Count - before).Name("readbacks_left").Value(AsyncGPUReadback.Outstanding);
            report.Name("render_textures_left").Value(RenderTexture.Alive);
        }

        /// <summary>A listener switches the capture off, while other frames are on their way, and on again later.</summary>
        public static void OneFrame(JsonWriter report, Dictionary<string, string> options)
        {
            var set = new LiveSet(options);
            var captured = 0;
            set.Capture.OnFrameCaptured += frame => captured++;
            set.Capture.OnFrameCaptured += frame => set.Capture.enabled = false;
            set.Start();
            Frames(8);
            report.Name("captured").Value(captured).Name("readbacks_left").Value(AsyncGPUReadback.Outstanding);
            report.Name("render_textures_left").Value(RenderTexture.Alive).Name("command_buffers_left").Value(CommandBuffer.Alive);
            PlayerLoop.Send(set.Capture, "LateUpdate"); // some platforms' last frames
            set.Capture.enabled = true;
            Frames(8);
            report.Name("captured_again").Value(captured);
            PlayerLoop.Exit();
            report.Name("render_textures_at_exit").Value(RenderTexture.Alive);
        }

        private static void Frames(int count)
        {
            for (var i = 0; i < count; i++)
            {
                PlayerLoop.Frame(1 / 60f);
            }
        }

        /// <summary>What no depth can be measured with.</summary>
        public static void Refusals(JsonWriter report, Dictionary<string, string> options)
        {
            var set = new LiveSet(options);
            var problems = new List<string>();
            set.Capture.OnProblem += problems.Add;
            var exporter = set.Holder.AddComponent<CameraIntrinsicsExporter>();
            exporter.OnProblem += problems.Add;
            exporter.SourceCamera = set.Stage.Camera;
            set.Stage.Camera.orthographic = true;
            set.Start();
            for (var i = 0; i < 5; i++)
            {
                PlayerLoop.Frame(1 / 60f);
                report.Name("orthographic_" + i).Value(exporter.Read() == null);
            }
            set.Stage.Camera.orthographic = false;
            report.Name("recovers").Value(Program.Until(() => set.Capture.LastFrameId > 0, 2));
            set.Capture.Width = 20000;
            Frames(5);
            report.Name("left_of_a_size_that_is_refused").Value(RenderTexture.Alive);
            Resources.Root = "nowhere"; // a package that was imported in part
            set.Capture.Width = 330;
            Frames(5);
            report.Name("left_without_a_shader").Value(RenderTexture.Alive);
            report.Name("problems").BeginArray();
            problems.ForEach(each => report.Value(each));
            report.EndArray();
            PlayerLoop.Exit();
        }

        /// <summary>The intrinsics of many cameras as the exporter reads them, and as their own numbers say.</summary>
        public static void Intrinsics(JsonWriter report, Dictionary<string, string> options)
        {
            PlayerLoop.Enter();
            var holder = new GameObject("Camera");
            var camera = holder.AddComponent<Camera>();
            camera.Jitter = new Vector2(0.004f, -0.003f);
            camera.rect = new Rect(0.5f, 0, 0.5f, 1);
            var exporter = holder.AddComponent<CameraIntrinsicsExporter>();
            report.Name("cameras").BeginArray();
            foreach (var size in new[] { new Vector2(640, 360), new Vector2(512, 512), new Vector2(300, 400) })
            {
                exporter.Width = (int)size.x;
                exporter.Height = (int)size.y;
                camera.usePhysicalProperties = true;
                camera.lensShift = new Vector2(0.1f, 0.2f);
                foreach (Camera.GateFitMode fit in Enum.GetValues(typeof(Camera.GateFitMode)))
                {
                    camera.gateFit = fit;
                    var expected = PinholeIntrinsics.FromPhysical(50, 36, 24, 0.1, 0.2, (GateFit)(int)fit, exporter.Width, exporter.Height);
                    WritePair(report, fit.ToString(), exporter.Read(), expected);
                }
                camera.usePhysicalProperties = false;
                WritePair(report, "plain", exporter.Read(), PinholeIntrinsics.FromVerticalFov(60, exporter.Width, exporter.Height));
            }
            camera.aspect = 2;
            WritePair(report, "wrong aspect", exporter.Read(), PinholeIntrinsics.FromVerticalFov(60, exporter.Width, exporter.Height, 2));
            report.EndArray();
            report.Name("file").Value(exporter.ExportTo(options["file"]));
            report.Name("camera_restored").Value(ReferenceEquals(camera.targetTexture, null) && camera.rect.x == 0.5f);
            PlayerLoop.Exit();
            report.Name("render_textures_left").Value(RenderTexture.Alive);
        }

        private static void WritePair(JsonWriter report, string name, PinholeIntrinsics got, PinholeIntrinsics expected)
        {
            report.BeginObject().Name("name").Value(name).Name("got");
            got.WriteJson(report);
            report.Name("expected");
            expected.WriteJson(report);
            report.EndObject();
        }

        public static string Get(Dictionary<string, string> options, string name, string otherwise)
        {
            string value;
            return options.TryGetValue(name, out value) ? value : otherwise;
        }

        private static void WriteLabels(JsonWriter report, string name)
        {
            report.Name(name).BeginArray();
            foreach (var pair in GUI.Drawn)
            {
                report.BeginObject().Name("text").Value(pair.Value);
                report.Name("x").Value(pair.Key.x + pair.Key.width / 2).Name("y").Value(pair.Key.y + pair.Key.height / 2).EndObject();
            }
            report.EndArray();
        }

        private static void WriteAnswer(JsonWriter report, CapturedFrame frame, DepthAnswer answer, LiveSet set)
        {
            report.BeginObject().Name("frame").Value(frame.FrameId).Name("unit").Value(answer.Unit);
            report.Name("advance").Value(set.Dolly.AdvanceM[frame.FrameCount]);
            report.Name("camera_source").Value(answer.CameraSource).Name("objects").BeginArray();
            foreach (var item in answer.Objects)
            {
                var of = frame.Find(item.MaskValue);
                report.BeginObject().Name("category").Value(item.Category).Name("same").Value(of != null && of.Category == item.Category);
                report.Name("json").Value(item.Json).EndObject();
            }
            report.EndArray().EndObject();
        }

        private static void WriteStage(JsonWriter report, Stage stage)
        {
            report.Name("stage").BeginObject();
            foreach (var pair in stage.Pieces)
            {
                report.Name(pair.Key).BeginObject().Name("distance").Value(pair.Value.DistanceM);
                report.Name("width").Value(pair.Value.WidthM).Name("height").Value(pair.Value.HeightM);
                var c = pair.Value.CenterM;
                report.Name("center").Values(new double[] { c.x, c.y, c.z }).EndObject();
            }
            report.EndObject();
        }

        private static int OwnThreads()
        {
            return Directory.GetDirectories("/proc/self/task")
                .Count(each => File.ReadAllText(Path.Combine(each, "comm")).StartsWith("depthbridge", StringComparison.OrdinalIgnoreCase));
        }

        private static int WaitForThreads()
        {
            for (var i = 0; i < 100 && OwnThreads() > 0; i++)
            {
                Thread.Sleep(50);
            }
            return OwnThreads();
        }
    }
}
