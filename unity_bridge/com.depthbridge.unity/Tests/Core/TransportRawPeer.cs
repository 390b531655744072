// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading;

namespace Depthbridge.Tests
{
    /// <summary>One accepted connection of <see cref="TransportRawPeer"/>: ZMTP by hand, so that it can be right or wrong on
    /// purpose.</summary>
    internal sealed class RawConnection
    {
        internal static readonly byte[] Greeting = MakeGreeting();

        private readonly Socket _socket;

        internal RawConnection(Socket socket)
        {
            _socket = socket;
        }

        internal Socket Socket
        {
            get { return _socket; }
        }

        /// <summary>One frame as it goes over the wire.</summary>
        internal static byte[] Frame(byte[] body, bool more = false, bool command = false)
        {
            MemoryStream wire = new MemoryStream();
            int flags = (more ? 1 : 0) | (command ? 4 : 0);
            if (body.Length < 256)
            {
                wire.WriteByte((byte)flags);
                wire.WriteByte((byte)body.Length);
            }
            else
            {
                wire.WriteByte((byte)(flags | 2));
                for (int shift = 56; shift >= 0; shift -= 8)
                {
                    wire.WriteByte((byte)((long)body.Length >> shift));
                }
            }
            wire.Write(body, 0, body.Length);
            return wire.ToArray();
        }

        /// <summary>A command; its data as characters 0 to 255.</summary>
        internal static byte[] Command(string name, string data)
        {
            return Frame(Bytes((char)name.Length + name + data), false, true);
        }

        internal static byte[] Ready(string type)
        {
            return Command("READY", "\x0bSocket-Type\0\0\0" + (char)type.Length + type + "\x08Identity\0\0\0\0");
        }

        internal static byte[] Bytes(string text)
        {
            return Array.ConvertAll(text.ToCharArray(), one => (byte)one);
        }

        internal void Handshake(string type = "ROUTER")
        {
            Write(Greeting);
            Read(64);
            Write(Ready(type));
            bool more;
            bool command;
            ReadFrame(out more, out command);
        }

        internal void Write(params byte[][] parts)
        {
            foreach (byte[] part in parts)
            {
                _socket.Send(part);
            }
        }

        internal byte[] Read(int count)
        {
            byte[] bytes = new byte[count];
            int have = 0;
            while (have < count)
            {
                int taken = _socket.Receive(bytes, have, count - have, SocketFlags.None);
                if (taken == 0)
                {
                    throw new SocketException((int)SocketError.ConnectionReset);
                }
                have += taken;
            }
            return bytes;
        }

        internal byte[] ReadFrame(out bool more, out bool command)
        {
            int flags = Read(1)[0];
            more = (flags & 1) != 0;
            command = (flags & 4) != 0;
            byte[] size = Read((flags & 2) != 0 ? 8 : 1);
            long length = 0;
            foreach (byte one in size)
            {
                length = (length << 8) | one;
            }
            return Read((int)length);
        }

        /// <summary>The next message; commands on the way are kept in <paramref name="commands"/>, if that is not null.</summary>
        internal List<byte[]> ReadMessage(List<byte[]> commands = null)
        {
            List<byte[]> message = new List<byte[]>();
            bool more = true;
            while (more)
            {
                bool command;
                byte[] body = ReadFrame(out more, out command);
                if (!command)
                {
                    message.Add(body);
                    continue;
                }
                more = true;
                if (commands != null)
                {
                    commands.Add(body);
                }
            }
            return message;
        }

        internal void WriteMessage(List<byte[]> message)
        {
            for (int i = 0; i < message.Count; i++)
            {
                Write(Frame(message[i], i + 1 < message.Count));
            }
        }

        /// <summary>Gives every message back until the other side hangs up.</summary>
        internal void Echo()
        {
            while (true)
            {
                WriteMessage(ReadMessage());
            }
        }

        /// <summary>Takes what comes until the other side hangs up.</summary>
        internal void Drain()
        {
            byte[] buffer = new byte[65536];
            while (_socket.Receive(buffer) > 0)
            {
            }
        }

        private static byte[] MakeGreeting()
        {
            byte[] greeting = new byte[64];
            greeting[0] = 0xff;
            greeting[9] = 0x7f;
            greeting[10] = 3;
            greeting[11] = 1;
            Encoding.ASCII.GetBytes("NULL", 0, 4, greeting, 12);
            return greeting;
        }
    }

    /// <summary>A TCP server in this process that runs a script for each connection, in a thread of its own.</summary>
    internal sealed class TransportRawPeer : IDisposable
    {
        private readonly TcpListener _listener = new TcpListener(IPAddress.Loopback, 0);
        private readonly List<Thread> _threads = new List<Thread>();
        private readonly List<Exception> _problems = new List<Exception>();
        private readonly Action<RawConnection> _script;

        internal TransportRawPeer(Action<RawConnection> script)
        {
            _script = script;
            _listener.Start();
            Run(Accept);
        }

        internal string Endpoint
        {
            get { return "tcp://127.0.0.1:" + ((IPEndPoint)_listener.LocalEndpoint).Port; }
        }

        /// <summary>Ends the server; throws what a script threw, except that the other side hung up.</summary>
        public void Dispose()
        {
            _listener.Stop();
            for (int i = 0; i < _threads.Count; i++)
            {
                if (!_threads[i].Join(10000))
                {
                    throw new InvalidOperationException("A script of the peer did not end.");
                }
            }
            if (_problems.Count > 0)
            {
                throw new InvalidOperationException("The peer's script failed: " + _problems[0].Message, _problems[0]);
            }
        }

        private void Run(ThreadStart work)
        {
            Thread thread = new Thread(work);
            thread.IsBackground = true;
            _threads.Add(thread);
            thread.Start();
        }

        private void Accept()
        {
            try
            {
                while (true)
                {
                    Socket socket = _listener.AcceptSocket();
                    socket.NoDelay = true;
                    socket.SendTimeout = 10000;
                    socket.ReceiveTimeout = 10000;
                    Run(() => Serve(socket));
                }
            }
            catch (SocketException)
            {
                // Stopped.
            }
            catch (ObjectDisposedException)
            {
                // Stopped.
            }
        }

        private void Serve(Socket socket)
        {
            try
            {
                _script(new RawConnection(socket));
            }
            catch (SocketException)
            {
                // The other side hung up, as it does at the end of each test.
            }
            catch (Exception problem)
            {
                _problems.Add(problem);
            }
            socket.Close();
        }
    }
}
