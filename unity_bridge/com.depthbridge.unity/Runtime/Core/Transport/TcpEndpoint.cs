// SPDX-License-Identifier: Apache-2.0
using System;
using System.Globalization;
using System.Net;

namespace Depthbridge
{
    /// <summary>An endpoint as ZeroMQ writes it, <c>tcp://host:port</c>, taken apart.</summary>
    internal sealed class TcpEndpoint
    {
        private const string Scheme = "tcp://";

        private TcpEndpoint(string text, string host, int port, IPAddress address)
        {
            Text = text;
            Host = host;
            Port = port;
            Address = address;
        }

        /// <summary>As the user wrote it.</summary>
        internal string Text { get; private set; }

        /// <summary>Name or address, without brackets.</summary>
        internal string Host { get; private set; }

        internal int Port { get; private set; }

        /// <summary>The address, where the host is one; null for a name.</summary>
        internal IPAddress Address { get; private set; }

        /// <exception cref="TransportException"><see cref="TransportFailure.BadEndpoint"/>.</exception>
        internal static TcpEndpoint Parse(string endpoint)
        {
            string text = (endpoint ?? "").Trim();
            if (!text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            {
                throw Bad(text, text.Contains("://") ? "only tcp is spoken here" : "tcp:// is missing");
            }
            string rest = text.Substring(Scheme.Length);
            int colon = rest.LastIndexOf(':');
            if (colon < 0 || rest.EndsWith("]", StringComparison.Ordinal))
            {
                throw Bad(text, "the port is missing");
            }
            string host = rest.Substring(0, colon);
            int port;
            bool number = int.TryParse(rest.Substring(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port);
            if (!number || port < 1 || port > 65535)
            {
                throw Bad(text, "the port is a number from 1 to 65535");
            }
            bool bracketed = host.StartsWith("[", StringComparison.Ordinal) && host.EndsWith("]", StringComparison.Ordinal);
            return Of(text, bracketed ? host.Substring(1, host.Length - 2) : host, port, bracketed);
        }

        private static TcpEndpoint Of(string text, string host, int port, bool bracketed)
        {
            if (host == "" || host == "*")
            {
                throw Bad(text, host == "" ? "the host is missing" : "* is an address to bind; 127.0.0.1 is this machine");
            }
            if (host.IndexOfAny(new[] { '/', ' ', '@', '[', ']' }) >= 0)
            {
                throw Bad(text, "the host is a name or an address and nothing else");
            }
            IPAddress address = null;
            bool colons = host.IndexOf(':') >= 0;
            // Without a dot or colon "1" would be read as 0.0.0.1.
            if ((colons || host.IndexOf('.') >= 0) && !IPAddress.TryParse(host, out address))
            {
                address = null;
            }
            if (colons != bracketed || (bracketed && address == null))
            {
                throw Bad(text, "an IPv6 address stands in brackets, as in tcp://[::1]:5577");
            }
            return new TcpEndpoint(text, host, port, address);
        }

        private static TransportException Bad(string text, string why)
        {
            string message = "'" + text + "' is no endpoint: " + why + "; write tcp://host:port, for example tcp://127.0.0.1:5577.";
            return new TransportException(TransportFailure.BadEndpoint, message);
        }
    }
}
