// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Text;
using System.Threading;
using NUnit.Framework;

namespace Depthbridge.Tests
{
    [TestFixture]
    public class SessionTests
    {
        private ScriptedServer _server;
        private SessionOptions _options;
        private BridgeSession _session;
        private List<SessionEvent> _events;

        [SetUp]
        public void SetUp()
        {
            _server = new ScriptedServer();
            _options = new SessionOptions { ReconnectMinMs = 5, ReconnectMaxMs = 20, ConnectTimeoutMs = 300, RequestTimeoutMs = 5000 };
            _events = new List<SessionEvent>();
        }

        [TearDown]
        public void TearDown()
        {
            if (_session != null)
            {
                _session.Stop();
            }
        }

        [Test]
        public void AFrameIsAnsweredAndReleasedOnce()
        {
            var released = 0;
            Start(FlowMode.LatestWins);
            WaitState(SessionState.Ready);
            var request = ScriptedServer.Frame(77, () => Interlocked.Increment(ref released));
            Assert.That(_session.Submit(request), Is.EqualTo(SubmitOutcome.Queued));
            var end = WaitEnds(1)[0];
            Assert.That(end.Kind, Is.EqualTo(SessionEventKind.Answered));
            Assert.That(end.Answer.Width, Is.EqualTo(77));
            Assert.That(end.Request, Is.SameAs(request));
            Assert.That(end.Server.Model, Is.EqualTo("scripted"));
            Wait(() => released == 1, "release");
            Assert.That(_session.Submit(request), Is.EqualTo(SubmitOutcome.Queued), "the same object again");
            WaitEnds(2);
            Wait(() => released == 2, "second release");
            var counters = _session.Counters;
            var counted = new[] { counters.Submitted, counters.Sent, counters.Answered, counters.Failed };
            Assert.That(counted, Is.EqualTo(new long[] { 2, 2, 2, 0 }));
        }

        [Test]
        public void ARequestThatIsInASessionCannotBeSubmittedAgain()
        {
            _server.Infer = (connection, id, frames) => { };
            Start(FlowMode.Lossless);
            var request = ScriptedServer.Frame(1);
            _session.Submit(request);
            Assert.Throws<InvalidOperationException>(() => _session.Submit(request));
            Assert.Throws<ArgumentException>(() => _session.Submit(new DepthRequest()));
            Assert.Throws<ArgumentNullException>(() => _session.Submit(null));
        }

        [Test]
        public void TheNewestFrameWinsAndTheOthersAreDropped()
        {
            var held = new List<Action>();
            _server.Hello = (connection, id) => connection.Post(MessageKind.Hello, id, ScriptedServer.HelloHeader(1, 1 << 20));
            _server.Infer = (connection, id, frames) => Hold(held, () => connection.Answer(id, frames));
            Start(FlowMode.LatestWins);
            WaitState(SessionState.Ready);
            _session.Submit(ScriptedServer.Frame(1));
            Wait(() => Count(held) == 1, "the first frame at the server");
            Assert.That(_session.Submit(ScriptedServer.Frame(2)), Is.EqualTo(SubmitOutcome.Queued));
            Assert.That(_session.Submit(ScriptedServer.Frame(3)), Is.EqualTo(SubmitOutcome.ReplacedOlder));
            Assert.That(_session.Submit(ScriptedServer.Frame(4)), Is.EqualTo(SubmitOutcome.ReplacedOlder));
            Run(held, 0);
            Wait(() => Count(held) == 2, "the newest frame at the server");
            Run(held, 1);
            var ends = WaitEnds(4);
            Assert.That(ends.ConvertAll(end => end.Kind + " " + end.Request.FrameId),
                Is.EquivalentTo(new[] { "Dropped 2", "Dropped 3", "Answered 1", "Answered 4" }));
            Assert.That(_session.Counters.Dropped, Is.EqualTo(2));
        }

