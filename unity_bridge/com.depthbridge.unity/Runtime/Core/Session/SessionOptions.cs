// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>What happens to frames that come faster than they are answered.</summary>
    public enum FlowMode
    {
        /// <summary>For live use: one frame waits, and a newer one takes its place.</summary>
        LatestWins,
        /// <summary>For datasets: frames queue up, are sent again where that helps, and none is left out.</summary>
        Lossless
    }

    /// <summary>How a <see cref="BridgeSession"/> behaves. The session takes a copy.</summary>
    public sealed class SessionOptions
    {
        /// <summary>tcp://host:port; the host a name, an IPv4 address or an IPv6 address in brackets.</summary>
        public string Endpoint { get; set; } = "tcp://127.0.0.1:5577";

        /// <summary>What happens to frames that come faster than they are answered.</summary>
        public FlowMode Flow { get; set; }

        /// <summary>Requests under way at once; 0: as many as the server allows, and never more.</summary>
        public int MaxInFlight { get; set; }

        /// <summary>Lossless: how many requests may wait for their turn.</summary>
        public int QueueCapacity { get; set; } = 8;

        /// <summary>For connecting, and for the server's first words after it, each.</summary>
        public int ConnectTimeoutMs { get; set; } = 2000;

        /// <summary>From sending a request to its answer.</summary>
        public int RequestTimeoutMs { get; set; } = 30000;

        /// <summary>What a server started with a token file demands.</summary>
        public string Token { get; set; } = "";

        /// <summary>The first pause before connecting again; it doubles up to <see cref="ReconnectMaxMs"/>.</summary>
        public int ReconnectMinMs { get; set; } = 250;

        /// <summary>The longest pause before connecting again.</summary>
        public int ReconnectMaxMs { get; set; } = 8000;

        /// <summary>How many ended requests may wait for <see cref="BridgeSession.TryTake"/> before Submit says QueueFull.</summary>
        public int EventCapacity { get; set; } = 64;

        /// <summary>What the server's log calls this client.</summary>
        public string ClientName { get; set; } = "depthbridge-unity";

        internal SessionOptions Copy()
        {
            return (SessionOptions)MemberwiseClone();
        }

        internal string Fault()
        {
            if (string.IsNullOrEmpty(Endpoint))
            {
                return "There is no endpoint; give one such as tcp://127.0.0.1:5577.";
            }
            if (MaxInFlight < 0 || QueueCapacity < 1 || EventCapacity < 1)
            {
                return "MaxInFlight is " + MaxInFlight + ", QueueCapacity " + QueueCapacity + ", EventCapacity " + EventCapacity +
                    "; give 0 or more, 1 or more, 1 or more.";
            }
            if (ConnectTimeoutMs < 1 || RequestTimeoutMs < 1 || ReconnectMinMs < 1 || ReconnectMaxMs < ReconnectMinMs)
            {
                return "Timeouts and pauses are positive milliseconds, and ReconnectMaxMs is at least ReconnectMinMs.";
            }
            return null;
        }
    }
}
