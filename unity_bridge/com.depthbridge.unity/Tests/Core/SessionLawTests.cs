// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;
using NUnit.Framework;

namespace Depthbridge.Tests
{
    /// <summary>
    /// Whatever a server does, and whenever the session is stopped: each accepted request ends once and is released once, none of another's
    /// answers reaches it, and its buffers are not touched after their release.
    /// </summary>
    [TestFixture]
    public class SessionLawTests
    {
        /// <summary>One request, and what became of it.</summary>
        private sealed class Fate
        {
            internal int Number;
            internal bool Accepted;
            internal bool Settled;
            internal int Releases;
            internal readonly List<SessionEvent> Ends = new List<SessionEvent>();
        }

        /// <summary>A server that answers, late, twice, wrongly or not at all, hangs up, and refuses, by chance.</summary>
        private sealed class Misfit
        {
            private readonly Random _random;
            private readonly List<string> _wrongs = new List<string>();
            private readonly Func<int, Fate> _fateOf;
            private Action _held;

            internal Misfit(int seed, Func<int, Fate> fateOf)
            {
                _random = new Random(seed);
                _fateOf = fateOf;
                Server = new ScriptedServer { Connecting = Connect, Infer = Infer };
                var hello = Server.Hello;
                Server.Hello = (connection, id) => MaybeHello(connection, () => hello(connection, id));
                var other = Server.Other;
                Server.Other = (connection, kind, id) => MaybeOther(() => other(connection, kind, id));
            }

            internal ScriptedServer Server { get; private set; }

            internal IList<string> Wrongs
            {
                get { return _wrongs; }
            }

            private int Roll(int sides)
            {
                lock (_random)
                {
                    return _random.Next(sides);
                }
            }

            private void Connect(ScriptedTransport connection)
            {
                if (Roll(6) == 0)
                {
                    throw new TransportException(TransportFailure.Refused, "Nobody listens.");
                }
            }

            private void MaybeHello(ScriptedTransport connection, Action hello)
            {
                var roll = Roll(12);
                if (roll == 0)
                {
                    connection.Drop();
                }
                else if (roll != 1)
                {
                    hello();
                }
            }

            private void MaybeOther(Action answer)
            {
                if (Roll(8) != 0)
                {
                    answer();
                }
            }

            private void Infer(ScriptedTransport connection, ulong id, IList<byte[]> frames)
            {
                var fate = _fateOf(BitConverter.ToInt32(frames[3], 0));
                CheckBuffers(fate, "when sending began");
                Action answer = () => connection.Post(MessageKind.Infer, id, ScriptedServer.AnswerHeader(frames));
                switch (Roll(14))
                {
                    case 0:
                        connection.Drop();
                        break;
                    case 1:
                        answer();
                        connection.Drop();
                        break;
                    case 2:
                        answer();
                        answer();
                        break;
                    case 3:
                        connection.Post(MessageKind.Infer, id, ScriptedServer.ErrorHeader(Roll(2) == 0 ? "overloaded" : "internal"));
                        break;
                    case 4:
                        connection.Post(MessageKind.Infer, id, "{\"status\":\"ok\",\"result\":");
                        break;
                    case 5:
                        connection.Post(new List<byte[]> { new byte[Roll(12)], new byte[Roll(12)] });
                        connection.Post(MessageKind.Infer, id + 1000, ScriptedServer.AnswerHeader(frames));
                        break;
                    case 6:
                        Later(answer, Roll(80));
                        Thread.Sleep(Roll(40)); // the transport is slow to take it, too
                        break;
                    case 7:
                        HoldBack(answer);
                        break;
                    default:
                        Later(answer, Roll(15));
                        break;
                }
                CheckBuffers(fate, "while it was sent");
            }

            private void CheckBuffers(Fate fate, string when)
            {
                if (Thread.VolatileRead(ref fate.Releases) > 0)
                {
                    lock (_wrongs)
                    {
                        _wrongs.Add("frame " + fate.Number + " was released " + when);
                    }
                }
            }

            private static void Later(Action answer, int ms)
            {
                ThreadPool.QueueUserWorkItem(_ =>
                {
                    Thread.Sleep(ms);
                    answer();
                });
            }

            private void HoldBack(Action answer)
            {
                var earlier = Interlocked.Exchange(ref _held, answer); // until the next one: answers in the wrong order
                if (earlier != null)
                {
                    earlier();
                }
            }
        }

