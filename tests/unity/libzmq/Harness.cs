// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;

namespace Depthbridge.Tests
{
    /// <summary>
    /// One case of a transport against a peer that the caller runs: <c>harness managed|libzmq CASE ENDPOINT [NUMBERS]</c>. Prints lines
    /// <c>key=value</c>; a TransportException becomes <c>failure</c> and <c>message</c>, anything else ends the program with its trace.
    /// </summary>
    internal static class Harness
    {
        private static int Main(string[] arguments)
        {
            bool managed = arguments[0] == "managed";
            List<int> numbers = new List<int>();
            for (int i = 3; i < arguments.Length; i++)
            {
                numbers.Add(int.Parse(arguments[i], CultureInfo.InvariantCulture));
            }
            Func<TransportLimits, ITransport> make = limits => new LibzmqTransport(limits);
            TransportCases cases = new TransportCases(managed ? limits => new ZmtpTransport(limits) : make, arguments[2], numbers);
            Say("threads_before", Threads());
            Stopwatch clock = Stopwatch.StartNew();
            try
            {
                cases.Run(arguments[1]);
                Say("failure", "none");
            }
            catch (TransportException problem)
            {
                Say("failure", problem.Failure);
                Say("message", problem.Message);
            }
            Say("total_ms", clock.ElapsedMilliseconds);
            Say("threads_after", Threads());
            Say("peak_mib", StatusMib("VmHWM:"));
            Say("peak_virtual_mib", StatusMib("VmPeak:"));
            return 0;
        }

        internal static void Say(string key, object value)
        {
            Console.WriteLine(string.Format(CultureInfo.InvariantCulture, "{0}={1}", key, value));
            Console.Out.Flush();
        }

        /// <summary>Threads of this process, the runtime's own included.</summary>
        internal static int Threads()
        {
            return Directory.GetDirectories("/proc/self/task").Length;
        }

        private static int StatusMib(string key)
        {
            foreach (string line in File.ReadAllLines("/proc/self/status"))
            {
                if (line.StartsWith(key, StringComparison.Ordinal))
                {
                    return int.Parse(line.Substring(key.Length).Replace("kB", "").Trim(), CultureInfo.InvariantCulture) / 1024;
                }
            }
            return -1;
        }
    }
}
