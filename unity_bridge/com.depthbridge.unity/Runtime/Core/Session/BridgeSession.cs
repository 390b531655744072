// SPDX-License-Identifier: Apache-2.0
using System;

namespace Depthbridge
{
    /// <summary>
    /// Frames to a server and distances back, in threads of its own: connects, and connects again, keeps to the server's limits, and ends
    /// every accepted request in exactly one of Answered, Failed and Dropped.
    /// </summary>
    /// <remarks>
    /// Start, Stop, Submit and the properties may be used from any thread; <see cref="TryTake"/> hands out what happened, in order,
    /// wherever it is called: in Unity in Update. Nothing here is static, and nothing is left after <see cref="Stop"/>.
    /// </remarks>
    public sealed class BridgeSession : IDisposable
    {
        private readonly object _gate = new object();
        private readonly SessionOptions _options;
        private readonly Func<ITransport> _makeTransport;
        private readonly SessionLog _log = new SessionLog();
        private volatile SessionRun _run;

        /// <param name="options">Copied; later changes have no effect.</param>
        /// <param name="makeTransport">One for each connection; null: <see cref="ZmtpTransport"/>.</param>
        /// <exception cref="ArgumentException">Options that cannot be kept; the message says which.</exception>
        public BridgeSession(SessionOptions options, Func<ITransport> makeTransport = null)
        {
            if (options == null)
            {
                throw new ArgumentNullException("options");
            }
            if (options.Fault() != null)
            {
                throw new ArgumentException(options.Fault(), "options");
            }
            _options = options.Copy();
            _makeTransport = makeTransport ?? MakeZmtp;
        }

        /// <summary>What it is doing.</summary>
        public SessionState State
        {
            get
            {
                var run = _run;
                return run != null ? run.State : SessionState.Stopped;
            }
        }

        /// <summary>The same in one sentence, with the cause where something is wrong.</summary>
        public string Status
        {
            get
            {
                var run = _run;
                return run != null ? run.Status : "Not started.";
            }
        }

        /// <summary>What the server last said of itself; null before its first word since Start.</summary>
        public ServerHello Server
        {
            get
            {
                var run = _run;
                return run != null ? run.Server : null;
            }
        }

        /// <summary>What has happened so far, over all of Start and Stop; a copy.</summary>
        public SessionCounters Counters
        {
            get { return _log.Counters; }
        }

        /// <summary>Begins to connect, and returns at once. Nothing happens when it is running.</summary>
        public void Start()
        {
            lock (_gate)
            {
                if (_run != null && !_run.Stopping)
                {
                    return;
                }
                _run = new SessionRun(_options, _makeTransport, _log);
                _run.Start();
            }
        }

        /// <summary>
        /// Ends all requests with the error "stopped", tells the server, closes the connection and waits for the threads, at most 2 s in
        /// all. May be called again, and from any thread; Start may follow.
        /// </summary>
        public void Stop()
        {
            SessionRun run;
            lock (_gate)
            {
                run = _run;
            }
            if (run != null)
            {
                run.Stop();
            }
        }

        /// <summary>Stop.</summary>
        public void Dispose()
        {
            Stop();
        }

        /// <summary>Takes a frame, or says why not; never waits. See <see cref="SubmitOutcome"/> for whose the request is then.</summary>
        /// <exception cref="ArgumentException">It can never be sent; the message is <see cref="DepthRequest.Fault"/>.</exception>
        /// <exception cref="InvalidOperationException">It is in a session already.</exception>
        public SubmitOutcome Submit(DepthRequest request)
        {
            if (request == null)
            {
                throw new ArgumentNullException("request");
            }
            var fault = request.Fault();
            if (fault != null)
            {
                throw new ArgumentException(fault, "request");
            }
            var run = _run;
            return run != null ? run.Book.Submit(request) : SubmitOutcome.Stopped;
        }

        /// <summary>The next thing that happened; false when there is none. Also after Stop, until all is taken.</summary>
        public bool TryTake(out SessionEvent next)
        {
            return _log.Events.TryTake(out next);
        }

        private static ITransport MakeZmtp()
        {
            return new ZmtpTransport();
        }
    }
}
