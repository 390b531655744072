// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Threading;
using Depthbridge;

/// <summary>A session that is driven by JSON lines: commands come in, events and replies go out, one object a line.</summary>
internal static class SessionTool
{
    private static readonly object Gate = new object();
    private static readonly Dictionary<long, int> Releases = new Dictionary<long, int>();
    private static BridgeSession session;
    private static volatile bool ended;

    private static int Main()
    {
        // A culture whose decimal separator is a comma, as on half of the world's machines.
        Thread.CurrentThread.CurrentCulture = new CultureInfo("de-DE");
        CultureInfo.DefaultThreadCurrentCulture = new CultureInfo("de-DE");
        var pump = new Thread(Pump) { IsBackground = true };
        pump.Start();
        string line;
        while ((line = Console.In.ReadLine()) != null)
        {
            try
            {
                Do(JsonReader.Read(line));
            }
            catch (Exception error)
            {
                Say(w => w.Name("reply").Value("error").Name("type").Value(error.GetType().Name).Name("message").Value(error.Message));
            }
        }
        // No thread may outlive Main: mono's shutdown races with background threads, and one that throws meanwhile aborts the process.
        if (session != null)
        {
            session.Stop();
        }
        ended = true;
        pump.Join();
        return 0;
    }

    private static void Do(JsonValue command)
    {
        switch (command.Need("do").AsText())
        {
            case "make":
                session = new BridgeSession(Options(command));
                Say(w => w.Name("reply").Value("made"));
                break;
            case "start":
                session.Start();
                Say(w => w.Name("reply").Value("started"));
                break;
            case "stop":
                var clock = Stopwatch.StartNew();
                session.Stop();
                Say(w => w.Name("reply").Value("stopped").Name("ms").Value(clock.Elapsed.TotalMilliseconds));
                break;
            case "submit":
                var outcome = session.Submit(Request(command));
                Say(w => w.Name("reply").Value("submitted").Name("outcome").Value(outcome.ToString()));
                break;
            case "state":
                Say(State);
                break;
            case "test":
                var report = ConnectionTest.Run(Options(command));
                Say(w => w.Name("reply").Value("tested").Name("ok").Value(report.Ok).Name("sentence").Value(report.Sentence)
                    .Name("code").Value(report.Error != null ? report.Error.Code : null).Name("round_trip_ms").Value(report.RoundTripMs));
                break;
            default:
                throw new ArgumentException("no such command");
        }
    }

    private static void State(JsonWriter w)
    {
        var counters = session.Counters;
        w.Name("reply").Value("state").Name("state").Value(session.State.ToString()).Name("status").Value(session.Status);
        w.Name("threads").Value(Threads());
        w.Name("submitted").Value(counters.Submitted).Name("sent").Value(counters.Sent).Name("answered").Value(counters.Answered);
        w.Name("failed").Value(counters.Failed).Name("timed_out").Value(counters.TimedOut).Name("dropped").Value(counters.Dropped);
        w.Name("stale").Value(counters.Stale).Name("reconnects").Value(counters.Reconnects);
        w.Name("releases").BeginObject();
        lock (Releases)
        {
            foreach (var pair in Releases)
            {
                w.Name(pair.Key.ToString(CultureInfo.InvariantCulture)).Value(pair.Value);
            }
        }
        w.EndObject();
    }

    /// <summary>How many threads of the package's there are; by name, as mono has some of its own that come and go.</summary>
    private static int Threads()
    {
        var count = 0;
        foreach (var task in Directory.GetDirectories("/proc/self/task"))
        {
            try
            {
                count += File.ReadAllText(Path.Combine(task, "comm")).StartsWith("Depthbridge", StringComparison.Ordinal) ? 1 : 0;
            }
            catch (IOException)
            {
                continue; // it has just ended
            }
        }
        return count;
    }

    private static SessionOptions Options(JsonValue command)
    {
        var options = new SessionOptions { Endpoint = command.Need("endpoint").AsText() };
        options.Flow = command["flow"] != null ? (FlowMode)Enum.Parse(typeof(FlowMode), command["flow"].AsText()) : FlowMode.LatestWins;
        options.Token = command["token"] != null ? command["token"].AsText() : "";
        options.MaxInFlight = Int(command, "max_in_flight", options.MaxInFlight);
        options.QueueCapacity = Int(command, "queue", options.QueueCapacity);
        options.ConnectTimeoutMs = Int(command, "connect_ms", options.ConnectTimeoutMs);
        options.RequestTimeoutMs = Int(command, "request_ms", options.RequestTimeoutMs);
        options.ReconnectMinMs = Int(command, "reconnect_min_ms", options.ReconnectMinMs);
        options.ReconnectMaxMs = Int(command, "reconnect_max_ms", options.ReconnectMaxMs);
        return options;
    }

    private static DepthRequest Request(JsonValue command)
    {
        var request = new DepthRequest { FrameId = command.Need("frame").AsLong(), Image = Payload(command.Need("image")) };
        request.WantObjects = command["mask"] != null;
        request.Mask = request.WantObjects ? Payload(command["mask"]) : null;
        request.WantDepth = Bool(command, "depth");
        request.HalfDepth = Bool(command, "half");
        request.WantOverlay = Bool(command, "overlay");
        request.DeadlineMs = Int(command, "deadline_ms", 0);
        request.Model = Text(command, "model");
        if (command["projection"] != null)
        {
            request.Camera = PinholeIntrinsics.FromProjection(Doubles(command["projection"]), request.Image.Width, request.Image.Height);
        }
        if (command["world_to_camera"] != null)
        {
            request.Extrinsics = WorldToCamera.FromUnity(Doubles(command["world_to_camera"]));
        }
        if (command["objects"] != null)
        {
            request.Objects = new List<RequestObject>();
            foreach (var item in command["objects"].Items)
            {
                request.Objects.Add(Object(item));
            }
        }
        request.Release = () => Released(request.FrameId);
        return request;
    }

