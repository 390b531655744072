// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Threading;
using NUnit.Framework;

namespace Depthbridge.Tests
{
    /// <summary>What any <see cref="ITransport"/> does, tried on the managed one; outside Unity a second fixture runs the same over
    /// libzmq.</summary>
    [TestFixture]
    public class TransportTests
    {
        private const int PatienceMs = 10000;

        /// <summary>A new transport of the kind under test.</summary>
        protected virtual ITransport Make(TransportLimits limits)
        {
            return new ZmtpTransport(limits);
        }

        /// <summary>Whether the transport explains a failure in a sentence with the endpoint and tells its kind exactly.</summary>
        protected virtual bool Explains
        {
            get { return true; }
        }

        [TestCase(0)]
        [TestCase(1)]
        [TestCase(255)]
        [TestCase(256)]
        [TestCase(4096)]
        [TestCase(4097)]
        [TestCase(70000)]
        [TestCase(5000001)]
        public void FramesOfAnySizeComeBack(int size)
        {
            byte[] body = Pattern(size);
            using (TransportRawPeer peer = new TransportRawPeer(Echoing))
            using (ITransport transport = Open(peer))
            {
                transport.Send(Message(new byte[] { 7 }, body, new byte[0]));
                IList<byte[]> back = transport.Receive(PatienceMs);
                Assert.That(back.Count, Is.EqualTo(3));
                Assert.That(back[0], Is.EqualTo(new byte[] { 7 }));
                Assert.That(Same(back[1], body), Is.True);
                Assert.That(back[2].Length, Is.EqualTo(0));
            }
        }

        [Test]
        public void ASegmentIsSentAndNotItsWholeArray()
        {
            byte[] array = Pattern(20000);
            using (TransportRawPeer peer = new TransportRawPeer(Echoing))
            using (ITransport transport = Open(peer))
            {
                transport.Send(new[] { new ArraySegment<byte>(array, 5, 3), new ArraySegment<byte>(array, 100, 19000) });
                IList<byte[]> back = transport.Receive(PatienceMs);
                Assert.That(back[0], Is.EqualTo(new[] { array[5], array[6], array[7] }));
                Assert.That(back[1].Length, Is.EqualTo(19000));
                Assert.That(back[1][18999], Is.EqualTo(array[19099]));
            }
        }

        [Test]
        public void TheHandshakeIsThatOfADealerWithoutIdentity()
        {
            byte[] greeting = null;
            byte[] ready = null;
            using (TransportRawPeer peer = new TransportRawPeer(connection =>
            {
                connection.Write(RawConnection.Greeting);
                greeting = connection.Read(64);
                connection.Write(RawConnection.Ready("ROUTER"));
                bool more;
                bool command;
                ready = connection.ReadFrame(out more, out command);
                Assert.That(command && !more, Is.True);
                connection.Drain();
            }))
            using (Open(peer))
            {
                Wait(() => ready != null);
            }
            Array.Clear(greeting, 1, 8); // padding, in which libzmq tells peers of version 1 something
            greeting[11] = 1; // the minor version may be another
            Assert.That(Same(greeting, RawConnection.Greeting), Is.True);
            string expected = "\x05READY\x0bSocket-Type\0\0\0\x06" + "DEALER\x08Identity\0\0\0\0";
            Assert.That(ready, Is.EqualTo(RawConnection.Bytes(expected)));
        }

        [Test]
        public void PingsAreAnsweredWithTheirContextWhileNobodyReceives()
        {
            List<byte[]> answers = new List<byte[]>();
            using (TransportRawPeer peer = new TransportRawPeer(connection =>
            {
                connection.Handshake();
                connection.Write(RawConnection.Frame(new byte[1], true)); // between the frames of a message, too
                for (int i = 0; i < 20; i++)
                {
                    connection.Write(RawConnection.Command("PING", "\0\0context" + (char)('a' + i)));
                }
                connection.Write(RawConnection.Frame(new byte[2]));
                while (answers.Count < 20)
                {
                    bool more;
                    bool command;
                    byte[] body = connection.ReadFrame(out more, out command);
                    Assert.That(command, Is.True);
                    answers.Add(body);
                }
            }))
            using (ITransport transport = Open(peer))
            {
                Wait(() => answers.Count == 20);
                IList<byte[]> message = transport.Receive(PatienceMs);
                Assert.That(message.Count, Is.EqualTo(2));
            }
            for (int i = 0; i < 20; i++)
            {
                Assert.That(answers[i], Is.EqualTo(RawConnection.Bytes("\x04PONGcontext" + (char)('a' + i))));
            }
        }

