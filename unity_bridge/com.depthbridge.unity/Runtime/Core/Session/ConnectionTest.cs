// SPDX-License-Identifier: Apache-2.0
using System;
using System.Diagnostics;
using System.Globalization;

namespace Depthbridge
{
    /// <summary>What a connection test found.</summary>
    public sealed class ConnectionReport
    {
        internal ConnectionReport(ServerHello server, BridgeError error, double roundTripMs, string sentence)
        {
            Server = server;
            Error = error;
            RoundTripMs = roundTripMs;
            Sentence = sentence;
        }

        /// <summary>A server answers, and this client can work with it.</summary>
        public bool Ok
        {
            get { return Error == null; }
        }

        /// <summary>For a human: what was found, or what is wrong and what to do.</summary>
        public string Sentence { get; private set; }

        /// <summary>The server's account of itself; null when there is none.</summary>
        public ServerHello Server { get; private set; }

        /// <summary>What is wrong; null when nothing is.</summary>
        public BridgeError Error { get; private set; }

        /// <summary>Of one small question, milliseconds; 0 when there was no answer.</summary>
        public double RoundTripMs { get; private set; }
    }

    /// <summary>Tries once whether a server can be reached, for an Editor's button.</summary>
    public static class ConnectionTest
    {
        /// <summary>
        /// Blocks for at most about three times ConnectTimeoutMs: call it from a thread that may wait. Never throws for what it finds.
        /// </summary>
        public static ConnectionReport Run(SessionOptions options, Func<ITransport> makeTransport = null)
        {
            if (options == null)
            {
                throw new ArgumentNullException("options");
            }
            var fault = options.Fault();
            if (fault != null)
            {
                return Failed(null, new BridgeError(BridgeError.ClientFault, fault, false));
            }
            using (var transport = makeTransport != null ? makeTransport() : new ZmtpTransport())
            {
                var handshake = Handshake.Run(transport, options, 1);
                return handshake.Error != null ? Failed(null, handshake.Error) : Time(transport, options, handshake.Server);
            }
        }

        private static ConnectionReport Time(ITransport transport, SessionOptions options, ServerHello server)
        {
            try
            {
                var clock = Stopwatch.StartNew();
                transport.Send(MessageWriter.Plain(MessageKind.Health, 2, options.Token));
                var reply = Handshake.Await(transport, MessageKind.Health, 2, options.ConnectTimeoutMs);
                var roundTripMs = clock.Elapsed.TotalMilliseconds;
                if (reply == null)
                {
                    const string sentence = "The server said hello and then nothing more; try again.";
                    return Failed(server, new BridgeError(BridgeError.Timeout, sentence, true));
                }
                var error = Reply.ErrorOf(reply.ReadHeader());
                if (error != null)
                {
                    return Failed(server, error);
                }
                var found = "Connected to " + options.Endpoint + ": " + server.Model + " (" + server.Kind + "), depthbridge " +
                    server.ServerVersion + ", " + roundTripMs.ToString("0.0", CultureInfo.InvariantCulture) + " ms.";
                return new ConnectionReport(server, null, roundTripMs, found);
            }
            catch (TransportException error)
            {
                return Failed(server, new BridgeError(BridgeError.ConnectionLost, error.Message, true));
            }
            catch (JsonException error)
            {
                return Failed(server, new BridgeError(BridgeError.BadAnswer, error.Message, false));
            }
        }

        private static ConnectionReport Failed(ServerHello server, BridgeError error)
        {
            return new ConnectionReport(server, error, 0, error.Message);
        }
    }
}
