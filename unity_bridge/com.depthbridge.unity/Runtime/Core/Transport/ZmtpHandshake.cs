// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Text;

namespace Depthbridge
{
    /// <summary>
    /// The start of a connection by RFC 37/ZMTP: greeting, NULL mechanism, READY. The greeting goes out in two parts, as libzmq does it: a
    /// server with another mechanism hangs up on reading ours, and with the second part held back its own has been read by then, so that
    /// the error can name it.
    /// </summary>
    internal sealed class ZmtpHandshake
    {
        private const int GreetingSize = 64;
        private const int FirstPart = 12; // signature and version
        private const int MechanismAt = 12;
        private const int MechanismSize = 20;
        private const int PatienceMs = 250;
        private const int NudgeMs = 150;

        private readonly TcpLink _link;
        private readonly ZmtpFrameReader _frames;
        private readonly string _endpoint;
        private readonly Deadline _deadline;
        private readonly byte[] _greeting = new byte[GreetingSize];
        private int _received;
        private bool _sentAll;

        internal ZmtpHandshake(TcpLink link, ZmtpFrameReader frames, string endpoint, Deadline deadline)
        {
            _link = link;
            _frames = frames;
            _endpoint = endpoint;
            _deadline = deadline;
        }

        /// <summary>The peer's minor version of ZMTP 3.</summary>
        internal int PeerMinor
        {
            get { return _greeting[11]; }
        }

        /// <exception cref="TransportException">Why there will be no connection.</exception>
        internal void Run()
        {
            byte[] mine = Greeting();
            try
            {
                Write(mine, 0, FirstPart);
                ReceiveGreeting(mine);
                CheckMechanism();
                SendRest(mine);
                ExchangeReady();
                _link.ReadDeadline = Deadline.Never;
            }
            catch (TransportException problem)
            {
                throw Explained(problem);
            }
        }

        private static byte[] Greeting()
        {
            byte[] greeting = new byte[GreetingSize];
            greeting[0] = 0xff;
            greeting[9] = 0x7f;
            greeting[10] = 3;
            greeting[11] = 1;
            Encoding.ASCII.GetBytes("NULL", 0, 4, greeting, MechanismAt);
            return greeting;
        }

        private void ReceiveGreeting(byte[] mine)
        {
            Deadline unasked = Unasked();
            while (_received < GreetingSize)
            {
                _link.ReadDeadline = _sentAll ? Earlier(_received == 0 ? NudgeMs : 0) : unasked;
                try
                {
                    _frames.ReadExactly(_greeting, _received, 1);
                    _received++;
                }
                catch (TransportException problem)
                {
                    if (problem.Failure != TransportFailure.Timeout || _sentAll)
                    {
                        throw;
                    }
                    SendRest(mine);
                    continue;
                }
                CheckSoFar();
            }
        }

        private Deadline Earlier(int milliseconds)
        {
            return Deadline.In(Math.Max(0, _deadline.LeftMs - milliseconds));
        }

        private void SendRest(byte[] mine)
        {
            if (!_sentAll)
            {
                _sentAll = true;
                Write(mine, FirstPart, GreetingSize - FirstPart);
            }
        }

        /// <summary>Theirs first, if it comes unasked: libzmq may hang up on a type it cannot talk to before telling its own.</summary>
        private void ExchangeReady()
        {
            bool sent = false;
            _link.ReadDeadline = Unasked();
            try
            {
                _frames.AwaitByte();
            }
            catch (TransportException problem)
            {
                if (problem.Failure != TransportFailure.Timeout)
                {
                    throw;
                }
                Write(ZmtpCommand.Ready(), 0, -1);
                sent = true;
            }
            _link.ReadDeadline = _deadline;
            CheckReady(_frames.Next(ZmtpFrameReader.LargestCommand));
            if (!sent)
            {
                Write(ZmtpCommand.Ready(), 0, -1);
            }
        }

        /// <summary>When to stop waiting for the peer to go first: it may wait, too.</summary>
        private Deadline Unasked()
        {
            return Deadline.In(Math.Min(PatienceMs, _deadline.LeftMs / 2));
        }

        private void Write(byte[] bytes, int offset, int count)
        {
            int size = count < 0 ? bytes.Length : count;
            _link.Write(new List<ArraySegment<byte>> { new ArraySegment<byte>(bytes, offset, size) }, _deadline.LeftMs);
        }

        private void CheckSoFar()
        {
            if (_greeting[0] != 0xff || (_received >= 10 && (_greeting[9] & 1) == 0))
            {
                throw NotZeroMq(Excerpt());
            }
            if (_received > 10 && _greeting[10] < 3)
            {
                throw TooOld();
            }
        }

