// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Threading;

namespace Depthbridge
{
    /// <summary>
    /// A ZeroMQ DEALER in C# alone (ZMTP 3.1 over TCP, NULL mechanism, RFC 37/ZMTP): no native library, no context of the process, no
    /// statics. It talks to ROUTER, REP and DEALER sockets of any ZeroMQ from 4.0 on.
    /// </summary>
    /// <remarks>
    /// One thread of its own is always reading, so that a server's heartbeats (PING) are answered however long the program's own threads
    /// sleep. When the consumer lets the inbox fill up, reading stops, which is what slows the server down; PINGs then lie unread behind
    /// its messages, and the transport answers in advance, by a PONG every 100 ms, to servers that can have heartbeats. It sends no PING
    /// itself: a server that is busy with one large frame could not answer in time, and the requests' own timeouts tell a dead server as
    /// well.
    /// </remarks>
    public sealed class ZmtpTransport : ITransport
    {
        private const int ParkedMs = 100;
        private const int JoinMs = 2000;
        private const string NotMade = "is not made: call Connect first";

        private readonly TransportLimits _limits;
        private readonly TransportInbox _inbox;
        private readonly object _gate = new object();
        private string _endpoint = "";
        private TcpLink _link;
        private volatile ZmtpWriter _writer;
        private Thread _reader;
        private bool _begun;
        private volatile bool _closed;
        private bool _answersAhead; // reader's thread

        /// <summary>An unconnected transport.</summary>
        /// <param name="limits">Null: the defaults.</param>
        /// <exception cref="ArgumentOutOfRangeException">A limit is not positive.</exception>
        public ZmtpTransport(TransportLimits limits = null)
        {
            _limits = (limits ?? new TransportLimits()).Checked();
            _inbox = new TransportInbox(_limits.InboxMessages, _limits.MaxMessageBytes);
        }

        /// <inheritdoc/>
        public void Connect(string endpoint, int timeoutMs)
        {
            if (timeoutMs <= 0)
            {
                throw new ArgumentOutOfRangeException("timeoutMs", "A connection needs some milliseconds to be made.");
            }
            lock (_gate)
            {
                if (_begun)
                {
                    throw new InvalidOperationException("A transport connects once; make a new one.");
                }
                _begun = true;
            }
            Deadline deadline = Deadline.In(timeoutMs);
            try
            {
                TcpEndpoint parsed = TcpEndpoint.Parse(endpoint);
                _endpoint = parsed.Text;
                TcpLink link = new TcpLink(_endpoint, new TcpDialer(parsed, deadline, IsClosed).Dial());
                Adopt(link);
                ZmtpFrameReader frames = new ZmtpFrameReader(link, _limits.MaxFrameBytes, _endpoint);
                ZmtpHandshake handshake = new ZmtpHandshake(link, frames, _endpoint, deadline);
                handshake.Run();
                Begin(link, frames, handshake.PeerMinor > 0);
            }
            catch (TransportException problem)
            {
                _inbox.Finish(problem, true);
                Close();
                throw;
            }
        }

        /// <inheritdoc/>
        public void Send(IList<ArraySegment<byte>> frames)
        {
            Check(frames);
            ZmtpWriter writer = _writer;
            TransportException end = _inbox.End;
            if (writer == null || end != null)
            {
                throw end == null ? Ended(NotMade) : new TransportException(end.Failure, end.Message, end);
            }
            try
            {
                writer.Send(frames);
            }
            catch (TransportException problem)
            {
                // Half a message is out: the connection is of no use. If the peer has closed it, the reader may still find messages that
                // came before.
                if (problem.Failure != TransportFailure.Closed)
                {
                    _inbox.Finish(problem, false);
                    _link.Close();
                }
                throw;
            }
        }

        /// <inheritdoc/>
        public IList<byte[]> Receive(int timeoutMs)
        {
            if (_writer == null && _inbox.End == null)
            {
                throw Ended(NotMade);
            }
            return _inbox.Take(timeoutMs);
        }

        /// <inheritdoc/>
        public void Close()
        {
            TcpLink link;
            Thread reader;
            lock (_gate)
            {
                _begun = true;
                _closed = true;
                link = _link;
                reader = _reader;
            }
            _inbox.Finish(Ended("was closed on this side"), true);
            if (link != null)
            {
                link.Close();
            }
            if (reader != null && reader != Thread.CurrentThread)
            {
                reader.Join(JoinMs);
            }
        }