        private List<Fate> _fates;
        private BridgeSession _session;
        private SessionOptions _options;
        private Random _random;

        [Test]
        public void EveryAcceptedRequestEndsOnceAndIsReleasedOnce([Range(1, 30)] int seed)
        {
            _fates = new List<Fate>();
            _random = new Random(seed);
            _options = new SessionOptions
            {
                Flow = seed % 2 == 0 ? FlowMode.Lossless : FlowMode.LatestWins,
                QueueCapacity = _random.Next(1, 6),
                MaxInFlight = _random.Next(0, 5),
                EventCapacity = _random.Next(1, 40),
                ConnectTimeoutMs = 40,
                RequestTimeoutMs = 50,
                ReconnectMinMs = 2,
                ReconnectMaxMs = 8
            };
            var misfit = new Misfit(seed, number => _fates[number]);
            _session = new BridgeSession(_options, misfit.Server.Make);
            Play(misfit.Server);
            foreach (var fate in _fates)
            {
                Judge(fate);
            }
            Assert.That(misfit.Wrongs, Is.Empty);
            var counters = _session.Counters;
            Assert.That(counters.Answered + counters.Failed + counters.Dropped, Is.EqualTo(counters.Submitted));
        }

        /// <summary>Three threads submit, a fourth takes events, and now and then the session is stopped and started.</summary>
        private void Play(ScriptedServer server)
        {
            for (var number = 0; number < 3 * 60; number++)
            {
                _fates.Add(new Fate { Number = number });
            }
            var playing = true;
            var taker = new Thread(() => TakeUntil(() => !playing));
            taker.Start();
            _session.Start();
            var players = new Thread[3];
            for (var i = 0; i < players.Length; i++)
            {
                int first = 60 * i, seed = _random.Next();
                players[i] = new Thread(() => SubmitAll(first, new Random(seed)));
                players[i].Start();
            }
            for (var stops = _random.Next(3); stops > 0; stops--)
            {
                Thread.Sleep(_random.Next(60));
                _session.Stop();
                Thread.Sleep(_random.Next(10));
                _session.Start();
            }
            foreach (var player in players)
            {
                player.Join();
            }
            Thread.Sleep(_random.Next(80));
            var clock = Stopwatch.StartNew();
            _session.Stop();
            Assert.That(clock.ElapsedMilliseconds, Is.LessThan(5000));
            WaitForReleases();
            playing = false;
            taker.Join();
        }

        private void SubmitAll(int first, Random random)
        {
            for (var number = first; number < first + 60; number++)
            {
                var fate = _fates[number];
                var request = ScriptedServer.Frame(number, () => Interlocked.Increment(ref fate.Releases));
                for (var tries = 0; tries < 3 && !fate.Accepted; tries++)
                {
                    var outcome = _session.Submit(request);
                    fate.Accepted = outcome == SubmitOutcome.Queued || outcome == SubmitOutcome.ReplacedOlder;
                    Thread.Sleep(random.Next(4));
                }
                fate.Settled = true;
            }
        }

        private void TakeUntil(Func<bool> over)
        {
            var last = false;
            while (true)
            {
                SessionEvent next;
                if (_session.TryTake(out next))
                {
                    if (next.Request != null)
                    {
                        _fates[(int)next.Request.FrameId].Ends.Add(next);
                    }
                    continue;
                }
                if (last)
                {
                    return;
                }
                last = over();
                Thread.Sleep(1);
            }
        }

        private void WaitForReleases()
        {
            var clock = Stopwatch.StartNew();
            while (clock.ElapsedMilliseconds < 3000 && _fates.Exists(fate => fate.Accepted && Thread.VolatileRead(ref fate.Releases) == 0))
            {
                Thread.Sleep(1);
            }
        }

        private static void Judge(Fate fate)
        {
            var name = "frame " + fate.Number;
            Assert.That(fate.Settled, Is.True, name);
            Assert.That(fate.Ends.Count, Is.EqualTo(fate.Accepted ? 1 : 0), name);
            Assert.That(fate.Releases, Is.EqualTo(fate.Accepted ? 1 : 0), name);
            if (fate.Accepted && fate.Ends[0].Kind == SessionEventKind.Answered)
            {
                Assert.That(fate.Ends[0].Answer.Width, Is.EqualTo(fate.Number), name + " got the answer of another");
            }
        }
    }
}
