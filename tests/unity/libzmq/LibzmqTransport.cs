// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;

namespace Depthbridge.Tests
{
    /// <summary>
    /// The same contract over the real libzmq: the judge of what the managed transport does. For tests alone; a socket of libzmq belongs
    /// to one thread at a time, so a lock stands around each short use and waits happen outside it.
    /// </summary>
    internal sealed class LibzmqTransport : ITransport
    {
        private const int SliceMs = 10;

        private readonly TransportLimits _limits;
        private readonly object _gate = new object();
        private IntPtr _context;
        private IntPtr _socket;
        private IntPtr _monitor;
        private int _fd;
        private TransportException _end;
        private bool _closed;
        private bool _connected;
        private string _endpoint;

        internal LibzmqTransport(TransportLimits limits = null)
        {
            _limits = limits ?? new TransportLimits();
        }

        public void Connect(string endpoint, int timeoutMs)
        {
            _endpoint = endpoint;
            try
            {
                Open(endpoint, timeoutMs);
                Await(timeoutMs);
            }
            catch (TransportException)
            {
                Close();
                throw;
            }
        }

        public void Send(IList<ArraySegment<byte>> frames)
        {
            DateTime until = DateTime.UtcNow.AddMilliseconds(_limits.SendTimeoutMs);
            lock (_gate)
            {
                CheckOpen();
                for (int i = 0; i < frames.Count; i++)
                {
                    int flags = (i + 1 < frames.Count ? Libzmq.SndMore : 0) | Libzmq.DontWait;
                    while (!TrySend(frames[i], flags))
                    {
                        if (DateTime.UtcNow > until)
                        {
                            throw new TransportException(TransportFailure.Timeout, _endpoint + " takes no message: " + Libzmq.Error());
                        }
                        Monitor.Wait(_gate, 1);
                        CheckOpen();
                    }
                }
            }
        }

        public IList<byte[]> Receive(int timeoutMs)
        {
            DateTime until = timeoutMs < 0 ? DateTime.MaxValue : DateTime.UtcNow.AddMilliseconds(timeoutMs);
            while (true)
            {
                lock (_gate)
                {
                    IList<byte[]> message = TryReceive();
                    if (message != null)
                    {
                        return message;
                    }
                    ReadMonitor();
                    message = TryReceive(); // what came before the end is delivered before it
                    if (message != null)
                    {
                        return message;
                    }
                    CheckOpen();
                }
                if (DateTime.UtcNow >= until)
                {
                    return null;
                }
                Libzmq.PollItem item = new Libzmq.PollItem { Fd = _fd, Events = Libzmq.PollIn };
                Libzmq.zmq_poll(ref item, 1, (IntPtr)SliceMs);
            }
        }

        public void Close()
        {
            lock (_gate)
            {
                _end = _end ?? new TransportException(TransportFailure.Closed, "Closed on this side.");
                if (_closed)
                {
                    return;
                }
                _closed = true;
                CloseSocket(ref _monitor);
                CloseSocket(ref _socket);
            }
            if (_context != IntPtr.Zero)
            {
                Libzmq.zmq_ctx_term(_context);
            }
        }

        public void Dispose()
        {
            Close();
        }

        private void Open(string endpoint, int timeoutMs)
        {
            lock (_gate)
            {
                _context = Libzmq.zmq_ctx_new();
                _socket = Libzmq.zmq_socket(_context, Libzmq.Dealer);
                Libzmq.Set(_socket, Libzmq.Linger, 100);
                Libzmq.Set(_socket, Libzmq.ReconnectIvl, -1);
                Libzmq.Set(_socket, Libzmq.Ipv6, 1);
                Libzmq.Set(_socket, Libzmq.SndHwm, 4);
                Libzmq.Set(_socket, Libzmq.RcvHwm, _limits.InboxMessages);
                long largest = _limits.MaxFrameBytes;
                Libzmq.zmq_setsockopt(_socket, Libzmq.MaxMsgSize, ref largest, (IntPtr)sizeof(long));
                string name = "inproc://monitor";
                Libzmq.zmq_socket_monitor(_socket, name, 0xffff);
                _monitor = Libzmq.zmq_socket(_context, Libzmq.Pair);
                Libzmq.zmq_connect(_monitor, name);
                if (Libzmq.zmq_connect(_socket, endpoint) != 0)
                {
                    throw new TransportException(TransportFailure.BadEndpoint, "'" + endpoint + "': " + Libzmq.Error());
                }
                _fd = Libzmq.Get(_socket, Libzmq.Fd);
            }
        }

