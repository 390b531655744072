// SPDX-License-Identifier: Apache-2.0
using System;

namespace Depthbridge
{
    /// <summary>Why a request or a connection failed: the server's own code and sentence, or one of the codes below.</summary>
    public sealed class BridgeError
    {
        /// <summary>Nobody listens at the endpoint, or not a Depthbridge server.</summary>
        public const string NoServer = "no_server";
        /// <summary>The server went away while it had the request.</summary>
        public const string ConnectionLost = "connection_lost";
        /// <summary>No answer in time.</summary>
        public const string Timeout = "timeout";
        /// <summary>Server and client speak different versions of the protocol.</summary>
        public const string VersionMismatch = "version_mismatch";
        /// <summary>The server demands a token, or another one.</summary>
        public const string Unauthorized = "unauthorized";
        /// <summary>More than the server takes.</summary>
        public const string TooLarge = "too_large";
        /// <summary>The session was stopped.</summary>
        public const string Stopped = "stopped";
        /// <summary>An answer that cannot be read.</summary>
        public const string BadAnswer = "bad_answer";
        /// <summary>A request that cannot be written, or an exception in the client.</summary>
        public const string ClientFault = "client_fault";

        /// <param name="code">For programs.</param>
        /// <param name="message">One sentence for a human.</param>
        /// <param name="retryable">Whether the very same request may succeed later.</param>
        public BridgeError(string code, string message, bool retryable)
        {
            Code = code;
            Message = message;
            Retryable = retryable;
        }

        /// <summary>For programs: the server's codes stand in docs/protocol.md, the client's own are the constants here.</summary>
        public string Code { get; private set; }

        /// <summary>One sentence for a human.</summary>
        public string Message { get; private set; }

        /// <summary>Whether the very same request may succeed later.</summary>
        public bool Retryable { get; private set; }

        internal static BridgeError OfStop()
        {
            return new BridgeError(Stopped, "The session was stopped.", true);
        }

        internal static BridgeError OfException(string what, Exception error)
        {
            return new BridgeError(ClientFault, what + " failed with " + error.GetType().Name + ": " + error.Message, true);
        }

        /// <summary>Code and sentence.</summary>
        public override string ToString()
        {
            return Code + ": " + Message;
        }
    }
}