    private static RequestObject Object(JsonValue item)
    {
        return new RequestObject
        {
            MaskValue = Int(item, "mask_value", 0),
            Id = Text(item, "id"),
            Category = Text(item, "category"),
            ParentId = Text(item, "parent_id"),
            Bbox = item["bbox"] != null ? Array.ConvertAll(Doubles(item["bbox"]), edge => (int)edge) : null,
            KnownDistanceM = item["known_distance_m"] != null ? item["known_distance_m"].AsDouble() : (double?)null
        };
    }

    private static FramePayload Payload(JsonValue json)
    {
        var bytes = json["path"] != null ? File.ReadAllBytes(json["path"].AsText()) : new byte[Int(json, "bytes", 0)];
        return new FramePayload
        {
            Encoding = Text(json, "encoding") ?? "raw",
            DType = Text(json, "dtype") ?? "u8",
            Channels = Int(json, "channels", 1),
            Order = Text(json, "order") ?? "rgb",
            Width = Int(json, "width", 0),
            Height = Int(json, "height", 0),
            Origin = Text(json, "origin") == "top_left" ? RowOrigin.TopLeft : RowOrigin.BottomLeft,
            Bytes = new ArraySegment<byte>(bytes),
            ColourIds = Bool(json, "colour_ids")
        };
    }

    private static void Released(long frame)
    {
        lock (Releases)
        {
            int count;
            Releases.TryGetValue(frame, out count);
            Releases[frame] = count + 1;
        }
    }

    private static void Pump()
    {
        while (!ended)
        {
            SessionEvent next;
            var current = session;
            if (current == null || !current.TryTake(out next))
            {
                Thread.Sleep(1);
                continue;
            }
            Say(w => Event(w, next));
        }
    }

    private static void Event(JsonWriter w, SessionEvent item)
    {
        w.Name("event").Value(item.Kind.ToString()).Name("state").Value(item.State.ToString());
        if (item.Request != null)
        {
            w.Name("frame").Value(item.Request.FrameId);
        }
        if (item.Error != null)
        {
            w.Name("code").Value(item.Error.Code).Name("message").Value(item.Error.Message).Name("retryable").Value(item.Error.Retryable);
        }
        if (item.Answer != null)
        {
            Answer(w, item.Answer);
            w.Name("round_trip_ms").Value(item.RoundTripMs);
        }
    }

    private static void Answer(JsonWriter w, DepthAnswer answer)
    {
        w.Name("unit").Value(answer.Unit).Name("kind").Value(answer.Kind).Name("model").Value(answer.Model);
        w.Name("flip").Value(answer.MaskFlipSuspected.HasValue ? answer.MaskFlipSuspected.Value.ToString() : null);
        w.Name("objects").BeginArray();
        foreach (var item in answer.Objects)
        {
            w.BeginObject().Name("id").Value(item.Id).Name("mask_value").Value(item.MaskValue).Name("category").Value(item.Category);
            w.Name("parent_id").Value(item.ParentId).Name("pixels").Value(item.PixelCount).Name("reason").Value(item.Reason);
            Spread(w, "distance", item.Distance);
            Spread(w, "range", item.Range);
            Point(w, "position", item.Position);
            Point(w, "world", item.PositionWorld);
            if (item.CenterPx != null)
            {
                w.Name("center_px").Values(item.CenterPx);
            }
            w.EndObject();
        }
        w.EndArray();
        w.Name("depth").Value(answer.Depth != null ? Floats(answer.Depth) : null);
        w.Name("valid").Value(answer.Valid != null ? Convert.ToBase64String(answer.Valid) : null);
        w.Name("overlay").Value(answer.Overlay != null ? Convert.ToBase64String(answer.Overlay) : null);
        w.Name("overlay_encoding").Value(answer.OverlayEncoding);
    }

    private static string Floats(float[] values)
    {
        var bytes = new byte[4 * values.Length];
        Buffer.BlockCopy(values, 0, bytes, 0, bytes.Length);
        return Convert.ToBase64String(bytes);
    }

    private static void Spread(JsonWriter w, string name, Spread spread)
    {
        if (spread != null)
        {
            w.Name(name).Values(new[] { spread.Center, spread.Mean, spread.Median, spread.Min, spread.Max });
        }
    }

    private static void Point(JsonWriter w, string name, Point3? point)
    {
        if (point.HasValue)
        {
            w.Name(name).Values(new[] { point.Value.X, point.Value.Y, point.Value.Z });
        }
    }

    private static double[] Doubles(JsonValue json)
    {
        var values = new List<double>();
        foreach (var item in json.Items)
        {
            values.Add(item.AsDouble());
        }
        return values.ToArray();
    }

    private static int Int(JsonValue json, string name, int other)
    {
        return json[name] != null ? json[name].AsInt() : other;
    }

    private static string Text(JsonValue json, string name)
    {
        return json[name] != null ? json[name].AsText() : null;
    }

    private static bool Bool(JsonValue json, string name)
    {
        return json[name] != null && json[name].AsBool();
    }

    private static void Say(Action<JsonWriter> write)
    {
        var writer = new JsonWriter().BeginObject();
        write(writer);
        var line = writer.EndObject().ToString();
        lock (Gate)
        {
            Console.Out.WriteLine(line);
            Console.Out.Flush();
        }
    }
}
