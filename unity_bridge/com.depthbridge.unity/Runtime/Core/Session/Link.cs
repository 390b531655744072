// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Threading;

namespace Depthbridge
{
    /// <summary>
    /// One connection while it stands: the caller's thread sends, a thread of its own receives, finds what is overdue, and decodes.
    /// </summary>
    internal sealed class Link
    {
        private const int TickMs = 25;
        private const int ByeMs = 250;
        private const int JoinMs = 1000;

        private readonly object _gate;
        private readonly ITransport _transport;
        private readonly SessionOptions _options;
        private readonly SessionLog _log;
        private readonly RequestBook _book;
        private readonly Queue<ulong> _cancels = new Queue<ulong>();
        private readonly Thread _receiver;
        private ServerHello _server;
        private volatile BridgeError _lost;
        private volatile bool _sending;
        private bool _byeAnswered;
        private double _askedAtMs;

        internal Link(object gate, ITransport transport, SessionOptions options, SessionLog log, RequestBook book)
        {
            _gate = gate;
            _transport = transport;
            _options = options;
            _log = log;
            _book = book;
            _receiver = new Thread(Receive) { IsBackground = true, Name = "Depthbridge receiver" };
        }

        /// <summary>The server answered a frame here.</summary>
        internal bool WasUseful { get; private set; }

        /// <summary>The transport has a message in hand and may take its time.</summary>
        internal bool IsSending
        {
            get { return _sending; }
        }

        internal bool IsCurrentThread
        {
            get { return Thread.CurrentThread == _receiver; }
        }

        /// <summary>Sends until the connection is gone or the session stops, and says why it ended.</summary>
        internal BridgeError Run(ServerHello server, Func<bool> stopping)
        {
            _server = server;
            _receiver.Start();
            try
            {
                while (_lost == null && !stopping())
                {
                    Step(stopping);
                }
                if (_lost == null)
                {
                    _book.Close(BridgeError.OfStop()); // before the bye, which the server answers by cancelling what is under way
                    SayBye();
                }
            }
            finally
            {
                Lose(BridgeError.OfStop());
                _transport.Close();
                _receiver.Join(JoinMs);
            }
            return _lost;
        }

        private void Step(Func<bool> stopping)
        {
            PendingRequest next = null;
            ulong? cancel = null;
            lock (_gate)
            {
                while (_lost == null && !stopping())
                {
                    cancel = _cancels.Count > 0 ? _cancels.Dequeue() : (ulong?)null;
                    next = cancel == null ? _book.Next(_log.NowMs) : null;
                    if (cancel != null || next != null)
                    {
                        _sending = true;
                        break;
                    }
                    var left = _book.PausedUntilMs - _log.NowMs;
                    Monitor.Wait(_gate, left > 0 ? (int)Math.Ceiling(left.Value) : Timeout.Infinite);
                }
            }
            try
            {
                if (cancel != null)
                {
                    Cancel(cancel.Value);
                }
                else if (next != null)
                {
                    Send(next);
                }
            }
            finally
            {
                _sending = false;
            }
        }

        private void Send(PendingRequest pending)
        {
            var sent = false;
            try
            {
                var frames = Write(pending);
                if (frames != null)
                {
                    _transport.Send(frames);
                    sent = true;
                }
            }
            catch (TransportException error)
            {
                if (error.Failure == TransportFailure.TooLarge)
                {
                    _book.GiveUp(pending, new BridgeError(BridgeError.TooLarge, error.Message, false));
                }
                else
                {
                    Lose(new BridgeError(BridgeError.ConnectionLost, error.Message, true));
                }
            }
            finally
            {
                _book.EndSending(pending, sent);
            }
        }

        /// <summary>The frames; null when the request had to be given up.</summary>
        private List<ArraySegment<byte>> Write(PendingRequest pending)
        {
            try
            {
                var frames = MessageWriter.Infer(pending.WireId, pending.Request, _options);
                var error = CheckLimits(pending.Request, frames);
                if (error == null)
                {
                    return frames;
                }
                _book.GiveUp(pending, error);
            }
            catch (Exception error)
            {
                _book.GiveUp(pending, new BridgeError(BridgeError.ClientFault, "The request cannot be written: " + error.Message, false));
            }
            return null;
        }