        [Test]
        public void NeverMoreThanTheServersCreditIsUnderWay()
        {
            int underWay = 0, most = 0;
            _server.Infer = (connection, id, frames) =>
            {
                var now = Interlocked.Increment(ref underWay);
                most = Math.Max(most, now);
                ThreadPool.QueueUserWorkItem(_ =>
                {
                    Thread.Sleep(2);
                    Interlocked.Decrement(ref underWay);
                    connection.Post(MessageKind.Infer, id, ScriptedServer.AnswerHeader(frames));
                });
            };
            _options.QueueCapacity = 100;
            _options.MaxInFlight = 50;
            Start(FlowMode.Lossless);
            Submit(60);
            Assert.That(WaitEnds(60).TrueForAll(end => end.Kind == SessionEventKind.Answered), Is.True);
            Assert.That(most, Is.EqualTo(4));
        }

        [Test]
        public void AnswersInAnyOrderComeToTheirOwnFrames()
        {
            var held = new List<Action>();
            _server.Infer = (connection, id, frames) => Hold(held, () => connection.Answer(id, frames));
            Start(FlowMode.Lossless);
            Submit(4);
            Wait(() => Count(held) == 4, "all at the server");
            foreach (var place in new[] { 2, 0, 3, 1 })
            {
                Run(held, place);
            }
            foreach (var end in WaitEnds(4))
            {
                Assert.That(end.Answer.Width, Is.EqualTo(end.Request.FrameId));
            }
        }

        [Test]
        public void AQueueThatIsFullSaysSoAndLeavesTheRequestToTheCaller()
        {
            var released = 0;
            _server.Connecting = connection => { throw new TransportException(TransportFailure.Refused, "Nobody listens."); };
            _options.QueueCapacity = 3;
            Start(FlowMode.Lossless);
            Submit(3, () => Interlocked.Increment(ref released));
            var fourth = ScriptedServer.Frame(4, () => Interlocked.Increment(ref released));
            Assert.That(_session.Submit(fourth), Is.EqualTo(SubmitOutcome.QueueFull));
            Assert.That(_session.Submit(fourth), Is.EqualTo(SubmitOutcome.QueueFull));
            _server.Connecting = connection => { };
            WaitEnds(3);
            Assert.That(_session.Submit(fourth), Is.EqualTo(SubmitOutcome.Queued));
            WaitEnds(4);
            Wait(() => released == 4, "releases");
        }

        [Test]
        public void EventsThatNobodyTakesAreBounded()
        {
            var released = 0;
            _options.EventCapacity = 10;
            Start(FlowMode.LatestWins);
            WaitState(SessionState.Ready);
            var accepted = 0;
            for (var i = 0; i < 3000; i++)
            {
                var outcome = _session.Submit(ScriptedServer.Frame(i, () => Interlocked.Increment(ref released)));
                accepted += outcome == SubmitOutcome.Queued || outcome == SubmitOutcome.ReplacedOlder ? 1 : 0;
                if (i % 100 == 0)
                {
                    _server.Connections[_server.Connections.Count - 1].Drop();
                    Thread.Sleep(5);
                }
            }
            Assert.That(accepted, Is.InRange(10, 10 + 4 + 1));
            Wait(() => released == accepted, "releases");
            Thread.Sleep(100);
            Drain();
            Assert.That(_events.Count, Is.InRange(accepted, accepted + 16), "of states only the last 16 are kept");
            Assert.That(_session.Submit(ScriptedServer.Frame(1)), Is.Not.EqualTo(SubmitOutcome.QueueFull), "room again");
        }