        private void CheckMechanism()
        {
            string mechanism = ZmtpCommand.Printable(_greeting, MechanismAt, MechanismSize).TrimEnd('.');
            if (mechanism == "NULL")
            {
                return;
            }
            string message = " needs " + mechanism + "; this client speaks NULL: start the server with a token instead, or use a tunnel.";
            throw new TransportException(TransportFailure.NeedsCurve, _endpoint + message);
        }

        private void CheckReady(ZmtpFrame frame)
        {
            ZmtpCommand command;
            if (!frame.IsCommand || !ZmtpCommand.TryParse(frame.Body, out command))
            {
                throw Violation("something that is no command");
            }
            if (command.Name == "ERROR")
            {
                string refusal = _endpoint + " refuses this client: '" + command.Reason() + "'; look into the server's settings and log.";
                throw new TransportException(TransportFailure.Refused, refusal);
            }
            Dictionary<string, string> properties = command.Name == "READY" ? command.Properties() : null;
            string type;
            if (properties == null || !properties.TryGetValue("Socket-Type", out type))
            {
                throw Violation("no proper READY");
            }
            if (type != "ROUTER" && type != "DEALER" && type != "REP")
            {
                string message = " is a ZeroMQ socket of type " + Printed(type) + ", which cannot talk to a DEALER; is the port another's?";
                throw new TransportException(TransportFailure.WrongPeer, _endpoint + message);
            }
        }

        /// <summary>The bytes that are no greeting, up to the end of a line, read for the message's sake.</summary>
        private byte[] Excerpt()
        {
            byte[] said = new byte[60];
            Array.Copy(_greeting, said, _received);
            int count = _received;
            _link.ReadDeadline = Deadline.In(Math.Min(NudgeMs, _deadline.LeftMs));
            try
            {
                while (count < said.Length && said[count - 1] != '\n')
                {
                    _frames.ReadExactly(said, count, 1);
                    count++;
                }
            }
            catch (TransportException)
            {
                // What there is must do.
            }
            Array.Resize(ref said, count);
            return said;
        }

        private TransportException NotZeroMq(byte[] said)
        {
            if (said.Length >= 2 && said[1] == 0 && said.Length == said[0] + 1) // a whole identity frame: how ZMTP 1.0 begins
            {
                return TooOld();
            }
            string text = ZmtpCommand.Printable(said, 0, said.Length).TrimEnd('.');
            // Some answer a request line that they cannot read with the page alone.
            bool page = text.StartsWith("<!DOCTYPE", StringComparison.OrdinalIgnoreCase);
            bool http = page || text.StartsWith("HTTP/", StringComparison.Ordinal);
            string what = http ? "an HTTP server, not a ZeroMQ one" : "no ZeroMQ server of version 4.0 or newer";
            string message = " is " + what + " (it said '" + text + "'); use the port that the depth server names at its start.";
            return new TransportException(TransportFailure.NotZeroMq, _endpoint + message);
        }

        private TransportException TooOld()
        {
            string message = _endpoint + " speaks ZeroMQ's protocol before version 3 (ZMTP 1 or 2); the server needs ZeroMQ 4.0 or newer.";
            return new TransportException(TransportFailure.NotZeroMq, message);
        }

        private TransportException Explained(TransportException problem)
        {
            if (problem.Failure == TransportFailure.Timeout)
            {
                return _received == 0 ? Silent() : Late(problem);
            }
            if (problem.Failure == TransportFailure.Closed && !_link.IsClosed)
            {
                string message = " closed the connection during the handshake: no ZeroMQ server, or one that refuses or stops.";
                return new TransportException(TransportFailure.Closed, _endpoint + message, problem);
            }
            return problem;
        }

        /// <summary>An HTTP server waits for the end of a line. It gets one: its answer makes a far better message than its
        /// silence.</summary>
        private TransportException Silent()
        {
            try
            {
                Write(Encoding.ASCII.GetBytes("\r\n\r\n"), 0, -1);
                _link.ReadDeadline = Earlier(0);
                _frames.ReadExactly(_greeting, 0, 1);
                _received = 1;
                return _greeting[0] == 0xff ? Late(null) : NotZeroMq(Excerpt());
            }
            catch (TransportException problem)
            {
                string message = " accepted the connection and said nothing: no ZeroMQ server, or one that hangs; is the port right?";
                return new TransportException(TransportFailure.Timeout, _endpoint + message, problem);
            }
        }

        private TransportException Late(Exception cause)
        {
            string message = " did not finish the handshake in time: the server hangs, or the network is slow; allow more time.";
            return new TransportException(TransportFailure.Timeout, _endpoint + message, cause);
        }

        private TransportException Violation(string what)
        {
            string message = " broke ZeroMQ's handshake with " + what + "; is a ZeroMQ server behind that port?";
            return new TransportException(TransportFailure.Violation, _endpoint + message);
        }

        private static string Printed(string text)
        {
            byte[] bytes = Encoding.ASCII.GetBytes(text);
            return ZmtpCommand.Printable(bytes, 0, bytes.Length);
        }
    }
}
