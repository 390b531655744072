// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Text;
using System.Threading;

namespace Depthbridge.Tests
{
    /// <summary>
    /// A server in this process whose behaviour a test writes; it is reached through transports that copy frames between threads.
    /// </summary>
    internal sealed class ScriptedServer
    {
        private readonly List<ScriptedTransport> _connections = new List<ScriptedTransport>();

        internal ScriptedServer()
        {
            Hello = (connection, id) => connection.Post(MessageKind.Hello, id, HelloHeader(4, 1 << 20));
            Infer = (connection, id, frames) => connection.Answer(id, frames);
            Other = (connection, kind, id) => connection.Post(kind, id, "{\"status\":\"ok\",\"state\":\"unknown\"}");
            Connecting = connection => { };
        }

        /// <summary>Called in Connect; may throw, or block until the connection is closed.</summary>
        internal Action<ScriptedTransport> Connecting { get; set; }

        internal Action<ScriptedTransport, ulong> Hello { get; set; }

        /// <summary>Called in Send of a frame, which it may hold up.</summary>
        internal Action<ScriptedTransport, ulong, IList<byte[]>> Infer { get; set; }

        internal Action<ScriptedTransport, MessageKind, ulong> Other { get; set; }

        internal IList<ScriptedTransport> Connections
        {
            get
            {
                lock (_connections)
                {
                    return _connections.ToArray();
                }
            }
        }

        internal ITransport Make()
        {
            var connection = new ScriptedTransport(this);
            lock (_connections)
            {
                _connections.Add(connection);
            }
            return connection;
        }

        internal static string HelloHeader(int maxInFlight, long maxMessageBytes)
        {
            return new JsonWriter().BeginObject()
                .Name("status").Value("ok").Name("server").Value("depthbridge").Name("server_version").Value("9.8.7")
                .Name("protocol").Value("0.3").Name("model").Value("scripted").Name("kind").Value("metric")
                .Name("needs_camera").Value(false).Name("capabilities").BeginArray().Value("raw_image").EndArray()
                .Name("max_in_flight").Value(maxInFlight).Name("max_header_bytes").Value(1048576)
                .Name("max_message_bytes").Value(maxMessageBytes).Name("max_pixels").Value(1000000).Name("max_objects").Value(4096)
                .EndObject().ToString();
        }

        /// <summary>An answer whose width is what the first four bytes of the image say: whose answer it is.</summary>
        internal static string AnswerHeader(IList<byte[]> frames)
        {
            return new JsonWriter().BeginObject()
                .Name("status").Value("ok").Name("timing_ms").BeginObject().EndObject()
                .Name("result").BeginObject().Name("model").Value("scripted").Name("kind").Value("metric").Name("unit").Value("m")
                .Name("camera_source").Value("none").Name("width").Value(BitConverter.ToInt32(frames[3], 0)).Name("height").Value(1)
                .Name("objects").BeginArray().EndArray().EndObject()
                .EndObject().ToString();
        }

        internal static string ErrorHeader(string code)
        {
            return "{\"status\":\"error\",\"error\":{\"code\":\"" + code + "\",\"message\":\"A sentence.\",\"retryable\":true}}";
        }

        /// <summary>A frame of one pixel that says its number.</summary>
        internal static DepthRequest Frame(int number, Action release = null)
        {
            return new DepthRequest
            {
                FrameId = number,
                Image = FramePayload.Rgba(BitConverter.GetBytes(number), 1, 1),
                WantObjects = false,
                WantDepth = true,
                Release = release
            };
        }
    }

    /// <summary>One connection to a <see cref="ScriptedServer"/>.</summary>
    internal sealed class ScriptedTransport : ITransport
    {
        private readonly object _gate = new object();
        private readonly Queue<IList<byte[]>> _inbox = new Queue<IList<byte[]>>();
        private readonly ScriptedServer _server;
        private bool _closed;
        private bool _gone;

        internal ScriptedTransport(ScriptedServer server)
        {
            _server = server;
        }

        internal bool IsClosed
        {
            get
            {
                lock (_gate)
                {
                    return _closed;
                }
            }
        }

        internal void Post(MessageKind kind, ulong id, string header)
        {
            Post(new List<byte[]> { BridgeProtocol.Prefix(kind), BridgeProtocol.IdBytes(id), Encoding.UTF8.GetBytes(header) });
        }

        /// <summary>The answer to a frame.</summary>
        internal void Answer(ulong id, IList<byte[]> frames)
        {
            Post(MessageKind.Infer, id, ScriptedServer.AnswerHeader(frames));
        }

        internal void Post(IList<byte[]> frames)
        {
            lock (_gate)
            {
                _inbox.Enqueue(frames);
                Monitor.PulseAll(_gate);
            }
        }

        /// <summary>The server goes away; what it sent before still arrives.</summary>
        internal void Drop()
        {
            lock (_gate)
            {
                _gone = true;
                Monitor.PulseAll(_gate);
            }
        }

        /// <summary>Blocks as a peer does that does not read; ends when the connection does.</summary>
        internal void BlockUntilClosed()
        {
            lock (_gate)
            {
                while (!_closed && !_gone)
                {
                    Monitor.Wait(_gate);
                }
            }
        }

        public void Connect(string endpoint, int timeoutMs)
        {
            _server.Connecting(this);
            Check();
        }

        public void Send(IList<ArraySegment<byte>> frames)
        {
            Check();
            var copies = new List<byte[]>();
            foreach (var frame in frames)
            {
                var copy = new byte[frame.Count];
                Buffer.BlockCopy(frame.Array, frame.Offset, copy, 0, frame.Count);
                copies.Add(copy);
            }
            int major, minor, kind;
            ulong id;
            BridgeProtocol.TryReadPrefix(copies[0], out major, out minor, out kind);
            BridgeProtocol.TryReadId(copies[1], out id);
            if (kind == (int)MessageKind.Hello)
            {
                _server.Hello(this, id);
            }
            else if (kind == (int)MessageKind.Infer)
            {
                _server.Infer(this, id, copies);
            }
            else
            {
                _server.Other(this, (MessageKind)kind, id);
            }
            Check();
        }

        public IList<byte[]> Receive(int timeoutMs)
        {
            var until = DateTime.UtcNow.AddMilliseconds(timeoutMs);
            lock (_gate)
            {
                while (_inbox.Count == 0)
                {
                    CheckInside();
                    var left = (int)(until - DateTime.UtcNow).TotalMilliseconds;
                    if (left <= 0)
                    {
                        return null;
                    }
                    Monitor.Wait(_gate, left);
                }
                return _inbox.Dequeue();
            }
        }

        public void Close()
        {
            lock (_gate)
            {
                _closed = true;
                Monitor.PulseAll(_gate);
            }
        }

        public void Dispose()
        {
            Close();
        }

        private void Check()
        {
            lock (_gate)
            {
                CheckInside();
            }
        }

        private void CheckInside()
        {
            if (_closed || _gone)
            {
                throw new TransportException(TransportFailure.Closed, "The connection was closed.");
            }
        }
    }
}