        [Test]
        public void ALateAnswerIsStaleAndTheFrameIsCancelled()
        {
            var late = new List<Action>();
            var cancelled = new List<ulong>();
            var sent = new List<ulong>();
            _server.Infer = (connection, id, frames) =>
            {
                sent.Add(id);
                Hold(late, () => connection.Answer(id, frames));
            };
            _server.Other = (connection, kind, id) =>
            {
                if (kind == MessageKind.Cancel)
                {
                    cancelled.Add(id);
                    connection.Post(kind, id, "{\"status\":\"ok\",\"state\":\"stopping\"}");
                }
            };
            _options.RequestTimeoutMs = 40;
            Start(FlowMode.Lossless);
            Submit(1);
            var end = WaitEnds(1)[0];
            Assert.That(end.Kind, Is.EqualTo(SessionEventKind.Failed));
            Assert.That(end.Error.Code, Is.EqualTo(BridgeError.Timeout));
            Wait(() => cancelled.Count == 1, "cancel");
            Run(late, 0);
            Wait(() => _session.Counters.Stale == 1, "stale answer");
            Drain();
            Assert.That(Ends().Count, Is.EqualTo(1));
            Assert.That(cancelled, Is.EqualTo(sent));
            Assert.That(_session.Counters.TimedOut, Is.EqualTo(1));
            Assert.That(_session.State, Is.EqualTo(SessionState.Ready), "a server that answers the cancel is alive");
        }

        [Test]
        public void AServerThatDoesNotEvenAnswerTheCancelIsLeft()
        {
            _server.Infer = (connection, id, frames) => { };
            _server.Other = (connection, kind, id) => { };
            _options.RequestTimeoutMs = 30;
            Start(FlowMode.LatestWins);
            Submit(1);
            WaitEnds(1);
            Wait(() => _server.Connections.Count >= 2, "another connection");
            WaitState(SessionState.Ready);
            Assert.That(_session.Counters.Reconnects, Is.EqualTo(1));
        }

        [TestCase("overloaded")]
        [TestCase("not_ready")]
        public void LosslessSendsAgainWhatABusyServerRefused(string code)
        {
            var refusals = 0;
            _server.Infer = (connection, id, frames) => connection.Post(
                MessageKind.Infer, id, ++refusals <= 5 ? ScriptedServer.ErrorHeader(code) : ScriptedServer.AnswerHeader(frames));
            Start(FlowMode.Lossless);
            Submit(6);
            var ends = WaitEnds(6);
            Assert.That(ends.TrueForAll(end => end.Kind == SessionEventKind.Answered && end.Answer.Width == end.Request.FrameId), Is.True);
            Assert.That(_session.Counters.Failed, Is.EqualTo(0));
        }

        [Test]
        public void LatestWinsReportsWhatABusyServerRefused()
        {
            _server.Infer = (connection, id, frames) => connection.Post(MessageKind.Infer, id, ScriptedServer.ErrorHeader("overloaded"));
            Start(FlowMode.LatestWins);
            Submit(1);
            var end = WaitEnds(1)[0];
            Assert.That(end.Error.Code, Is.EqualTo("overloaded"));
            Assert.That(end.Error.Message, Is.EqualTo("A sentence."));
            Assert.That(end.Error.Retryable, Is.True);
        }

        [Test]
        public void LosslessSendsAgainAfterALossButNotForEver()
        {
            var deliveries = 0;
            _server.Infer = (connection, id, frames) =>
            {
                deliveries++;
                connection.Drop();
            };
            Start(FlowMode.Lossless);
            Submit(1);
            var end = WaitEnds(1)[0];
            Assert.That(end.Error.Code, Is.EqualTo(BridgeError.ConnectionLost));
            Assert.That(deliveries, Is.EqualTo(3), "sent once and again at most twice");
        }

        [Test]
        public void WhatIsSentAgainComesInTheOrderOfItsSubmission()
        {
            var first = true;
            var order = new List<int>();
            _server.Infer = (connection, id, frames) =>
            {
                order.Add(BitConverter.ToInt32(frames[3], 0));
                if (first && order.Count < 4)
                {
                    return;
                }
                if (first)
                {
                    first = false;
                    order.Clear();
                    connection.Drop(); // with four under way and two waiting
                    return;
                }
                connection.Answer(id, frames);
            };
            _options.MaxInFlight = 4;
            Start(FlowMode.Lossless);
            Submit(6);
            WaitEnds(6);
            Assert.That(order, Is.EqualTo(new[] { 1, 2, 3, 4, 5, 6 }));
        }

