// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using UnityEngine;

namespace Depthbridge
{
    /// <summary>
    /// A connection to a depthbridge server: connects, connects again after a loss, sends frames, and hands answers to the main thread. All
    /// waiting, sending and decoding happens on threads of the session; Update only passes on what has arrived.
    /// </summary>
    [AddComponentMenu("Depthbridge/Depth Bridge Client")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(-1000)]
    public sealed partial class DepthBridgeClient : MonoBehaviour
    {
        private readonly HashSet<string> _said = new HashSet<string>();
        private BridgeSession _session;

        /// <summary>A request was answered. Main thread.</summary>
        public event Action<DepthRequest, DepthAnswer> Answered;

        /// <summary>A request was refused, timed out, or lost. Main thread.</summary>
        public event Action<DepthRequest, BridgeError> Failed;

        /// <summary>A request gave way to a newer frame before it was sent. Main thread.</summary>
        public event Action<DepthRequest> Dropped;

        /// <summary>The state is another one; see <see cref="Status"/> for the sentence. Main thread.</summary>
        public event Action<SessionState> StateChanged;

        /// <summary>What the connection is doing.</summary>
        public SessionState State
        {
            get { return _session != null ? _session.State : SessionState.Stopped; }
        }

        /// <summary>One sentence for a human.</summary>
        public string Status
        {
            get { return _session != null ? _session.Status : "Not connected: the client is stopped."; }
        }

        /// <summary>What the server says of itself; null before it has.</summary>
        public ServerHello Server
        {
            get { return _session != null ? _session.Server : null; }
        }

        /// <summary>What has happened since Connect; null while stopped.</summary>
        public SessionCounters Counters
        {
            get { return _session != null ? _session.Counters : null; }
        }

        /// <summary>Of the last answer, milliseconds from sending to receiving; 0 before one.</summary>
        public double LastRoundTripMs { get; private set; }

        /// <summary>Starts to connect with the settings as they are; a running connection is stopped first.</summary>
        public void Connect()
        {
            Disconnect();
            _said.Clear();
            try
            {
                _session = new BridgeSession(Options());
                _session.Start();
            }
            catch (Exception error) when (error is DepthbridgeException || error is ArgumentException)
            {
                _session = null;
                Say(error.Message);
            }
        }

        /// <summary>Stops. Requests that wait end as Failed, code "stopped". May be called at any time, and again.</summary>
        public void Disconnect()
        {
            var session = _session;
            _session = null;
            if (session == null)
            {
                return;
            }
            session.Stop();
            Drain(session);
            session.Dispose();
        }

        /// <summary>
        /// Hands a frame over, without blocking. See <see cref="BridgeSession.Submit"/>: what is not accepted stays the caller's.
        /// </summary>
        public SubmitOutcome Submit(DepthRequest request)
        {
            return _session != null ? _session.Submit(request) : SubmitOutcome.Stopped;
        }

        private void OnEnable()
        {
            if (_connectOnEnable)
            {
                Connect();
            }
        }

        private void Update()
        {
            if (_session != null)
            {
                Drain(_session);
            }
        }

        private void OnDisable()
        {
            Disconnect();
        }

        private void OnApplicationQuit()
        {
            Disconnect();
        }

        private void OnDestroy()
        {
            Disconnect();
        }

        private void Drain(BridgeSession session)
        {
            SessionEvent next;
            while (session.TryTake(out next))
            {
                try
                {
                    Dispatch(next);
                }
                catch (Exception error) // a listener's: the other events still come
                {
                    Debug.LogException(error, this);
                }
            }
        }

        private void Dispatch(SessionEvent next)
        {
            switch (next.Kind)
            {
                case SessionEventKind.Answered:
                    LastRoundTripMs = next.RoundTripMs;
                    Raise(Answered, next.Request, next.Answer);
                    break;
                case SessionEventKind.Failed:
                    if (next.Error.Code != BridgeError.Stopped)
                    {
                        Say(next.Error.Message);
                    }
                    Raise(Failed, next.Request, next.Error);
                    break;
                case SessionEventKind.Dropped:
                    if (Dropped != null)
                    {
                        Dropped(next.Request);
                    }
                    break;
                default:
                    OnState(next);
                    break;
            }
        }

        private void OnState(SessionEvent next)
        {
            if (next.Error != null)
            {
                Say(next.Error.Message);
            }
            else if (next.State == SessionState.Ready)
            {
                _said.Clear(); // what goes wrong after this is news
                if (_logConnection)
                {
                    Debug.Log("Depthbridge: " + Status, this);
                }
            }
            if (StateChanged != null)
            {
                StateChanged(next.State);
            }
        }

        private static void Raise<T>(Action<DepthRequest, T> listeners, DepthRequest request, T about)
        {
            if (listeners != null)
            {
                listeners(request, about);
            }
        }

        /// <summary>To the console; each sentence once per connection.</summary>
        private void Say(string sentence)
        {
            if (_logConnection && _said.Add(sentence))
            {
                Debug.LogWarning("Depthbridge: " + sentence, this);
            }
        }
    }
}
