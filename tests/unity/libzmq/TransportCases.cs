// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Text;
using System.Threading;

namespace Depthbridge.Tests
{
    /// <summary>What a transport is made to do against a real peer; the peer's side and the judgement are the caller's.</summary>
    internal sealed class TransportCases
    {
        private const int PatienceMs = 30000;

        private readonly Func<TransportLimits, ITransport> _make;
        private readonly string _endpoint;
        private readonly List<int> _numbers;

        internal TransportCases(Func<TransportLimits, ITransport> make, string endpoint, List<int> numbers)
        {
            _make = make;
            _endpoint = endpoint;
            _numbers = numbers;
        }

        internal void Run(string name)
        {
            switch (name)
            {
                case "connect": Connect(); break;
                case "echo": Echo(); break;
                case "frames": Frames(); break;
                case "cycles": Cycles(); break;
                case "stream": Stream(); break;
                case "pause": Pause(); break;
                case "senders": Senders(); break;
                case "receive": ReceiveAll(); break;
                case "stuck": Stuck(); break;
                case "bench": Bench(); break;
                default: throw new ArgumentException("no case " + name);
            }
        }

        private ITransport Open(TransportLimits limits = null, int timeoutMs = PatienceMs)
        {
            ITransport transport = _make(limits);
            transport.Connect(_endpoint, timeoutMs);
            return transport;
        }

        /// <summary>Numbers: limit in ms.</summary>
        private void Connect()
        {
            using (ITransport transport = Open(null, _numbers[0]))
            {
                Harness.Say("connected", true);
            }
        }

        /// <summary>Numbers: sizes. An echo server gives each frame back.</summary>
        private void Echo()
        {
            using (ITransport transport = Open())
            {
                foreach (int size in _numbers)
                {
                    byte[] body = Pattern(size, size);
                    byte[] padded = new byte[size + 7];
                    Buffer.BlockCopy(body, 0, padded, 3, size); // a segment that is not the whole array
                    transport.Send(Message(Encoding.ASCII.GetBytes("id" + size), new ArraySegment<byte>(padded, 3, size), new byte[0]));
                    IList<byte[]> back = Expect(transport);
                    Check(back.Count == 3 && Same(back[1], body) && back[2].Length == 0, "echo of " + size);
                    Harness.Say("echo", size);
                }
            }
        }

        /// <summary>Numbers: frames of a message, size of each.</summary>
        private void Frames()
        {
            using (ITransport transport = Open(new TransportLimits { MaxFrames = _numbers[0] }))
            {
                List<ArraySegment<byte>> message = new List<ArraySegment<byte>>();
                for (int i = 0; i < _numbers[0]; i++)
                {
                    message.Add(new ArraySegment<byte>(Pattern(_numbers[1] * (i % 3), i)));
                }
                transport.Send(message);
                IList<byte[]> back = Expect(transport);
                Check(back.Count == message.Count, "count of frames");
                for (int i = 0; i < back.Count; i++)
                {
                    Check(Same(back[i], message[i].Array), "frame " + i);
                }
                Harness.Say("frames", back.Count);
            }
        }

        /// <summary>Numbers: how often. Play and Stop: a round trip, a thread that waits in Receive, Close from another.</summary>
        private void Cycles()
        {
            long worst = 0;
            for (int i = 0; i < _numbers[0]; i++)
            {
                ITransport transport = Open();
                transport.Send(Message(new byte[] { 1 }));
                Expect(transport);
                Thread waiting = new Thread(() => Swallow(() => transport.Receive(-1)));
                waiting.Start();
                Thread.Sleep(5);
                Stopwatch clock = Stopwatch.StartNew();
                transport.Close();
                Check(waiting.Join(5000), "Receive did not wake");
                worst = Math.Max(worst, clock.ElapsedMilliseconds);
                transport.Close();
                if (i == 4)
                {
                    Harness.Say("threads_early", Harness.Threads());
                }
            }
            Harness.Say("worst_stop_ms", worst);
        }