        [Test]
        public void LatestWinsReportsALossAtOnce()
        {
            var deliveries = 0;
            _server.Infer = (connection, id, frames) =>
            {
                deliveries++;
                connection.Drop();
            };
            Start(FlowMode.LatestWins);
            Submit(1);
            Assert.That(WaitEnds(1)[0].Error.Code, Is.EqualTo(BridgeError.ConnectionLost));
            Assert.That(deliveries, Is.EqualTo(1));
        }

        [Test]
        public void WhatTheServerCannotTakeIsNotSent()
        {
            _server.Hello = (connection, id) => connection.Post(MessageKind.Hello, id, ScriptedServer.HelloHeader(4, 2000));
            var deliveries = 0;
            var submitted = new ManualResetEvent(false);
            _server.Connecting = connection => submitted.WaitOne(5000);
            _server.Infer = (connection, id, frames) => deliveries++;
            Start(FlowMode.LatestWins);
            var large = new DepthRequest { Image = FramePayload.Rgba(new byte[4 * 1000], 100, 10), WantObjects = false, WantDepth = true };
            _session.Submit(large); // before anything is known of the server
            submitted.Set();
            var end = WaitEnds(1)[0];
            Assert.That(end.Error.Code, Is.EqualTo(BridgeError.TooLarge));
            Assert.That(end.Error.Message, Is.StringContaining("2000"));
            Assert.That(_session.Submit(large), Is.EqualTo(SubmitOutcome.TooLarge));
            var wordy = ScriptedServer.Frame(1);
            wordy.Model = new string('x', 3000);
            Assert.That(_session.Submit(wordy), Is.EqualTo(SubmitOutcome.Queued), "only its header is too large");
            Assert.That(WaitEnds(2)[1].Error.Code, Is.EqualTo(BridgeError.TooLarge));
            Assert.That(deliveries, Is.EqualTo(0));
            Assert.That(_server.Connections.Count, Is.EqualTo(1));
        }

        [Test]
        public void ARequestThatJsonCannotHoldFailsAlone()
        {
            Start(FlowMode.Lossless);
            var bad = ScriptedServer.Frame(1);
            bad.Model = "\ud800";
            _session.Submit(bad);
            _session.Submit(ScriptedServer.Frame(2));
            var ends = WaitEnds(2);
            Assert.That(ends[0].Error.Code, Is.EqualTo(BridgeError.ClientFault));
            Assert.That(ends[1].Kind, Is.EqualTo(SessionEventKind.Answered));
        }

        [TestCase("{\"status\":\"ok\"}")]
        [TestCase("{\"status\":\"ok\",\"result\":[]}")]
        [TestCase("[]")]
        [TestCase("{")]
        [TestCase("{\"status\":\"error\"}")]
        [TestCase("{\"status\":\"ok\",\"payloads\":[{}],\"result\":{\"model\":\"m\",\"unit\":\"m\",\"camera_source\":\"none\",\"width\":1,\"height\":1}}")]
        public void AnAnswerThatCannotBeReadFailsItsFrameAlone(string header)
        {
            var first = true;
            _server.Infer = (connection, id, frames) =>
            {
                connection.Post(MessageKind.Infer, id, first ? header : ScriptedServer.AnswerHeader(frames));
                first = false;
            };
            Start(FlowMode.Lossless);
            Submit(2);
            var ends = WaitEnds(2);
            Assert.That(ends[0].Error.Code, Is.EqualTo(BridgeError.BadAnswer));
            Assert.That(ends[1].Kind, Is.EqualTo(SessionEventKind.Answered));
        }

