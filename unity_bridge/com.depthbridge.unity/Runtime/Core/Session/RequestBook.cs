// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;

namespace Depthbridge
{
    /// <summary>
    /// Which requests wait, which are under way, and how each of them ends: exactly once. No thread of its own; its methods take the lock
    /// that is handed in, and call Release outside it.
    /// </summary>
    internal sealed class RequestBook
    {
        private const int MaxLosses = 2;
        private const double FirstPauseMs = 20;
        private const double LongestPauseMs = 1000;

        private readonly object _gate;
        private readonly SessionOptions _options;
        private readonly SessionLog _log;
        private readonly Action _wake;
        private readonly Func<SessionState> _state;
        private readonly LinkedList<PendingRequest> _waiting = new LinkedList<PendingRequest>();
        private readonly Dictionary<ulong, PendingRequest> _underWay = new Dictionary<ulong, PendingRequest>();
        private readonly Queue<Action> _releases = new Queue<Action>();
        private BridgeError _closed;
        private ServerHello _server;
        private double _pausedUntilMs;
        private double _pauseMs;
        private long _lastPlace;

        internal RequestBook(object gate, SessionOptions options, SessionLog log, Action wake, Func<SessionState> state)
        {
            _gate = gate;
            _options = options;
            _log = log;
            _wake = wake;
            _state = state;
        }

        private bool Lossless
        {
            get { return _options.Flow == FlowMode.Lossless; }
        }

        /// <summary>Requests may be sent to this server; null: to nobody now.</summary>
        internal void Connected(ServerHello server)
        {
            lock (_gate)
            {
                _server = server;
                _pausedUntilMs = _pauseMs = 0;
            }
        }

        internal SubmitOutcome Submit(DepthRequest request)
        {
            var outcome = SubmitOutcome.Queued;
            lock (_gate)
            {
                if (_closed != null)
                {
                    return SubmitOutcome.Stopped;
                }
                if (_server != null && TooLarge(request, request.PayloadBytes, _server) != null)
                {
                    return SubmitOutcome.TooLarge;
                }
                if (_log.Events.Ends >= _options.EventCapacity || (Lossless && _waiting.Count >= _options.QueueCapacity))
                {
                    return SubmitOutcome.QueueFull;
                }
                if (!request.TryTakeInUse())
                {
                    throw new InvalidOperationException(
                        "This request is in a session already; submit it again after its end, or make a new one.");
                }
                if (!Lossless && _waiting.Count > 0)
                {
                    var older = _waiting.First.Value;
                    _waiting.RemoveFirst();
                    _log.Count(counters => counters.Dropped++);
                    End(older, new SessionEvent(SessionEventKind.Dropped));
                    outcome = SubmitOutcome.ReplacedOlder;
                }
                _waiting.AddLast(new PendingRequest(request, ++_lastPlace));
                _log.Count(counters => counters.Submitted++);
                _wake();
            }
            RunReleases();
            return outcome;
        }

        /// <summary>
        /// The next request to send, now under way and with a new id; null when none may be sent now. Call under the lock.
        /// </summary>
        internal PendingRequest Next(double nowMs)
        {
            if (_server == null || _waiting.Count == 0 || nowMs < _pausedUntilMs || _underWay.Count >= Credit())
            {
                return null;
            }
            var next = _waiting.First.Value;
            _waiting.RemoveFirst();
            next.WireId = _log.NextId();
            next.SentAtMs = nowMs;
            next.Sending = true;
            _underWay.Add(next.WireId, next);
            return next;
        }

        /// <summary>
        /// When <see cref="Next"/> may have something that it has not now; null: at the next change. Call under the lock.
        /// </summary>
        internal double? PausedUntilMs
        {
            get { return _waiting.Count > 0 && _pausedUntilMs > 0 ? _pausedUntilMs : (double?)null; }
        }

        /// <summary>The transport has let go of its buffers.</summary>
        internal void EndSending(PendingRequest pending, bool wasSent)
        {
            lock (_gate)
            {
                pending.Sending = false;
                if (wasSent)
                {
                    _log.Count(counters => counters.Sent++);
                }
                if (pending.Ended)
                {
                    pending.Request.GiveBack();
                }
                if (pending.Ended || (wasSent && !Lossless))
                {
                    PlanRelease(pending);
                }
            }
            RunReleases();
        }

        /// <summary>Takes the request that this answers from those under way; null when nobody waits for it any more.</summary>
        internal PendingRequest Match(ulong wireId)
        {
            lock (_gate)
            {
                PendingRequest found;
                if (!_underWay.TryGetValue(wireId, out found))
                {
                    _log.Count(counters => counters.Stale++);
                    return null;
                }
                _underWay.Remove(wireId);
                _wake();
                return found;
            }
        }

        internal void Answer(PendingRequest pending, DepthAnswer answer, double roundTripMs)
        {
            lock (_gate)
            {
                _pausedUntilMs = _pauseMs = 0;
                _log.Count(counters => CountAnswer(counters, roundTripMs));
                End(pending, new SessionEvent(SessionEventKind.Answered) { Answer = answer, RoundTripMs = roundTripMs, Server = _server });
            }
            RunReleases();
        }

        /// <summary>A matched request ends with an error, or waits to be sent again where that is worth it.</summary>
        internal void Refuse(PendingRequest pending, BridgeError error)
        {
            lock (_gate)
            {
                if (Lossless && _closed == null && (error.Code == "overloaded" || error.Code == "not_ready"))
                {
                    _pauseMs = _pauseMs > 0 ? Math.Min(_pauseMs * 2, LongestPauseMs) : FirstPauseMs;
                    _pausedUntilMs = _log.NowMs + _pauseMs;
                    WaitAgain(pending);
                    _wake();
                    return;
                }
                Fail(pending, error);
            }
            RunReleases();
        }

