// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Threading;
using NUnit.Framework;

namespace Depthbridge.Tests
{
    /// <summary>What the managed transport alone promises.</summary>
    [TestFixture]
    public class TransportManagedTests
    {
        private const int PatienceMs = 10000;

        [TestCase("127.0.0.1:5577", "tcp:// is missing")]
        [TestCase("ipc:///tmp/x", "only tcp")]
        [TestCase("tcp://127.0.0.1", "port is missing")]
        [TestCase("tcp://127.0.0.1:", "1 to 65535")]
        [TestCase("tcp://127.0.0.1:0", "1 to 65535")]
        [TestCase("tcp://127.0.0.1:65536", "1 to 65535")]
        [TestCase("tcp://127.0.0.1:+80", "1 to 65535")]
        [TestCase("tcp://*:5577", "address to bind")]
        [TestCase("tcp://:5577", "host is missing")]
        [TestCase("tcp://::1:5577", "brackets")]
        [TestCase("tcp://[::1]", "port is missing")]
        [TestCase("tcp://[name]:5577", "brackets")]
        [TestCase("tcp://user@host:5577", "name or an address")]
        [TestCase("", "tcp:// is missing")]
        [TestCase(null, "tcp:// is missing")]
        public void AnEndpointThatIsNoneIsExplained(string endpoint, string words)
        {
            using (ITransport transport = new ZmtpTransport())
            {
                TransportException problem = Assert.Throws<TransportException>(() => transport.Connect(endpoint, PatienceMs));
                Assert.That(problem.Failure, Is.EqualTo(TransportFailure.BadEndpoint));
                Assert.That(problem.Message.Contains(words), Is.True, problem.Message);
                Assert.That(problem.Message.Contains("tcp://127.0.0.1:5577"), Is.True, problem.Message);
            }
        }

        [TestCase("tcp://localhost:5577", "localhost", false)]
        [TestCase(" TCP://10.1.2.3:1 ", "10.1.2.3", true)]
        [TestCase("tcp://[::1]:65535", "::1", true)]
        [TestCase("tcp://1:80", "1", false)]
        [TestCase("tcp://my-server.example.com:5577", "my-server.example.com", false)]
        public void EndpointsAreTakenApart(string text, string host, bool address)
        {
            TcpEndpoint endpoint = TcpEndpoint.Parse(text);
            Assert.That(endpoint.Host, Is.EqualTo(host));
            Assert.That(endpoint.Address != null, Is.EqualTo(address));
        }

        [Test]
        public void EveryAddressOfAHostIsTried()
        {
            using (TransportRawPeer peer = new TransportRawPeer(connection => connection.Drain()))
            {
                TcpEndpoint endpoint = TcpEndpoint.Parse(peer.Endpoint);
                List<IPAddress> addresses = new List<IPAddress> { IPAddress.IPv6Loopback, IPAddress.Parse("127.0.0.2"), endpoint.Address };
                TcpDialer dialer = new TcpDialer(endpoint, Deadline.In(PatienceMs), () => false);
                using (Socket socket = dialer.Dial(addresses))
                {
                    Assert.That(((IPEndPoint)socket.RemoteEndPoint).Address, Is.EqualTo(endpoint.Address));
                    Assert.That(socket.NoDelay, Is.True);
                }
            }
        }

        [Test]
        public void AMessageOverALimitIsNotSentAndTheConnectionStands()
        {
            TransportLimits limits = new TransportLimits { MaxFrames = 3, MaxFrameBytes = 1000, MaxMessageBytes = 1500 };
            using (TransportRawPeer peer = new TransportRawPeer(Echoing))
            using (ITransport transport = new ZmtpTransport(limits))
            {
                transport.Connect(peer.Endpoint, PatienceMs);
                limits.MaxFrames = 100; // too late: they were read once
                foreach (int[] sizes in new[] { new[] { 1, 1, 1, 1 }, new[] { 1001 }, new[] { 800, 701 } })
                {
                    IList<ArraySegment<byte>> message = Array.ConvertAll(sizes, size => new ArraySegment<byte>(new byte[size]));
                    TransportException problem = Assert.Throws<TransportException>(() => transport.Send(message));
                    Assert.That(problem.Failure, Is.EqualTo(TransportFailure.TooLarge));
                }
                transport.Send(Array.ConvertAll(new[] { 1000, 499, 1 }, size => new ArraySegment<byte>(new byte[size])));
                Assert.That(transport.Receive(PatienceMs).Count, Is.EqualTo(3));
            }
        }

        [Test]
        public void ItConnectsOnce()
        {
            using (TransportRawPeer peer = new TransportRawPeer(Echoing))
            {
                ZmtpTransport transport = new ZmtpTransport();
                transport.Connect(peer.Endpoint, PatienceMs);
                Assert.Throws<InvalidOperationException>(() => transport.Connect(peer.Endpoint, PatienceMs));
                transport.Close();
                Assert.Throws<InvalidOperationException>(() => transport.Connect(peer.Endpoint, PatienceMs));
            }
        }