        [Test]
        public void AnotherVersionIsRefusedAndBothAreNamed()
        {
            _server.Hello = (connection, id) =>
            {
                var prefix = BridgeProtocol.Prefix(MessageKind.Hello);
                prefix[5] = 9;
                var header = Encoding.UTF8.GetBytes(ScriptedServer.ErrorHeader("unsupported_version"));
                connection.Post(new List<byte[]> { prefix, BridgeProtocol.IdBytes(id), header });
            };
            Start(FlowMode.Lossless);
            var waiting = _session.Submit(ScriptedServer.Frame(1)) == SubmitOutcome.Queued;
            WaitState(SessionState.Refused);
            Assert.That(_session.Status, Is.StringContaining("0.9").And.StringContaining("0.3").And.StringContaining(_options.Endpoint));
            if (waiting)
            {
                Assert.That(WaitEnds(1)[0].Error.Code, Is.EqualTo(BridgeError.VersionMismatch));
            }
            Assert.That(_session.Submit(ScriptedServer.Frame(2)), Is.EqualTo(SubmitOutcome.Stopped));
            Thread.Sleep(60);
            Assert.That(_server.Connections.Count, Is.EqualTo(1), "not tried again");
            _session.Stop();
            _server.Hello = new ScriptedServer().Hello;
            _session.Start();
            WaitState(SessionState.Ready);
        }

        [Test]
        public void AWrongTokenIsRefused()
        {
            _server.Hello = (connection, id) => connection.Post(MessageKind.Hello, id, ScriptedServer.ErrorHeader("unauthorized"));
            Start(FlowMode.LatestWins);
            WaitState(SessionState.Refused);
            Assert.That(_session.Status, Is.StringContaining("token"));
            Drain();
            Assert.That(_events[_events.Count - 1].Error.Code, Is.EqualTo(BridgeError.Unauthorized));
        }

        [TestCase("{\"status\":\"ok\"}")]
        [TestCase("no json")]
        [TestCase("{\"status\":\"error\",\"error\":{\"code\":\"not_ready\",\"message\":\"It is going.\"}}")]
        public void AHelloThatIsNoneIsTriedAgain(string header)
        {
            var tries = 0;
            var good = ScriptedServer.HelloHeader(1, 1000);
            _server.Hello = (connection, id) => connection.Post(MessageKind.Hello, id, ++tries < 3 ? header : good);
            Start(FlowMode.LatestWins);
            WaitState(SessionState.Ready);
            Assert.That(tries, Is.EqualTo(3));
            Drain();
            Assert.That(_events.Exists(e => e.State == SessionState.Waiting && e.Error != null), Is.True);
        }

        [Test]
        public void AServerThatIsSilentIsSaidToBe()
        {
            _server.Hello = (connection, id) => { };
            Start(FlowMode.LatestWins);
            WaitState(SessionState.Waiting);
            Assert.That(_session.Status, Is.StringContaining("did not answer hello"));
        }

        [Test]
        public void TheNewestFrameWaitsForAServer()
        {
            var open = false;
            _server.Connecting = connection =>
            {
                if (!open)
                {
                    throw new TransportException(TransportFailure.Refused, "Nobody listens at this address.");
                }
            };
            Start(FlowMode.LatestWins);
            WaitState(SessionState.Waiting);
            Assert.That(_session.Status, Is.StringContaining("Nobody listens").And.StringContaining("Trying again"));
            Submit(3);
            open = true;
            var ends = WaitEnds(3);
            var told = ends.ConvertAll(end => end.Kind + " " + end.Request.FrameId);
            Assert.That(told, Is.EqualTo(new[] { "Dropped 1", "Dropped 2", "Answered 3" }));
        }

