// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;

namespace Depthbridge
{
    /// <summary>
    /// One connection to a server's ROUTER that carries messages of one or more frames, as a ZeroMQ DEALER does.
    /// An object makes one connection: after <see cref="Close"/>, or after an exception from <see cref="Connect"/>, make a new one.
    /// </summary>
    public interface ITransport : IDisposable
    {
        /// <summary>Connects and completes the handshake.</summary>
        /// <param name="endpoint"><c>tcp://host:port</c>; the host is a name, an IPv4 address or an IPv6 address in brackets.</param>
        /// <param name="timeoutMs">Limit in milliseconds for all of it: looking up the name, connecting and the handshake.</param>
        /// <exception cref="TransportException">What went wrong, and what to do about it. Nothing is left open.</exception>
        void Connect(string endpoint, int timeoutMs);

        /// <summary>
        /// Sends one message. Any thread may call it; messages of several threads never mix. Returns when the system has taken all bytes,
        /// so that the arrays may then be used again. Large arrays are not copied.
        /// </summary>
        /// <exception cref="TransportException">
        /// <see cref="TransportFailure.TooLarge"/>: over a limit, nothing was sent, the connection stands. Any other: the connection is
        /// gone.
        /// </exception>
        void Send(IList<ArraySegment<byte>> frames);

        /// <summary>The next message's frames, oldest message first. One thread calls it.</summary>
        /// <param name="timeoutMs">How long to wait in milliseconds; 0 looks without waiting, -1 waits without limit.</param>
        /// <returns>The frames, each an array of its own; null when none came in time.</returns>
        /// <exception cref="TransportException">The connection is gone and every message that came before that was delivered.</exception>
        IList<byte[]> Receive(int timeoutMs);

        /// <summary>
        /// Ends the connection. Any thread, any number of times. Calls that wait in <see cref="Connect"/>, <see cref="Send"/> or
        /// <see cref="Receive"/> end with a <see cref="TransportException"/>. Never throws; <see cref="IDisposable.Dispose"/> does the
        /// same.
        /// </summary>
        void Close();
    }
}