        /// <summary>Numbers: round trips to make in all. Makes a new connection whenever one ends, until all are made.</summary>
        private void Stream()
        {
            int made = 0;
            int lost = 0;
            Stopwatch clock = Stopwatch.StartNew();
            while (made < _numbers[0] && clock.ElapsedMilliseconds < 60000)
            {
                try
                {
                    using (ITransport transport = Open(null, 1000))
                    {
                        Harness.Say("connected", made);
                        while (made < _numbers[0])
                        {
                            transport.Send(Message(BitConverter.GetBytes(made), Pattern(100000, made)));
                            IList<byte[]> back = Expect(transport);
                            Check(BitConverter.ToInt32(back[0], 0) == made, "order");
                            made++;
                        }
                    }
                }
                catch (TransportException problem)
                {
                    lost++;
                    Harness.Say("lost", problem.Failure);
                    Thread.Sleep(50);
                }
            }
            Harness.Say("made", made);
            Harness.Say("losses", lost);
        }

        /// <summary>Numbers: pause in ms, messages that wait at most. Asks once, sleeps, and takes what came meanwhile in order, until
        /// "end".</summary>
        private void Pause()
        {
            using (ITransport transport = Open(new TransportLimits { InboxMessages = _numbers[1] }))
            {
                transport.Send(Message(Encoding.ASCII.GetBytes("begin")));
                Thread.Sleep(_numbers[0]);
                int next = 0;
                while (true)
                {
                    IList<byte[]> message = Expect(transport);
                    if (message[0].Length == 3)
                    {
                        break;
                    }
                    Check(BitConverter.ToInt32(message[0], 0) == next, "order: " + next);
                    next++;
                }
                Harness.Say("received", next);
                transport.Send(Message(Encoding.ASCII.GetBytes("still here")));
                Harness.Say("answer", Encoding.ASCII.GetString(Expect(transport)[0]));
            }
        }

        /// <summary>Numbers: threads, messages of each. All send at once; an echo server gives all back.</summary>
        private void Senders()
        {
            using (ITransport transport = Open())
            {
                List<Thread> threads = new List<Thread>();
                List<Exception> problems = new List<Exception>();
                for (int i = 0; i < _numbers[0]; i++)
                {
                    int sender = i;
                    threads.Add(new Thread(() => SendMany(transport, sender, _numbers[1], problems)));
                }
                threads.ForEach(thread => thread.Start());
                int[] next = new int[_numbers[0]];
                for (int i = 0; i < _numbers[0] * _numbers[1]; i++)
                {
                    IList<byte[]> back = Expect(transport);
                    int sender = back[0][0];
                    int index = BitConverter.ToInt32(back[1], 0);
                    Check(index == next[sender]++, "order of sender " + sender);
                    byte[] body = Pattern(SizeOf(sender, index), index);
                    Check(back.Count == 4 && Same(back[2], body) && back[3][0] == sender, "a message of its own frames");
                }
                threads.ForEach(thread => thread.Join());
                Check(problems.Count == 0, "senders: " + (problems.Count > 0 ? problems[0].Message : ""));
                Harness.Say("messages", _numbers[0] * _numbers[1]);
            }
        }

        private static void SendMany(ITransport transport, int sender, int count, List<Exception> problems)
        {
            try
            {
                for (int i = 0; i < count; i++)
                {
                    byte[] mark = { (byte)sender };
                    transport.Send(Message(mark, BitConverter.GetBytes(i), Pattern(SizeOf(sender, i), i), mark));
                }
            }
            catch (TransportException problem)
            {
                lock (problems)
                {
                    problems.Add(problem);
                }
            }
        }

        private static int SizeOf(int sender, int index)
        {
            return new[] { 10, 3000, 200000, 5000 }[(sender + index) % 4];
        }

