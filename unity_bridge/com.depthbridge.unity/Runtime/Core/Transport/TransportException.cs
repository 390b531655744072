// SPDX-License-Identifier: Apache-2.0
using System;

namespace Depthbridge
{
    /// <summary>Why a connection could not be made, or ended.</summary>
    public enum TransportFailure
    {
        /// <summary>Nothing listens there, the network does not lead there, or the server refused this client in the handshake.</summary>
        Refused,

        /// <summary>The host's name cannot be looked up.</summary>
        UnknownHost,

        /// <summary>The peer was silent, or did not read, for longer than allowed.</summary>
        Timeout,

        /// <summary>What listens there does not speak ZMTP 3: an HTTP server, for example, or ZeroMQ before 4.0.</summary>
        NotZeroMq,

        /// <summary>The server demands a security mechanism (CURVE, PLAIN, ...) that this transport does not speak.</summary>
        NeedsCurve,

        /// <summary>A ZeroMQ socket of a type that does not talk to a DEALER.</summary>
        WrongPeer,

        /// <summary>The connection was closed, by the peer, the network or <see cref="ITransport.Close"/>.</summary>
        Closed,

        /// <summary>The peer sent bytes that ZMTP does not allow.</summary>
        Violation,

        /// <summary>A frame or message is over a limit of <see cref="TransportLimits"/>.</summary>
        TooLarge,

        /// <summary>The endpoint is not of the form tcp://host:port.</summary>
        BadEndpoint
    }

    /// <summary>A transport's only exception. The message is one sentence: what happened, with which endpoint, what to do.</summary>
    public sealed class TransportException : Exception
    {
        /// <summary>A failure with its sentence.</summary>
        public TransportException(TransportFailure failure, string message, Exception cause = null)
            : base(message, cause)
        {
            Failure = failure;
        }

        /// <summary>The kind of failure.</summary>
        public TransportFailure Failure { get; private set; }
    }
}