        /// <summary>A request that <see cref="Next"/> gave out cannot be sent, and ends.</summary>
        internal void GiveUp(PendingRequest pending, BridgeError error)
        {
            lock (_gate)
            {
                if (_underWay.Remove(pending.WireId))
                {
                    Fail(pending, error);
                }
            }
            RunReleases();
        }

        /// <summary>Ends what was not answered in time, and says with which ids it was sent.</summary>
        internal IList<ulong> TakeExpired(double nowMs, string endpoint)
        {
            List<ulong> expired = null;
            lock (_gate)
            {
                foreach (var pair in _underWay)
                {
                    if (nowMs - pair.Value.SentAtMs >= _options.RequestTimeoutMs)
                    {
                        expired = expired ?? new List<ulong>();
                        expired.Add(pair.Key);
                    }
                }
                if (expired == null)
                {
                    return new ulong[0];
                }
                foreach (var id in expired)
                {
                    var pending = _underWay[id];
                    _underWay.Remove(id);
                    _log.Count(counters => counters.TimedOut++);
                    Fail(pending, new BridgeError(
                        BridgeError.Timeout,
                        "The server at " + endpoint + " did not answer within " + _options.RequestTimeoutMs +
                        " ms; it may be busy, or the timeout too short for its model.",
                        true));
                }
                _wake();
            }
            RunReleases();
            return expired;
        }

        /// <summary>The connection is gone: what was under way is sent again on the next one, at most twice, or fails.</summary>
        internal void Lost(BridgeError error)
        {
            lock (_gate)
            {
                _server = null;
                foreach (var pending in TakeUnderWay())
                {
                    if (Lossless && _closed == null && ++pending.Losses <= MaxLosses)
                    {
                        WaitAgain(pending);
                    }
                    else
                    {
                        Fail(pending, error);
                    }
                }
            }
            RunReleases();
        }

        /// <summary>Ends everything, and accepts nothing more.</summary>
        internal void Close(BridgeError error)
        {
            lock (_gate)
            {
                _closed = _closed ?? error;
                _server = null;
                var all = TakeUnderWay();
                all.AddRange(_waiting);
                _waiting.Clear();
                foreach (var pending in all)
                {
                    Fail(pending, error);
                }
            }
            RunReleases();
        }

        /// <summary>Why a server does not take so much; null when it does.</summary>
        internal static BridgeError TooLarge(DepthRequest request, long bytes, ServerHello server)
        {
            var pixels = (long)request.Image.Width * request.Image.Height;
            if (bytes > server.MaxMessageBytes)
            {
                return new BridgeError(
                    BridgeError.TooLarge,
                    "The frame needs " + bytes + " bytes and the server takes at most " + server.MaxMessageBytes +
                    "; send a smaller picture or a JPEG, or start the server with a larger --max-megapixels.",
                    false);
            }
            if (pixels > server.MaxPixels)
            {
                return new BridgeError(
                    BridgeError.TooLarge,
                    "The picture has " + pixels + " pixels and the server takes at most " + server.MaxPixels +
                    "; send a smaller one, or start the server with a larger --max-megapixels.",
                    false);
            }
            return null;
        }

        /// <summary>Calls what was planned. Never under the lock.</summary>
        private void RunReleases()
        {
            while (true)
            {
                Action release;
                lock (_gate)
                {
                    if (_releases.Count == 0)
                    {
                        return;
                    }
                    release = _releases.Dequeue();
                }
                try
                {
                    release();
                }
                catch (Exception error)
                {
                    _log.Events.Add(new SessionEvent(SessionEventKind.StateChanged)
                    {
                        Error = BridgeError.OfException("A request's Release", error)
                    });
                }
            }
        }

        /// <summary>All under way, the first submitted first, and none is any more.</summary>
        private List<PendingRequest> TakeUnderWay()
        {
            var all = new List<PendingRequest>(_underWay.Values);
            all.Sort((a, b) => a.Place.CompareTo(b.Place));
            _underWay.Clear();
            return all;
        }

        /// <summary>Back to its place in the order of submission.</summary>
        private void WaitAgain(PendingRequest pending)
        {
            var node = _waiting.First;
            while (node != null && node.Value.Place < pending.Place)
            {
                node = node.Next;
            }
            if (node == null)
            {
                _waiting.AddLast(pending);
            }
            else
            {
                _waiting.AddBefore(node, pending);
            }
        }

        private int Credit()
        {
            return _options.MaxInFlight > 0 ? Math.Min(_options.MaxInFlight, _server.MaxInFlight) : _server.MaxInFlight;
        }

        private static void CountAnswer(SessionCounters counters, double roundTripMs)
        {
            counters.Answered++;
            counters.LastRoundTripMs = roundTripMs;
        }

        private void Fail(PendingRequest pending, BridgeError error)
        {
            _log.Count(counters => counters.Failed++);
            End(pending, new SessionEvent(SessionEventKind.Failed) { Error = error });
        }

        private void End(PendingRequest pending, SessionEvent end)
        {
            pending.Ended = true;
            if (!pending.Sending)
            {
                pending.Request.GiveBack(); // before the event: who takes that may submit the request again
                PlanRelease(pending);
            }
            end.Request = pending.Request;
            end.State = _state();
            _log.Events.Add(end);
        }

        private void PlanRelease(PendingRequest pending)
        {
            var release = pending.TakeRelease();
            if (release != null)
            {
                _releases.Enqueue(release);
            }
        }
    }
}
