// SPDX-License-Identifier: Apache-2.0
using System;
using System.Globalization;
using System.Text;
using System.Threading;
using Depthbridge;

/// <summary>
/// Answers line by line: "json BASE64" with the same document written again, "projection BASE64 W H" with fx fy cx cy, as doubles.
/// </summary>
internal static class CoreTool
{
    private static int Main()
    {
        // A culture whose decimal separator is a comma, as on half of the world's machines.
        Thread.CurrentThread.CurrentCulture = new CultureInfo("de-DE");
        string line;
        while ((line = Console.In.ReadLine()) != null)
        {
            string answer;
            try
            {
                answer = "ok " + Convert.ToBase64String(Do(line.Split(' ')));
            }
            catch (DepthbridgeException error)
            {
                answer = "no " + Convert.ToBase64String(Encoding.UTF8.GetBytes(error.Message));
            }
            Console.Out.WriteLine(answer);
            Console.Out.Flush();
        }
        return 0;
    }

    private static byte[] Do(string[] words)
    {
        var bytes = Convert.FromBase64String(words[1]);
        if (words[0] == "json")
        {
            return new JsonWriter().Value(JsonReader.Read(bytes)).ToBytes();
        }
        var camera = PinholeIntrinsics.FromProjection(Doubles(bytes), int.Parse(words[2]), int.Parse(words[3]));
        var answer = new[] { camera.Fx, camera.Fy, camera.Cx, camera.Cy };
        var raw = new byte[32];
        Buffer.BlockCopy(answer, 0, raw, 0, 32);
        return raw;
    }

    private static double[] Doubles(byte[] bytes)
    {
        var values = new double[bytes.Length / 8];
        Buffer.BlockCopy(bytes, 0, values, 0, 8 * values.Length);
        return values;
    }
}