        private BridgeError CheckLimits(DepthRequest request, List<ArraySegment<byte>> frames)
        {
            long total = 0;
            foreach (var frame in frames)
            {
                total += frame.Count;
            }
            if (frames[2].Count > _server.MaxHeaderBytes)
            {
                return new BridgeError(
                    BridgeError.TooLarge,
                    "The request's header has " + frames[2].Count + " bytes and the server reads at most " + _server.MaxHeaderBytes +
                    "; name fewer objects, or with fewer words.",
                    false);
            }
            return RequestBook.TooLarge(request, total, _server);
        }

        private void Cancel(ulong id)
        {
            try
            {
                _transport.Send(MessageWriter.Plain(MessageKind.Cancel, id, _options.Token));
                lock (_gate)
                {
                    // A server whose engine is busy still answers this at once: silence means that the connection is dead.
                    _askedAtMs = _askedAtMs > 0 ? _askedAtMs : _log.NowMs;
                }
            }
            catch (TransportException error)
            {
                Lose(new BridgeError(BridgeError.ConnectionLost, error.Message, true));
            }
        }

        private void SayBye()
        {
            try
            {
                _transport.Send(MessageWriter.Plain(MessageKind.Bye, _log.NextId(), _options.Token));
                var until = _log.NowMs + ByeMs;
                lock (_gate)
                {
                    while (!_byeAnswered && _lost == null && _log.NowMs < until)
                    {
                        Monitor.Wait(_gate, Math.Max(1, (int)(until - _log.NowMs)));
                    }
                }
            }
            catch (TransportException)
            {
                // it was gone already
            }
        }

        private void Lose(BridgeError error)
        {
            lock (_gate)
            {
                _lost = _lost ?? error;
                Monitor.PulseAll(_gate);
            }
        }

        // ---- the receiver's thread -----------------------------------------------------------------------------------

        private void Receive()
        {
            try
            {
                while (_lost == null)
                {
                    var frames = _transport.Receive(TickMs);
                    if (frames != null)
                    {
                        Heard(frames);
                    }
                    FindOverdue();
                }
            }
            catch (TransportException error)
            {
                Lose(new BridgeError(BridgeError.ConnectionLost, error.Message, true));
            }
            catch (Exception error)
            {
                Lose(BridgeError.OfException("Receiving", error));
            }
        }

        private void Heard(IList<byte[]> frames)
        {
            var nowMs = _log.NowMs;
            var reply = Reply.Open(frames);
            lock (_gate)
            {
                _askedAtMs = 0;
                if (reply != null && reply.Kind == (int)MessageKind.Bye)
                {
                    _byeAnswered = true;
                    Monitor.PulseAll(_gate);
                }
            }
            if (reply == null || reply.Kind != (int)MessageKind.Infer)
            {
                return;
            }
            var pending = _book.Match(reply.Id);
            if (pending != null)
            {
                Settle(pending, reply, nowMs - pending.SentAtMs);
            }
        }

        private void Settle(PendingRequest pending, Reply reply, double roundTripMs)
        {
            DepthAnswer answer = null;
            BridgeError error;
            try
            {
                var header = reply.ReadHeader();
                error = Reply.ErrorOf(header);
                answer = error == null ? reply.ReadAnswer(header) : null;
            }
            catch (Exception problem)
            {
                error = new BridgeError(
                    BridgeError.BadAnswer, "What the server at " + _options.Endpoint + " answers cannot be read: " + problem.Message, false);
            }
            if (error != null)
            {
                _book.Refuse(pending, error);
                return;
            }
            WasUseful = true;
            _book.Answer(pending, answer, roundTripMs);
        }

        private void FindOverdue()
        {
            var expired = _book.TakeExpired(_log.NowMs, _options.Endpoint);
            lock (_gate)
            {
                foreach (var id in expired)
                {
                    _cancels.Enqueue(id);
                }
                if (expired.Count > 0)
                {
                    Monitor.PulseAll(_gate);
                }
                if (_askedAtMs > 0 && _log.NowMs - _askedAtMs > Math.Max(1000, _options.ConnectTimeoutMs))
                {
                    var sentence = "The server at " + _options.Endpoint + " has stopped answering; the connection is dropped.";
                    Lose(new BridgeError(BridgeError.ConnectionLost, sentence, true));
                }
            }
        }
    }
}