        [Test]
        public void CloseWakesConnect()
        {
            using (TransportRawPeer peer = new TransportRawPeer(connection => connection.Drain()))
            {
                ZmtpTransport transport = new ZmtpTransport();
                TransportException problem = null;
                Thread connecting = new Thread(() =>
                {
                    problem = Assert.Throws<TransportException>(() => transport.Connect(peer.Endpoint, 60000));
                });
                connecting.Start();
                Thread.Sleep(100);
                transport.Close();
                Assert.That(connecting.Join(PatienceMs), Is.True);
                Assert.That(problem.Failure, Is.EqualTo(TransportFailure.Closed));
            }
        }

        [Test]
        public void NonsenseArgumentsAreRefused()
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => new ZmtpTransport(new TransportLimits { MaxFrames = 0 }));
            Assert.Throws<ArgumentOutOfRangeException>(() => new ZmtpTransport(new TransportLimits { SendTimeoutMs = -1 }));
            using (ZmtpTransport transport = new ZmtpTransport())
            {
                Assert.Throws<ArgumentOutOfRangeException>(() => transport.Connect("tcp://127.0.0.1:1", 0));
                Assert.Throws<ArgumentException>(() => transport.Send(null));
                Assert.Throws<ArgumentException>(() => transport.Send(new ArraySegment<byte>[0]));
            }
        }

        [Test]
        public void AFullInboxAnswersPingsInAdvance()
        {
            int pongs = 0;
            bool pinged = false;
            using (TransportRawPeer peer = new TransportRawPeer(connection =>
            {
                connection.Handshake();
                connection.Write(RawConnection.Frame(new byte[1]), RawConnection.Frame(new byte[2]), RawConnection.Frame(new byte[3]));
                Thread.Sleep(150); // the third has no room; what follows stays unread
                connection.Write(RawConnection.Command("PING", "\0\0unread"));
                pinged = true;
                while (pongs < 5)
                {
                    bool more;
                    bool command;
                    byte[] body = connection.ReadFrame(out more, out command);
                    Assert.That(command && !more, Is.True);
                    Assert.That(body, Is.EqualTo(RawConnection.Bytes("\x04PONG")));
                    pongs++;
                }
            }))
            using (ITransport transport = new ZmtpTransport(new TransportLimits { InboxMessages = 2 }))
            {
                transport.Connect(peer.Endpoint, PatienceMs);
                for (int i = 0; i < 500 && pongs < 5; i++)
                {
                    Thread.Sleep(10);
                }
                for (int i = 1; i <= 3; i++)
                {
                    Assert.That(transport.Receive(PatienceMs)[0].Length, Is.EqualTo(i));
                }
            }
            Assert.That(pinged && pongs == 5, Is.True);
        }

        [Test]
        public void NothingFollowsHalfAMessage()
        {
            ManualResetEvent given = new ManualResetEvent(false);
            using (TransportRawPeer peer = new TransportRawPeer(connection =>
            {
                given.WaitOne(30000);
                connection.Drain();
            }))
            {
                TcpEndpoint endpoint = TcpEndpoint.Parse(peer.Endpoint);
                TcpLink link = new TcpLink(endpoint.Text, new TcpDialer(endpoint, Deadline.In(PatienceMs), () => false).Dial());
                ZmtpWriter writer = new ZmtpWriter(link, 200);
                ArraySegment<byte>[] large = { new ArraySegment<byte>(new byte[50000000]) };
                ArraySegment<byte>[] small = { new ArraySegment<byte>(new byte[10]) };
                Assert.Throws<TransportException>(() => writer.Send(large));
                given.Set(); // now it reads, and would take what comes for the large message's rest
                TransportException problem = Assert.Throws<TransportException>(() => writer.Send(small));
                Assert.That(problem.Failure, Is.EqualTo(TransportFailure.Timeout));
                link.Close();
            }
        }

        [Test]
        public void EveryByteMayComeAlone()
        {
            MemoryStream wire = new MemoryStream();
            byte[][] parts =
            {
                RawConnection.Frame(new byte[300], true), RawConnection.Command("PING", "\0\0x"), RawConnection.Frame(new byte[0])
            };
            foreach (byte[] part in parts)
            {
                wire.Write(part, 0, part.Length);
            }
            using (TransportRawPeer peer = new TransportRawPeer(connection =>
            {
                connection.Handshake();
                foreach (byte one in wire.ToArray())
                {
                    connection.Write(new[] { one });
                    Thread.Yield();
                }
                connection.Drain();
            }))
            using (ITransport transport = new ZmtpTransport())
            {
                transport.Connect(peer.Endpoint, PatienceMs);
                IList<byte[]> message = transport.Receive(PatienceMs);
                Assert.That(message.Count, Is.EqualTo(2));
                Assert.That(message[0].Length, Is.EqualTo(300));
            }
        }

        private static void Echoing(RawConnection connection)
        {
            connection.Handshake();
            connection.Echo();
        }
    }
}