        /// <summary>The same as <see cref="Close"/>.</summary>
        public void Dispose()
        {
            Close();
        }

        private bool IsClosed()
        {
            return _closed;
        }

        /// <summary>From here on <see cref="Close"/> finds the socket.</summary>
        private void Adopt(TcpLink link)
        {
            bool closed;
            lock (_gate)
            {
                _link = link;
                closed = _closed;
            }
            if (closed)
            {
                link.Close();
                throw Ended("was closed while it was being made");
            }
        }

        private void Begin(TcpLink link, ZmtpFrameReader frames, bool peerKnowsPong)
        {
            lock (_gate)
            {
                if (_closed)
                {
                    throw Ended("was closed while it was being made");
                }
                _answersAhead = peerKnowsPong;
                _writer = new ZmtpWriter(link, _limits.SendTimeoutMs);
                link.WhileWaiting = _writer.SendPongs;
                _reader = new Thread(() => ReadAll(new ZmtpMessageReader(frames, _limits, OnCommand, _endpoint)));
                _reader.IsBackground = true;
                _reader.Name = "Depthbridge reader";
                _reader.Start();
            }
        }

        private void ReadAll(ZmtpMessageReader messages)
        {
            try
            {
                while (_inbox.End == null)
                {
                    List<byte[]> message = messages.Next();
                    while (!_inbox.TryPut(message, ParkedMs))
                    {
                        AnswerAhead();
                    }
                }
            }
            catch (TransportException problem)
            {
                _inbox.Finish(problem, false);
            }
            catch (Exception problem) // an exception that leaves a thread ends the whole program, or the editor
            {
                string text = " was lost by an error here (" + problem.GetType().Name + ": " + problem.Message + "); please report it.";
                _inbox.Finish(new TransportException(TransportFailure.Violation, _endpoint + text, problem), false);
            }
            _link.Close();
        }

        private void AnswerAhead()
        {
            if (_answersAhead)
            {
                _writer.SendPong(ZmtpCommand.Pong(new byte[0], 0, 0));
            }
        }

        private void OnCommand(byte[] body)
        {
            ZmtpCommand command;
            if (!ZmtpCommand.TryParse(body, out command))
            {
                throw Broken("a command without a name");
            }
            if (command.Name == "PING")
            {
                int silenceMs;
                byte[] pong;
                if (!command.TryPing(out silenceMs, out pong))
                {
                    throw Broken("a PING without its time");
                }
                _link.LongestSilenceMs = silenceMs;
                _answersAhead = true;
                _writer.SendPong(pong);
            }
            else if (command.Name == "ERROR")
            {
                string text = _endpoint + " ended the connection: '" + command.Reason() + "'; look into the server's log.";
                throw new TransportException(TransportFailure.Closed, text);
            }
        }

        private void Check(IList<ArraySegment<byte>> frames)
        {
            if (frames == null || frames.Count == 0)
            {
                throw new ArgumentException("A message has at least one frame.", "frames");
            }
            long total = 0;
            long largest = 0;
            for (int i = 0; i < frames.Count; i++)
            {
                total += frames[i].Count;
                largest = Math.Max(largest, frames[i].Count);
            }
            if (frames.Count > _limits.MaxFrames || largest > _limits.MaxFrameBytes || total > _limits.MaxMessageBytes)
            {
                string text = "A message of " + frames.Count + " frames and " + total + " bytes was not sent to " + _endpoint
                    + ": it is over the transport's limits; send smaller pictures, or raise the limits here and at the server.";
                throw new TransportException(TransportFailure.TooLarge, text);
            }
        }

        private TransportException Broken(string what)
        {
            string message = " broke ZeroMQ's protocol with " + what + "; is a ZeroMQ server behind that port?";
            return new TransportException(TransportFailure.Violation, _endpoint + message);
        }

        private TransportException Ended(string how)
        {
            string endpoint = _endpoint == "" ? "" : " to " + _endpoint;
            return new TransportException(TransportFailure.Closed, "The connection" + endpoint + " " + how + ".");
        }
    }
}