        /// <summary>Numbers: largest frame in bytes. Sends "begin" and takes messages until the connection ends.</summary>
        private void ReceiveAll()
        {
            using (ITransport transport = Open(new TransportLimits { MaxFrameBytes = _numbers[0], MaxMessageBytes = 2L * _numbers[0] }))
            {
                Swallow(() => transport.Send(Message(Encoding.ASCII.GetBytes("begin")))); // it may have ended already
                while (true)
                {
                    IList<byte[]> message = transport.Receive(PatienceMs);
                    Check(message != null, "nothing came and nothing ended");
                    Harness.Say("message_frames", message.Count);
                    Harness.Say("message_first", message[0].Length);
                }
            }
        }

        /// <summary>Numbers: the send's limit in ms, when to close from another thread (0: never), MiB of a message. The peer hardly reads.</summary>
        private void Stuck()
        {
            using (ITransport transport = Open(new TransportLimits { SendTimeoutMs = _numbers[0] }))
            {
                Stopwatch clock = Stopwatch.StartNew();
                if (_numbers[1] > 0)
                {
                    new Thread(() =>
                    {
                        Thread.Sleep(_numbers[1]);
                        transport.Close();
                    }).Start();
                }
                byte[] body = new byte[_numbers[2] << 20];
                try
                {
                    for (int i = 0; i < 1000; i++)
                    {
                        clock.Restart();
                        transport.Send(Message(body));
                        Harness.Say("sent", i + 1);
                    }
                }
                finally
                {
                    Harness.Say("last_send_ms", clock.ElapsedMilliseconds);
                }
            }
        }

        /// <summary>Numbers: round trips, width, height. An RGBA frame and its 16-bit mask, a small answer.</summary>
        private void Bench()
        {
            byte[] image = Pattern(_numbers[1] * _numbers[2] * 4, 1);
            byte[] mask = Pattern(_numbers[1] * _numbers[2] * 2, 2);
            using (ITransport transport = Open())
            {
                List<double> times = new List<double>();
                for (int i = -20; i < _numbers[0]; i++)
                {
                    Stopwatch clock = Stopwatch.StartNew();
                    transport.Send(Message(new byte[8], new byte[8], new byte[400], image, mask));
                    Expect(transport);
                    if (i >= 0)
                    {
                        times.Add(clock.Elapsed.TotalMilliseconds);
                    }
                }
                times.Sort();
                Harness.Say("median_ms", times[times.Count / 2]);
                Harness.Say("p99_ms", times[times.Count * 99 / 100]);
            }
        }

        private static IList<byte[]> Expect(ITransport transport)
        {
            IList<byte[]> message = transport.Receive(PatienceMs);
            Check(message != null, "no answer in time");
            return message;
        }

        private static void Swallow(Action action)
        {
            try
            {
                action();
            }
            catch (TransportException)
            {
            }
        }

        private static IList<ArraySegment<byte>> Message(params object[] frames)
        {
            List<ArraySegment<byte>> message = new List<ArraySegment<byte>>();
            foreach (object frame in frames)
            {
                message.Add(frame is byte[] ? new ArraySegment<byte>((byte[])frame) : (ArraySegment<byte>)frame);
            }
            return message;
        }

        private static byte[] Pattern(int size, int seed)
        {
            byte[] bytes = new byte[size];
            uint state = (uint)seed * 2654435761u + 1;
            for (int i = 0; i < size; i++)
            {
                state = state * 1664525u + 1013904223u;
                bytes[i] = (byte)(state >> 24);
            }
            return bytes;
        }

        private static bool Same(byte[] left, byte[] right)
        {
            if (left.Length != right.Length)
            {
                return false;
            }
            for (int i = 0; i < left.Length; i++)
            {
                if (left[i] != right[i])
                {
                    return false;
                }
            }
            return true;
        }

        private static void Check(bool right, string what)
        {
            if (!right)
            {
                throw new InvalidOperationException("wrong: " + what);
            }
        }
    }
}
