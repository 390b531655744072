// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Net.Sockets;

namespace Depthbridge
{
    /// <summary>Where a reader's bytes come from.</summary>
    internal interface IByteSource
    {
        /// <summary>Between 1 and <paramref name="count"/> bytes; waits for them.</summary>
        /// <exception cref="TransportException">There will be none.</exception>
        int Read(byte[] buffer, int offset, int count);
    }

    /// <summary>
    /// A connected socket that one thread reads while others write, one at a time. The socket is non-blocking and every wait is a poll in
    /// slices, so that each wait has a limit and ends soon after <see cref="Close"/> on every platform, also where closing a socket does
    /// not wake who waits for it.
    /// </summary>
    internal sealed class TcpLink : IByteSource
    {
        private const int SliceMs = 100;

        // More at once only fills the system's buffers: a partial write tells that the peer takes bytes.
        private const int LargestWrite = 1 << 20;

        private readonly string _endpoint;
        private readonly Socket _socket;
        private readonly List<ArraySegment<byte>> _window = new List<ArraySegment<byte>>();
        private volatile bool _closed;

        internal TcpLink(string endpoint, Socket socket)
        {
            _endpoint = endpoint;
            _socket = socket;
            ReadDeadline = Deadline.Never;
        }

        /// <summary>Whether <see cref="Close"/> was called here.</summary>
        internal bool IsClosed
        {
            get { return _closed; }
        }

        /// <summary>When a read gives up. Reader's thread.</summary>
        internal Deadline ReadDeadline { get; set; }

        /// <summary>Longest silence in milliseconds that a read endures; 0 stands for any. Reader's thread.</summary>
        internal int LongestSilenceMs { get; set; }

        /// <summary>What the reader does about ten times a second while nothing comes; null for nothing. Reader's thread.</summary>
        internal Action WhileWaiting { get; set; }

        public int Read(byte[] buffer, int offset, int count)
        {
            long began = Deadline.NowMs();
            while (true)
            {
                int taken = TryRead(buffer, offset, count);
                if (taken > 0)
                {
                    return taken;
                }
                int slice = Math.Min(SliceMs, ReadDeadline.LeftMs);
                if (Poll(slice, SelectMode.SelectRead))
                {
                    continue;
                }
                if (ReadDeadline.Passed)
                {
                    throw new TransportException(TransportFailure.Timeout, _endpoint + " was silent for too long.");
                }
                if (LongestSilenceMs > 0 && Deadline.NowMs() - began > LongestSilenceMs)
                {
                    string promise = _endpoint + " promised a sign of life every " + LongestSilenceMs + " ms and gave none";
                    throw new TransportException(TransportFailure.Timeout, promise + ": the server hangs, or the network is down.");
                }
                if (WhileWaiting != null)
                {
                    WhileWaiting();
                }
            }
        }

        /// <summary>Writes everything. The segments' places in the list are used up.</summary>
        /// <param name="patienceMs">Longest time without a byte taken.</param>
        internal void Write(List<ArraySegment<byte>> segments, int patienceMs)
        {
            int at = 0;
            Deadline deadline = Deadline.In(patienceMs);
            while (true)
            {
                int sent = TryWrite(segments, ref at);
                if (at == segments.Count)
                {
                    return;
                }
                if (sent > 0)
                {
                    deadline = Deadline.In(patienceMs);
                }
                else if (!Poll(Math.Min(SliceMs, deadline.LeftMs), SelectMode.SelectWrite) && deadline.Passed)
                {
                    string message = " took no byte for " + patienceMs + " ms: the server does not read; is it hung, or the network down?";
                    throw new TransportException(TransportFailure.Timeout, _endpoint + message);
                }
            }
        }

        /// <summary>Writes what the system takes at once, from segment <paramref name="at"/> on; the list keeps what is left. Returns the
        /// bytes taken.</summary>
        internal int TryWrite(List<ArraySegment<byte>> segments, ref int at)
        {
            SkipEmpty(segments, ref at);
            if (at == segments.Count)
            {
                return 0;
            }
            _window.Clear();
            int room = LargestWrite;
            for (int i = at; i < segments.Count && room > 0; i++)
            {
                int size = Math.Min(room, segments[i].Count);
                _window.Add(new ArraySegment<byte>(segments[i].Array, segments[i].Offset, size));
                room -= size;
            }
            int sent = SendWindow();
            int left = sent;
            while (left > 0)
            {
                ArraySegment<byte> first = segments[at];
                int size = Math.Min(left, first.Count);
                segments[at] = new ArraySegment<byte>(first.Array, first.Offset + size, first.Count - size);
                left -= size;
                SkipEmpty(segments, ref at);
            }
            _window.Clear(); // it must not keep the caller's arrays alive
            return sent;
        }

        /// <summary>Closes the socket, whoever waits for it.</summary>
        internal void Close()
        {
            _closed = true;
            try
            {
                _socket.Shutdown(SocketShutdown.Both); // wakes whoever polls, and sends what was written
            }
            catch (SocketException)
            {
            }
            catch (ObjectDisposedException)
            {
            }
            _socket.Close();
        }

        private static void SkipEmpty(List<ArraySegment<byte>> segments, ref int at)
        {
            while (at < segments.Count && segments[at].Count == 0)
            {
                at++;
            }
        }

        private int TryRead(byte[] buffer, int offset, int count)
        {
            try
            {
                SocketError error;
                int taken = _socket.Receive(buffer, offset, count, SocketFlags.None, out error);
                if (_closed || (error != SocketError.Success && !IsBusy(error)))
                {
                    throw Gone(error, "was lost");
                }
                if (taken == 0 && error == SocketError.Success)
                {
                    throw Gone(error, "was closed by the server");
                }
                return IsBusy(error) ? 0 : taken;
            }
            catch (SocketException problem)
            {
                throw Gone(problem.SocketErrorCode, "was lost");
            }
            catch (ObjectDisposedException)
            {
                throw Gone(SocketError.Success, "");
            }
        }

        private int SendWindow()
        {
            try
            {
                SocketError error;
                int sent = _socket.Send(_window, SocketFlags.None, out error);
                if (_closed || (error != SocketError.Success && !IsBusy(error)))
                {
                    throw Gone(error, "was lost");
                }
                return IsBusy(error) ? 0 : sent;
            }
            catch (SocketException problem)
            {
                throw Gone(problem.SocketErrorCode, "was lost");
            }
            catch (ObjectDisposedException)
            {
                throw Gone(SocketError.Success, "");
            }
        }

        private bool Poll(int milliseconds, SelectMode mode)
        {
            try
            {
                return _socket.Poll(milliseconds * 1000, mode);
            }
            catch (SocketException problem)
            {
                throw Gone(problem.SocketErrorCode, "was lost");
            }
            catch (ObjectDisposedException)
            {
                throw Gone(SocketError.Success, "");
            }
        }

        private static bool IsBusy(SocketError error)
        {
            return error == SocketError.WouldBlock || error == SocketError.IOPending || error == SocketError.NoBufferSpaceAvailable;
        }

        private TransportException Gone(SocketError error, string how)
        {
            if (_closed)
            {
                return new TransportException(TransportFailure.Closed, "The connection to " + _endpoint + " was closed on this side.");
            }
            string why = error == SocketError.Success ? "" : " (" + error + ")";
            string message = " " + how + why + "; is the server still running? Connect again once it is.";
            return new TransportException(TransportFailure.Closed, "The connection to " + _endpoint + message);
        }
    }
}