        [Test]
        public void MessagesOfManyThreadsNeverMix()
        {
            const int senders = 4;
            const int each = 200;
            using (TransportRawPeer peer = new TransportRawPeer(Echoing))
            using (ITransport transport = Open(peer))
            {
                for (int s = 0; s < senders; s++)
                {
                    byte mark = (byte)s;
                    byte[] body = Pattern(new[] { 10, 3000, 90000, 5000 }[s]);
                    Start(() =>
                    {
                        for (int i = 0; i < each; i++)
                        {
                            transport.Send(Message(new[] { mark }, body, new[] { mark }));
                        }
                    });
                }
                for (int i = 0; i < senders * each; i++)
                {
                    IList<byte[]> back = transport.Receive(PatienceMs);
                    Assert.That(back, Is.Not.Null);
                    Assert.That(back.Count, Is.EqualTo(3));
                    Assert.That(back[0], Is.EqualTo(back[2]));
                    Assert.That(back[1].Length, Is.EqualTo(new[] { 10, 3000, 90000, 5000 }[back[0][0]]));
                }
            }
        }

        [Test]
        public void WhatCameBeforeTheEndIsDelivered()
        {
            using (TransportRawPeer peer = new TransportRawPeer(connection =>
            {
                connection.Handshake();
                connection.Write(RawConnection.Frame(new byte[] { 1 }), RawConnection.Frame(new byte[] { 2 }));
            }))
            using (ITransport transport = Open(peer))
            {
                Thread.Sleep(100);
                Assert.That(transport.Receive(PatienceMs)[0], Is.EqualTo(new byte[] { 1 }));
                Assert.That(transport.Receive(PatienceMs)[0], Is.EqualTo(new byte[] { 2 }));
                for (int i = 0; i < 3; i++)
                {
                    Assert.That(FailureOf(() => transport.Receive(PatienceMs)), Is.EqualTo(TransportFailure.Closed));
                }
                Assert.That(FailureOf(() => transport.Send(Message(new byte[1]))), Is.EqualTo(TransportFailure.Closed));
            }
        }

        [Test]
        public void ReceiveWaitsNoLongerThanAsked()
        {
            using (TransportRawPeer peer = new TransportRawPeer(Echoing))
            using (ITransport transport = Open(peer))
            {
                Assert.That(transport.Receive(0), Is.Null);
                Stopwatch clock = Stopwatch.StartNew();
                Assert.That(transport.Receive(100), Is.Null);
                Assert.That(clock.ElapsedMilliseconds, Is.GreaterThanOrEqualTo(95));
            }
        }

        [Test]
        public void CloseWakesReceive()
        {
            using (TransportRawPeer peer = new TransportRawPeer(Echoing))
            {
                ITransport transport = Open(peer);
                TransportFailure? failure = null;
                Thread waiting = Start(() => failure = FailureOf(() => transport.Receive(-1)));
                Thread.Sleep(50);
                transport.Close();
                transport.Close();
                Assert.That(waiting.Join(PatienceMs), Is.True);
                Assert.That(failure, Is.EqualTo(TransportFailure.Closed));
                Assert.That(FailureOf(() => transport.Receive(0)), Is.EqualTo(TransportFailure.Closed));
                Assert.That(FailureOf(() => transport.Send(Message(new byte[1]))), Is.EqualTo(TransportFailure.Closed));
                transport.Dispose();
            }
        }

        [Test]
        public void CloseWakesSend()
        {
            ManualResetEvent done = new ManualResetEvent(false);
            using (TransportRawPeer peer = new TransportRawPeer(Deaf(done)))
            {
                ITransport transport = Open(peer);
                TransportFailure? failure = null;
                Thread sending = Start(() => failure = FailureOf(() => SendForever(transport)));
                Thread.Sleep(300);
                transport.Close();
                Assert.That(sending.Join(PatienceMs), Is.True);
                Assert.That(failure, Is.EqualTo(TransportFailure.Closed));
                done.Set();
            }
        }

        [Test]
        public void ASendThatNobodyTakesEnds()
        {
            ManualResetEvent done = new ManualResetEvent(false);
            using (TransportRawPeer peer = new TransportRawPeer(Deaf(done)))
            using (ITransport transport = Open(peer, new TransportLimits { SendTimeoutMs = 300 }))
            {
                Assert.That(FailureOf(() => SendForever(transport)), Is.EqualTo(TransportFailure.Timeout));
                done.Set();
            }
        }

        [Test]
        public void AFullInboxStopsReading()
        {
            long written = 0;
            using (TransportRawPeer peer = new TransportRawPeer(connection =>
            {
                connection.Handshake();
                byte[] frame = RawConnection.Frame(new byte[60000]);
                connection.Socket.Blocking = false;
                Stopwatch idle = Stopwatch.StartNew();
                List<ArraySegment<byte>> rest = new List<ArraySegment<byte>> { new ArraySegment<byte>(frame) };
                while (idle.ElapsedMilliseconds < 500 && written < 1L << 30)
                {
                    SocketError error;
                    int sent = connection.Socket.Send(rest, SocketFlags.None, out error); // what the system takes at once
                    int left = rest[0].Count - Math.Max(0, sent);
                    rest[0] = left == 0 ? new ArraySegment<byte>(frame) : new ArraySegment<byte>(frame, frame.Length - left, left);
                    if (sent > 0)
                    {
                        written += sent;
                        idle = Stopwatch.StartNew();
                    }
                }
            }))
            using (ITransport transport = Open(peer, new TransportLimits { InboxMessages = 4 }))
            {
                Thread.Sleep(700);
                Wait(() => written > 0);
            }
            Assert.That(written, Is.LessThan(64L << 20), "bytes that went out to a client that takes no message");
        }

