// SPDX-License-Identifier: Apache-2.0
using System;
using System.Threading;

namespace Depthbridge.Editor
{
    /// <summary>A connection test on a thread of its own: the editor never waits for it. Main thread.</summary>
    internal sealed class ConnectionCheck
    {
        private Run _run;

        /// <summary>A test is under way.</summary>
        public bool IsRunning
        {
            get { return _run != null && _run.Sentence == null; }
        }

        /// <summary>What the last test found, for a human; null before one, and while one runs.</summary>
        public string Sentence
        {
            get { return _run != null ? _run.Sentence : null; }
        }

        /// <summary>Whether the last test found a server that this client can work with.</summary>
        public bool IsGood
        {
            get { return _run != null && _run.IsGood; }
        }

        /// <summary>Starts a test; one that runs is given up.</summary>
        public void Start(SessionOptions options)
        {
            Stop();
            _run = new Run(options);
        }

        /// <summary>Gives up what runs and forgets what was found. May be called again.</summary>
        public void Stop()
        {
            var run = _run;
            _run = null;
            if (run != null)
            {
                run.Stop();
            }
        }

        private sealed class Run
        {
            private readonly object _gate = new object();
            private readonly SessionOptions _options;
            private ITransport _transport;
            private bool _stopped;
            private volatile bool _good;
            private volatile string _sentence;

            public Run(SessionOptions options)
            {
                _options = options;
                new Thread(Work) { IsBackground = true, Name = "Depthbridge connection test" }.Start();
            }

            public string Sentence
            {
                get { return _sentence; }
            }

            public bool IsGood
            {
                get { return _good; }
            }

            public void Stop()
            {
                lock (_gate)
                {
                    _stopped = true;
                    if (_transport != null)
                    {
                        _transport.Close(); // wakes the thread
                    }
                }
            }

            private void Work()
            {
                try
                {
                    var report = ConnectionTest.Run(_options, MakeTransport);
                    _good = report.Ok;
                    _sentence = report.Sentence;
                }
                catch (Exception error) // nobody else would hear of it on this thread
                {
                    _sentence = "The test failed with " + error.GetType().Name + ": " + error.Message;
                }
            }

            private ITransport MakeTransport()
            {
                lock (_gate)
                {
                    _transport = new ZmtpTransport();
                    if (_stopped)
                    {
                        _transport.Close();
                    }
                    return _transport;
                }
            }
        }
    }
}
