// SPDX-License-Identifier: Apache-2.0
using System.Diagnostics;

namespace Depthbridge
{
    /// <summary>Connecting, and what the server says of itself: either <see cref="Server"/> or <see cref="Error"/>.</summary>
    internal sealed class Handshake
    {
        private Handshake(ServerHello server, BridgeError error, bool isFinal)
        {
            Server = server;
            Error = error;
            IsFinal = isFinal;
        }

        internal ServerHello Server { get; private set; }

        internal BridgeError Error { get; private set; }

        /// <summary>Trying again without a change on either side is of no use.</summary>
        internal bool IsFinal { get; private set; }

        /// <summary>Never throws; closing the transport ends it.</summary>
        internal static Handshake Run(ITransport transport, SessionOptions options, ulong id)
        {
            try
            {
                transport.Connect(options.Endpoint, options.ConnectTimeoutMs);
                transport.Send(MessageWriter.Hello(id, options));
                var reply = Await(transport, MessageKind.Hello, id, options.ConnectTimeoutMs);
                return reply != null ? Judge(reply, options) : Fail(
                    BridgeError.NoServer,
                    "What listens at " + options.Endpoint + " speaks ZeroMQ and did not answer hello within " + options.ConnectTimeoutMs +
                    " ms; is it a Depthbridge server?");
            }
            catch (TransportException error)
            {
                var isFinal = error.Failure == TransportFailure.BadEndpoint;
                return new Handshake(null, new BridgeError(BridgeError.NoServer, error.Message, !isFinal), isFinal);
            }
            catch (JsonException error)
            {
                return Fail(BridgeError.NoServer, "What answers at " + options.Endpoint + " is no Depthbridge server: " + error.Message);
            }
        }

        /// <summary>The answer of that kind and id; null when it does not come in time.</summary>
        internal static Reply Await(ITransport transport, MessageKind kind, ulong id, int timeoutMs)
        {
            var clock = Stopwatch.StartNew();
            while (true)
            {
                var left = timeoutMs - (int)clock.ElapsedMilliseconds;
                var frames = left > 0 ? transport.Receive(left) : null;
                if (frames == null)
                {
                    return null;
                }
                var reply = Reply.Open(frames);
                if (reply != null && reply.Id == id && reply.Kind == (int)kind)
                {
                    return reply;
                }
            }
        }

        private static Handshake Judge(Reply reply, SessionOptions options)
        {
            if (!reply.FitsVersion)
            {
                return new Handshake(null, Mismatch(reply, options), true);
            }
            var header = reply.ReadHeader();
            var error = Reply.ErrorOf(header);
            if (error == null)
            {
                return new Handshake(new ServerHello(header), null, false);
            }
            if (error.Code == BridgeError.Unauthorized)
            {
                var sentence = string.IsNullOrEmpty(options.Token)
                    ? "The server at " + options.Endpoint + " demands a token; enter the one from its token file."
                    : "The server at " + options.Endpoint + " does not accept this token; enter the one from its token file.";
                return new Handshake(null, new BridgeError(error.Code, sentence, false), true);
            }
            return Fail(error.Code, "The server at " + options.Endpoint + " says: " + error.Message);
        }

        private static BridgeError Mismatch(Reply reply, SessionOptions options)
        {
            var release = "";
            try
            {
                var version = reply.ReadHeader()["server_version"];
                release = version != null ? " (depthbridge " + version.AsText() + ")" : "";
            }
            catch (JsonException)
            {
                // a version this client does not know may say it in another way
            }
            var server = reply.Major + "." + reply.Minor;
            var client = BridgeProtocol.Major + "." + BridgeProtocol.Minor;
            var newer = reply.Major > BridgeProtocol.Major || (reply.Major == BridgeProtocol.Major && reply.Minor > BridgeProtocol.Minor);
            return new BridgeError(
                BridgeError.VersionMismatch,
                "The server at " + options.Endpoint + release + " speaks version " + server + " of the protocol, and this package (" +
                BridgeProtocol.ClientVersion + ") " + client + "; update " + (newer ? "the Unity package." : "the server."),
                false);
        }

        private static Handshake Fail(string code, string message)
        {
            return new Handshake(null, new BridgeError(code, message, true), false);
        }
    }
}