        private void Await(int timeoutMs)
        {
            DateTime until = DateTime.UtcNow.AddMilliseconds(timeoutMs);
            while (true)
            {
                lock (_gate)
                {
                    ReadMonitor();
                    if (_connected)
                    {
                        return; // if it has ended meanwhile, Receive tells, after what came before
                    }
                    CheckOpen();
                }
                if (DateTime.UtcNow > until)
                {
                    throw new TransportException(TransportFailure.Timeout, _endpoint + ": no handshake in time.");
                }
                Thread.Sleep(1);
            }
        }

        /// <summary>Notes that the handshake has succeeded, or the end.</summary>
        private void ReadMonitor()
        {
            while (!_closed)
            {
                byte[] happened = Libzmq.TryReceive(_monitor);
                if (happened == null)
                {
                    return;
                }
                Libzmq.TryReceive(_monitor); // the address
                int code = happened[0] | (happened[1] << 8);
                int value = BitConverter.ToInt32(happened, 2);
                Note(code, value);
            }
        }

        private void Note(int code, int value)
        {
            switch (code)
            {
                case Libzmq.EventHandshakeSucceeded:
                    _connected = true;
                    break;
                case Libzmq.EventConnectRetried:
                case Libzmq.EventClosed:
                    End(TransportFailure.Refused, "refused");
                    break;
                case Libzmq.EventDisconnected:
                    End(TransportFailure.Closed, "disconnected");
                    break;
                case Libzmq.EventFailedProtocol:
                    End(TransportFailure.Violation, "handshake failed, code " + value.ToString("x"));
                    break;
                case Libzmq.EventFailedNoDetail:
                case Libzmq.EventFailedAuth:
                    End(TransportFailure.Closed, "handshake failed, code " + value.ToString("x"));
                    break;
            }
        }

        private void End(TransportFailure failure, string what)
        {
            _end = _end ?? new TransportException(failure, _endpoint + ": " + what);
        }

        private IList<byte[]> TryReceive()
        {
            if (_closed || _socket == IntPtr.Zero || (Libzmq.Get(_socket, Libzmq.Events) & Libzmq.PollIn) == 0)
            {
                return null;
            }
            List<byte[]> frames = new List<byte[]>();
            do
            {
                byte[] frame = Libzmq.TryReceive(_socket);
                if (frame == null)
                {
                    return null;
                }
                frames.Add(frame);
            }
            while (Libzmq.Get(_socket, Libzmq.RcvMore) == 1);
            return frames;
        }

        private bool TrySend(ArraySegment<byte> frame, int flags)
        {
            GCHandle pin = GCHandle.Alloc(frame.Array, GCHandleType.Pinned);
            try
            {
                return Libzmq.zmq_send(_socket, (IntPtr)((long)pin.AddrOfPinnedObject() + frame.Offset), (IntPtr)frame.Count, flags) >= 0;
            }
            finally
            {
                pin.Free();
            }
        }

        private void CheckOpen()
        {
            if (_socket == IntPtr.Zero && _end == null)
            {
                throw new TransportException(TransportFailure.Closed, "Not connected.");
            }
            ReadMonitor();
            if (_end != null)
            {
                throw new TransportException(_end.Failure, _end.Message, _end);
            }
        }

        private static void CloseSocket(ref IntPtr socket)
        {
            if (socket != IntPtr.Zero)
            {
                Libzmq.zmq_close(socket);
                socket = IntPtr.Zero;
            }
        }
    }
}