        [Test]
        public void AMessageOverTheLimitIsNotTakenAndEndsTheConnection()
        {
            using (TransportRawPeer peer = new TransportRawPeer(connection =>
            {
                connection.Handshake();
                connection.Write(RawConnection.Frame(new byte[1000]), RawConnection.Frame(new byte[1001]));
                connection.Drain();
            }))
            using (ITransport transport = Open(peer, new TransportLimits { MaxFrameBytes = 1000 }))
            {
                Assert.That(transport.Receive(PatienceMs)[0].Length, Is.EqualTo(1000));
                TransportFailure? failure = FailureOf(() => transport.Receive(PatienceMs));
                Assert.That(failure, Is.EqualTo(Explains ? TransportFailure.TooLarge : TransportFailure.Closed));
            }
        }

        [Test]
        public void NothingListensThere()
        {
            TcpListener listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            string endpoint = "tcp://127.0.0.1:" + ((IPEndPoint)listener.LocalEndpoint).Port;
            listener.Stop();
            using (ITransport transport = Make(null))
            {
                TransportException problem = Assert.Throws<TransportException>(() => transport.Connect(endpoint, PatienceMs));
                Assert.That(problem.Failure, Is.EqualTo(TransportFailure.Refused));
                Assert.That(problem.Message.Contains(endpoint), Is.True, problem.Message);
            }
        }

        [Test]
        public void APublisherIsNoServer()
        {
            using (TransportRawPeer peer = new TransportRawPeer(connection =>
            {
                connection.Handshake("PUB");
                connection.Drain();
            }))
            using (ITransport transport = Make(null))
            {
                TransportException problem = Assert.Throws<TransportException>(() => transport.Connect(peer.Endpoint, 3000));
                if (Explains)
                {
                    Assert.That(problem.Failure, Is.EqualTo(TransportFailure.WrongPeer));
                    Assert.That(problem.Message.Contains("PUB"), Is.True, problem.Message);
                }
            }
        }

        [Test]
        public void ASilentServerIsGivenUp()
        {
            TcpListener listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            using (ITransport transport = Make(null))
            {
                string endpoint = "tcp://127.0.0.1:" + ((IPEndPoint)listener.LocalEndpoint).Port;
                Assert.That(FailureOf(() => transport.Connect(endpoint, 500)), Is.EqualTo(TransportFailure.Timeout));
            }
            listener.Stop();
        }

        [Test]
        public void BeforeItIsConnectedItSaysSo()
        {
            using (ITransport transport = Make(null))
            {
                Assert.That(FailureOf(() => transport.Send(Message(new byte[1]))), Is.EqualTo(TransportFailure.Closed));
                Assert.That(FailureOf(() => transport.Receive(0)), Is.EqualTo(TransportFailure.Closed));
            }
        }

        /// <summary>Connected to the peer.</summary>
        private ITransport Open(TransportRawPeer peer, TransportLimits limits = null)
        {
            ITransport transport = Make(limits);
            transport.Connect(peer.Endpoint, PatienceMs);
            return transport;
        }

        /// <summary>How the action failed; null when it did not.</summary>
        private static TransportFailure? FailureOf(Action action)
        {
            try
            {
                action();
                return null;
            }
            catch (TransportException problem)
            {
                return problem.Failure;
            }
        }

        /// <summary>A message of whole arrays.</summary>
        private static IList<ArraySegment<byte>> Message(params byte[][] frames)
        {
            return Array.ConvertAll(frames, frame => new ArraySegment<byte>(frame));
        }

        private static void Echoing(RawConnection connection)
        {
            connection.Handshake();
            connection.Echo();
        }

        private static Action<RawConnection> Deaf(WaitHandle done)
        {
            return connection =>
            {
                connection.Handshake();
                done.WaitOne(30000);
            };
        }

        private static void SendForever(ITransport transport)
        {
            byte[] megabyte = new byte[1 << 20];
            for (int i = 0; i < 1000; i++)
            {
                transport.Send(Message(megabyte));
            }
        }

        private static Thread Start(ThreadStart work)
        {
            Thread thread = new Thread(work);
            thread.IsBackground = true;
            thread.Start();
            return thread;
        }

        private static void Wait(Func<bool> until)
        {
            Stopwatch clock = Stopwatch.StartNew();
            while (!until())
            {
                Assert.That(clock.ElapsedMilliseconds, Is.LessThan(PatienceMs), "it did not happen");
                Thread.Sleep(5);
            }
        }

        private static byte[] Pattern(int size)
        {
            byte[] bytes = new byte[size];
            new Random(size).NextBytes(bytes);
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
    }
}