        [TestCase(FlowMode.Lossless)]
        [TestCase(FlowMode.LatestWins)]
        public void StopEndsEverythingAtOnceWhateverIsGoingOn(FlowMode flow)
        {
            foreach (var phase in new[] { "connecting", "hello", "sending", "waiting for an answer", "backing off", "idle" })
            {
                SetUp();
                var released = 0;
                var reached = false;
                _server.Connecting = connection => Reach(phase == "connecting", ref reached, connection.BlockUntilClosed);
                var hello = _server.Hello;
                _server.Hello = (connection, id) => Reach(phase == "hello", ref reached, () => { }, () => hello(connection, id));
                _server.Infer = (connection, id, frames) =>
                    Reach(phase == "sending", ref reached, connection.BlockUntilClosed, () => reached = true);
                if (phase == "backing off")
                {
                    _options.ReconnectMinMs = _options.ReconnectMaxMs = 60000;
                    _server.Hello = (connection, id) => Reach(true, ref reached, connection.Drop);
                }
                Start(flow);
                if (phase != "idle")
                {
                    Submit(3, () => Interlocked.Increment(ref released));
                    Wait(() => reached, phase);
                }
                else
                {
                    WaitState(SessionState.Ready);
                }
                var clock = Stopwatch.StartNew();
                _session.Stop();
                Assert.That(clock.ElapsedMilliseconds, Is.LessThan(5000), phase);
                Assert.That(_session.State, Is.EqualTo(SessionState.Stopped), phase);
                Drain();
                var ends = Ends();
                Assert.That(ends.Count, Is.EqualTo(phase == "idle" ? 0 : 3), phase);
                Assert.That(released, Is.EqualTo(ends.Count), phase);
                ends.RemoveAll(end => end.Kind == SessionEventKind.Dropped);
                Assert.That(ends.TrueForAll(end => end.Error.Code == BridgeError.Stopped), Is.True, phase);
                Assert.That(new List<ScriptedTransport>(_server.Connections).TrueForAll(c => c.IsClosed), Is.True, phase);
                Assert.That(_events[_events.Count - 1].State, Is.EqualTo(SessionState.Stopped), phase);
                Assert.That(_session.Submit(ScriptedServer.Frame(9)), Is.EqualTo(SubmitOutcome.Stopped));
                _session.Stop();
            }
        }

        [Test]
        public void StopSaysByeAndEndsItsRequestsItself()
        {
            int byes = 0, started = 0;
            ulong underWay = 0;
            _server.Infer = (connection, id, frames) =>
            {
                underWay = id;
                started = 1;
            };
            _server.Other = (connection, kind, id) =>
            {
                byes += kind == MessageKind.Bye ? 1 : 0;
                connection.Post(MessageKind.Infer, underWay, ScriptedServer.ErrorHeader("cancelled")); // as a server does at a bye
                Thread.Sleep(30);
                connection.Post(kind, id, "{\"status\":\"ok\",\"dropped\":1}");
            };
            Start(FlowMode.LatestWins);
            Submit(1);
            Wait(() => started == 1, "the frame at the server");
            _session.Stop();
            Assert.That(byes, Is.EqualTo(1));
            Assert.That(WaitEnds(1)[0].Error.Code, Is.EqualTo(BridgeError.Stopped));
        }

        [Test]
        public void AReleaseThatThrowsOrStopsTheSessionHarmsNobody()
        {
            Start(FlowMode.Lossless);
            _session.Submit(ScriptedServer.Frame(1, () => { throw new InvalidOperationException("mine"); }));
            WaitEnds(1);
            Wait(() => Told(BridgeError.ClientFault), "the exception told");
            _session.Submit(ScriptedServer.Frame(2, () => _session.Stop()));
            WaitEnds(2);
            WaitState(SessionState.Stopped);
            Assert.That(_server.Connections.Count, Is.EqualTo(1), "the connection stood");
        }

        [Test]
        public void ATransportThatCannotBeMadeIsToldAndTriedAgain()
        {
            var tries = 0;
            _session = new BridgeSession(_options, () =>
            {
                if (++tries < 3)
                {
                    throw new InvalidOperationException("no sockets");
                }
                return _server.Make();
            });
            _session.Start();
            WaitState(SessionState.Ready);
            Assert.That(Told(BridgeError.ClientFault), Is.True);
        }

