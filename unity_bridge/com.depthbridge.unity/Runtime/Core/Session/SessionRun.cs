// SPDX-License-Identifier: Apache-2.0
using System;
using System.Globalization;
using System.Threading;

namespace Depthbridge
{
    /// <summary>
    /// One Start to Stop: a thread that connects, sends, and connects again, and one that receives while connected. A run that has been
    /// stopped never comes back, so that even a thread that is stuck in the system cannot touch the next one.
    /// </summary>
    internal sealed class SessionRun
    {
        private const int StopLimitMs = 1800;
        private const int PoliteMs = 500;

        private readonly object _gate = new object();
        private readonly SessionOptions _options;
        private readonly Func<ITransport> _makeTransport;
        private readonly SessionLog _log;
        private readonly Random _jitter = new Random(Guid.NewGuid().GetHashCode());
        private readonly Thread _thread;
        private ITransport _transport;
        private Link _link;
        private volatile SessionState _state;
        private volatile string _status = "Starting.";
        private volatile ServerHello _server;
        private volatile bool _stopping;
        private bool _ended;
        private int _connections;
        private int _failures;

        internal SessionRun(SessionOptions options, Func<ITransport> makeTransport, SessionLog log)
        {
            _options = options;
            _makeTransport = makeTransport;
            _log = log;
            Book = new RequestBook(_gate, options, log, () => Monitor.PulseAll(_gate), () => _state);
            _thread = new Thread(Main) { IsBackground = true, Name = "Depthbridge session" };
        }

        internal RequestBook Book { get; private set; }

        internal SessionState State
        {
            get { return _state; }
        }

        internal string Status
        {
            get { return _status; }
        }

        internal ServerHello Server
        {
            get { return _server; }
        }

        internal bool Stopping
        {
            get { return _stopping; }
        }

        internal void Start()
        {
            SetState(SessionState.Connecting, "Connecting to " + _options.Endpoint + ".", null);
            _thread.Start();
        }

        /// <summary>Any thread, any number of times; returns when no thread is left, or after its limit.</summary>
        internal void Stop()
        {
            Link link;
            lock (_gate)
            {
                _stopping = true;
                link = _link;
                Monitor.PulseAll(_gate);
            }
            if (Thread.CurrentThread == _thread || (link != null && link.IsCurrentThread))
            {
                return; // called from a Release: the thread ends itself
            }
            var start = _log.NowMs;
            // Time for a bye, if the thread can send one now; a thread inside Connect or Send is woken by closing.
            if (link != null && !link.IsSending)
            {
                _thread.Join(PoliteMs);
            }
            CloseTransport();
            _thread.Join(Math.Max(1, StopLimitMs - (int)(_log.NowMs - start)));
            End();
        }

        private void Main()
        {
            try
            {
                while (!_stopping)
                {
                    ConnectOnce();
                }
            }
            catch (Exception problem)
            {
                Book.Close(BridgeError.OfException("The session", problem));
            }
            finally
            {
                CloseTransport();
                End();
            }
        }

        private void ConnectOnce()
        {
            BridgeError error;
            try
            {
                var transport = _makeTransport();
                lock (_gate)
                {
                    _transport = transport;
                }
                if (_stopping)
                {
                    return;
                }
                SetState(SessionState.Connecting, "Connecting to " + _options.Endpoint + ".", null);
                var handshake = Handshake.Run(transport, _options, _log.NextId());
                if (handshake.IsFinal)
                {
                    CloseTransport();
                    BeRefused(handshake.Error);
                    return;
                }
                error = handshake.Error ?? Serve(transport, handshake.Server);
            }
            catch (Exception problem)
            {
                error = BridgeError.OfException("The connection", problem);
            }
            CloseTransport();
            Book.Lost(_stopping ? BridgeError.OfStop() : error);
            BackOff(error);
        }

        private BridgeError Serve(ITransport transport, ServerHello server)
        {
            var link = new Link(_gate, transport, _options, _log, Book);
            lock (_gate)
            {
                _link = link;
                _server = server;
                if (++_connections > 1)
                {
                    _log.Count(counters => counters.Reconnects++);
                }
            }
            Book.Connected(server);
            SetState(
                SessionState.Ready,
                "Connected to " + _options.Endpoint + ": " + server.Model + ", depthbridge " + server.ServerVersion + ".",
                null);
            try
            {
                return link.Run(server, () => _stopping);
            }
            finally
            {
                if (link.WasUseful)
                {
                    _failures = 0;
                }
                lock (_gate)
                {
                    _link = null;
                }
            }
        }

        private void BeRefused(BridgeError error)
        {
            Book.Close(error);
            SetState(SessionState.Refused, error.Message, error);
            lock (_gate)
            {
                while (!_stopping)
                {
                    Monitor.Wait(_gate);
                }
            }
        }

        private void BackOff(BridgeError error)
        {
            if (_stopping)
            {
                return;
            }
            var pause = Math.Min(_options.ReconnectMaxMs, _options.ReconnectMinMs * Math.Pow(2, Math.Min(_failures++, 20)));
            pause *= 0.5 + 0.5 * _jitter.NextDouble(); // many clients of one server do not come back all at once
            var seconds = (Math.Ceiling(pause / 100) / 10).ToString("0.0", CultureInfo.InvariantCulture);
            SetState(SessionState.Waiting, error.Message + " Trying again in " + seconds + " s.", error);
            var until = _log.NowMs + pause;
            lock (_gate)
            {
                while (!_stopping)
                {
                    var left = until - _log.NowMs;
                    if (left <= 0)
                    {
                        return;
                    }
                    Monitor.Wait(_gate, (int)Math.Ceiling(left));
                }
            }
        }

        private void SetState(SessionState state, string status, BridgeError error)
        {
            lock (_gate)
            {
                _status = status;
                if (_ended || (_stopping && state != SessionState.Stopped) || (_state == state && error == null))
                {
                    return;
                }
                _state = state;
                _log.Events.Add(new SessionEvent(SessionEventKind.StateChanged) { State = state, Error = error, Server = _server });
                _ended = state == SessionState.Stopped;
            }
        }

        private void CloseTransport()
        {
            ITransport transport;
            lock (_gate)
            {
                transport = _transport;
                _transport = null;
            }
            if (transport != null)
            {
                transport.Close();
            }
        }

        private void End()
        {
            Book.Close(BridgeError.OfStop());
            SetState(SessionState.Stopped, "Stopped.", null);
        }
    }
}
