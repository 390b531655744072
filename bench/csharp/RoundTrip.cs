// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Threading;
using Depthbridge;

/// <summary>
/// <c>RoundTrip.exe ENDPOINT WIDTH HEIGHT OBJECTS</c>: a session of the package's. Each line of input asks for one frame; the line of output is
/// how many milliseconds went by from Submit until its answer, read and decoded, was taken.
/// </summary>
internal static class RoundTrip
{
    private static readonly ManualResetEvent Ended = new ManualResetEvent(false);

    private static int Main(string[] arguments)
    {
        int width = int.Parse(arguments[1], CultureInfo.InvariantCulture);
        int height = int.Parse(arguments[2], CultureInfo.InvariantCulture);
        int objects = int.Parse(arguments[3], CultureInfo.InvariantCulture);
        DepthRequest request = Request(width, height, objects);
        SessionOptions options = new SessionOptions { Endpoint = arguments[0], Flow = FlowMode.Lossless };
        using (BridgeSession session = new BridgeSession(options))
        {
            session.Start();
            while (session.State != SessionState.Ready)
            {
                Thread.Sleep(10);
            }
            Say("ready");
            while (Console.In.ReadLine() != null)
            {
                Say(Once(session, request));
            }
        }
        return 0;
    }

    private static string Once(BridgeSession session, DepthRequest request)
    {
        Ended.Reset();
        Stopwatch clock = Stopwatch.StartNew();
        SubmitOutcome outcome = session.Submit(request);
        if (outcome != SubmitOutcome.Queued)
        {
            return outcome.ToString();
        }
        SessionEvent next;
        do
        {
            Ended.WaitOne(30000); // set by Release, which follows the event
            while (session.TryTake(out next) && next.Request == null)
            {
                // changes of state
            }
        }
        while (next == null && clock.ElapsedMilliseconds < 30000);
        double took = clock.Elapsed.TotalMilliseconds;
        bool answered = next != null && next.Kind == SessionEventKind.Answered;
        return answered ? took.ToString("0.000", CultureInfo.InvariantCulture) : next != null ? next.Error.ToString() : "no answer";
    }

    private static DepthRequest Request(int width, int height, int objects)
    {
        byte[] rgba = new byte[4 * width * height];
        byte[] mask = new byte[2 * width * height];
        new Random(1).NextBytes(rgba);
        DepthRequest request = new DepthRequest
        {
            Image = FramePayload.Rgba(rgba, width, height),
            Mask = FramePayload.Mask16(mask, width, height),
            Camera = PinholeIntrinsics.FromVerticalFov(60, width, height),
            Objects = new List<RequestObject>(),
            Release = () => Ended.Set()
        };
        for (int number = 1; number <= objects; number++)
        {
            request.Objects.Add(new RequestObject { MaskValue = number, Category = "box" });
        }
        return request;
    }

    private static void Say(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }
}