        [Test]
        public void OptionsThatCannotBeKeptAreRefused()
        {
            Assert.Throws<ArgumentNullException>(() => new BridgeSession(null));
            Assert.Throws<ArgumentException>(() => new BridgeSession(new SessionOptions { Endpoint = "" }));
            Assert.Throws<ArgumentException>(() => new BridgeSession(new SessionOptions { QueueCapacity = 0 }));
            Assert.Throws<ArgumentException>(() => new BridgeSession(new SessionOptions { RequestTimeoutMs = 0 }));
            Assert.Throws<ArgumentException>(() => new BridgeSession(new SessionOptions { ReconnectMinMs = 10, ReconnectMaxMs = 5 }));
        }

        [Test]
        public void TheConnectionTestFindsTheServerOrSaysWhy()
        {
            var report = ConnectionTest.Run(_options, _server.Make);
            Assert.That(report.Ok, Is.True);
            Assert.That(report.Sentence, Is.StringContaining("scripted").And.StringContaining("9.8.7"));
            Assert.That(report.RoundTripMs, Is.GreaterThan(0));
            _server.Other = (connection, kind, id) => { };
            Assert.That(ConnectionTest.Run(_options, _server.Make).Error.Code, Is.EqualTo(BridgeError.Timeout));
            _server.Other = (connection, kind, id) => connection.Drop();
            Assert.That(ConnectionTest.Run(_options, _server.Make).Error.Code, Is.EqualTo(BridgeError.ConnectionLost));
            _server.Connecting = connection => { throw new TransportException(TransportFailure.Refused, "Nobody listens."); };
            report = ConnectionTest.Run(_options, _server.Make);
            Assert.That(report.Ok, Is.False);
            Assert.That(report.Sentence, Is.EqualTo("Nobody listens."));
            Assert.That(ConnectionTest.Run(new SessionOptions { Endpoint = "" }, _server.Make).Ok, Is.False);
            Assert.That(new List<ScriptedTransport>(_server.Connections).TrueForAll(c => c.IsClosed), Is.True);
        }

        // ---- help ------------------------------------------------------------------------------------------------------

        private static void Reach(bool here, ref bool reached, Action then, Action otherwise = null)
        {
            if (here)
            {
                reached = true;
                then();
            }
            else if (otherwise != null)
            {
                otherwise();
            }
        }

        private static void Hold(List<Action> held, Action action)
        {
            lock (held)
            {
                held.Add(action);
            }
        }

        private static int Count(List<Action> held)
        {
            lock (held)
            {
                return held.Count;
            }
        }

        private static void Run(List<Action> held, int place)
        {
            Action action;
            lock (held)
            {
                action = held[place];
            }
            action();
        }

        private void Start(FlowMode flow)
        {
            _options.Flow = flow;
            _session = new BridgeSession(_options, _server.Make);
            _session.Start();
        }

        private void Submit(int count, Action release = null)
        {
            for (var number = 1; number <= count; number++)
            {
                var outcome = _session.Submit(ScriptedServer.Frame(number, release));
                Assert.That(outcome, Is.EqualTo(SubmitOutcome.Queued).Or.EqualTo(SubmitOutcome.ReplacedOlder));
            }
        }

        private void Drain()
        {
            SessionEvent next;
            while (_session.TryTake(out next))
            {
                _events.Add(next);
            }
        }

        private List<SessionEvent> Ends()
        {
            return _events.FindAll(item => item.Request != null);
        }

        private bool Told(string code)
        {
            Drain();
            return _events.Exists(item => item.Request == null && item.Error != null && item.Error.Code == code);
        }

        private List<SessionEvent> WaitEnds(int count)
        {
            Wait(() => { Drain(); return Ends().Count >= count; }, count + " ends");
            return Ends();
        }

        private void WaitState(SessionState state)
        {
            Wait(() => _session.State == state, "state " + state);
        }

        private void Wait(Func<bool> done, string what)
        {
            var clock = Stopwatch.StartNew();
            while (!done())
            {
                Thread.Sleep(1);
                Assert.That(clock.ElapsedMilliseconds, Is.LessThan(10000), "no " + what + "; " + _session.Status);
            }
        }
    }
}
