// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.IO;
using NUnit.Framework;

namespace Depthbridge.Tests
{
    /// <summary>Random and mutated streams against the reader: messages or a <see cref="TransportException"/> come out, and nothing
    /// else.</summary>
    [TestFixture]
    public class TransportFuzzTests
    {
        private const int Streams = 20000;
        private const int LargestFrame = 100000;

        /// <summary>Bytes in pieces of random sizes, and then the end.</summary>
        private sealed class Pieces : IByteSource
        {
            private readonly byte[] _bytes;
            private readonly Random _random;
            private int _at;

            internal Pieces(byte[] bytes, Random random)
            {
                _bytes = bytes;
                _random = random;
            }

            public int Read(byte[] buffer, int offset, int count)
            {
                int left = _bytes.Length - _at;
                if (left == 0)
                {
                    throw new TransportException(TransportFailure.Closed, "the end");
                }
                int size = Math.Min(Math.Min(left, count), _random.Next(3) == 0 ? 1 : _random.Next(1, 5000));
                Buffer.BlockCopy(_bytes, _at, buffer, offset, size);
                _at += size;
                return size;
            }
        }

        [TestCase(1)]
        [TestCase(2)]
        [TestCase(3)]
        public void RandomStreamsEndWithAReason(int seed)
        {
            Random random = new Random(seed);
            for (int i = 0; i < Streams; i++)
            {
                byte[] bytes = new byte[random.Next(200)];
                random.NextBytes(bytes);
                for (int k = 0; k < bytes.Length; k++)
                {
                    if (random.Next(2) == 0)
                    {
                        bytes[k] &= 7; // flags and lengths that make sense go deeper
                    }
                }
                Feed(bytes, random, seed, i);
            }
        }

        [TestCase(4)]
        [TestCase(5)]
        [TestCase(6)]
        public void MutatedStreamsEndWithAReason(int seed)
        {
            Random random = new Random(seed);
            for (int i = 0; i < Streams; i++)
            {
                Feed(Mutated(GoodStream(random, null), random), random, seed, i);
            }
        }

        [Test]
        public void GoodStreamsComeOutAsTheyWentIn()
        {
            Random random = new Random(7);
            for (int i = 0; i < 2000; i++)
            {
                List<List<byte[]>> expected = new List<List<byte[]>>();
                byte[] bytes = GoodStream(random, expected);
                List<List<byte[]>> messages = Feed(bytes, random, 7, i);
                Assert.That(messages.Count, Is.EqualTo(expected.Count));
                for (int k = 0; k < expected.Count; k++)
                {
                    Assert.That(messages[k].Count, Is.EqualTo(expected[k].Count));
                    for (int f = 0; f < expected[k].Count; f++)
                    {
                        Assert.That(Convert.ToBase64String(messages[k][f]), Is.EqualTo(Convert.ToBase64String(expected[k][f])));
                    }
                }
            }
        }

        private static List<List<byte[]>> Feed(byte[] bytes, Random random, int seed, int index)
        {
            List<List<byte[]>> messages = new List<List<byte[]>>();
            TransportLimits limits = new TransportLimits { MaxFrames = 8, MaxMessageBytes = 2 * LargestFrame };
            ZmtpFrameReader frames = new ZmtpFrameReader(new Pieces(bytes, random), LargestFrame, "tcp://fuzz:1");
            ZmtpMessageReader reader = new ZmtpMessageReader(frames, limits, Understand, "tcp://fuzz:1");
            try
            {
                while (true)
                {
                    messages.Add(reader.Next());
                }
            }
            catch (TransportException problem)
            {
                bool known = problem.Failure == TransportFailure.Closed || problem.Failure == TransportFailure.Violation
                    || problem.Failure == TransportFailure.TooLarge;
                Assert.That(known, Is.True, problem.Message);
            }
            catch (Exception problem)
            {
                Assert.Fail("seed " + seed + ", stream " + index + ": " + problem);
            }
            return messages;
        }

        /// <summary>Everything that is done with a command, whatever it is called.</summary>
        private static void Understand(byte[] body)
        {
            ZmtpCommand command;
            if (!ZmtpCommand.TryParse(body, out command))
            {
                throw new TransportException(TransportFailure.Violation, "no command");
            }
            command.Properties();
            command.Reason();
            int silenceMs;
            byte[] pong;
            if (command.TryPing(out silenceMs, out pong))
            {
                Assert.That(pong.Length, Is.InRange(7, 23));
                Assert.That(pong[1], Is.EqualTo(pong.Length - 2));
                Assert.That(silenceMs, Is.InRange(0, 6553500));
            }
        }

        private static byte[] GoodStream(Random random, List<List<byte[]>> messages)
        {
            MemoryStream wire = new MemoryStream();
            for (int m = random.Next(1, 4); m > 0; m--)
            {
                List<byte[]> message = new List<byte[]>();
                for (int f = random.Next(1, 5); f > 0; f--)
                {
                    byte[] body = new byte[random.Next(4) == 0 ? random.Next(3000) : random.Next(20)];
                    random.NextBytes(body);
                    message.Add(body);
                    byte[] frame = RawConnection.Frame(body, f > 1);
                    wire.Write(frame, 0, frame.Length);
                    if (random.Next(4) == 0)
                    {
                        byte[] ping = random.Next(2) == 0 ? RawConnection.Command("PING", "\0\x05" + "abc") : RawConnection.Ready("ROUTER");
                        wire.Write(ping, 0, ping.Length);
                    }
                }
                if (messages != null)
                {
                    messages.Add(message);
                }
            }
            return wire.ToArray();
        }

        private static byte[] Mutated(byte[] bytes, Random random)
        {
            List<byte> changed = new List<byte>(bytes);
            for (int i = random.Next(1, 6); i > 0 && changed.Count > 0; i--)
            {
                int at = random.Next(changed.Count);
                switch (random.Next(5))
                {
                    case 0: changed[at] = (byte)random.Next(256); break;
                    case 1: changed[at] ^= (byte)(1 << random.Next(8)); break;
                    case 2: changed.RemoveRange(at, Math.Min(random.Next(1, 10), changed.Count - at)); break;
                    case 3: changed.InsertRange(at, changed.GetRange(at, Math.Min(random.Next(1, 30), changed.Count - at))); break;
                    default: changed[at] = new byte[] { 0, 1, 2, 4, 127, 128, 255 }[random.Next(7)]; break;
                }
            }
            return changed.ToArray();
        }
    }
}
