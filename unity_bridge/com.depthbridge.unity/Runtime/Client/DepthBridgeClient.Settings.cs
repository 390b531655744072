// SPDX-License-Identifier: Apache-2.0
using UnityEngine;

namespace Depthbridge
{
    // The settings; they count from the next Connect on.
    public sealed partial class DepthBridgeClient
    {
        [SerializeField]
        [Tooltip("Where the server listens: tcp://host:port.")]
        private string _endpoint = "tcp://127.0.0.1:5577";

        [SerializeField]
        [Tooltip("What a server started with --token-file demands. It is saved in the scene: set Token from a script to keep it out " +
            "of there.")]
        private string _token = "";

        [SerializeField]
        [Tooltip("Latest Wins: for live use, a newer frame takes the place of one that waits. Lossless: for datasets, every frame is " +
            "answered.")]
        private FlowMode _flow = FlowMode.LatestWins;

        [SerializeField]
        [Min(0)]
        [Tooltip("Requests under way at once; 0: as many as the server allows.")]
        private int _maxInFlight;

        [SerializeField]
        [Min(1)]
        [Tooltip("Lossless: how many frames may wait for their turn.")]
        private int _queueCapacity = 8;

        [SerializeField]
        [Min(1)]
        [Tooltip("For connecting, milliseconds.")]
        private int _connectTimeoutMs = 2000;

        [SerializeField]
        [Min(1)]
        [Tooltip("From sending a frame to its answer, milliseconds. A model's first frames take longer.")]
        private int _requestTimeoutMs = 30000;

        [SerializeField]
        [Tooltip("Connect as soon as this component is enabled.")]
        private bool _connectOnEnable = true;

        [SerializeField]
        [Tooltip("Tell the console about connections and failures, each sentence once.")]
        private bool _logConnection = true;

        /// <summary>tcp://host:port.</summary>
        public string Endpoint
        {
            get { return _endpoint; }
            set { _endpoint = value; }
        }

        /// <summary>What a server started with a token file demands; empty: nothing.</summary>
        public string Token
        {
            get { return _token; }
            set { _token = value ?? ""; }
        }

        /// <summary>What happens to frames that come faster than they are answered.</summary>
        public FlowMode Flow
        {
            get { return _flow; }
            set { _flow = value; }
        }

        /// <summary>Requests under way at once; 0: as many as the server allows.</summary>
        public int MaxInFlight
        {
            get { return _maxInFlight; }
            set { _maxInFlight = value; }
        }

        /// <summary>Lossless: how many frames may wait for their turn.</summary>
        public int QueueCapacity
        {
            get { return _queueCapacity; }
            set { _queueCapacity = value; }
        }

        /// <summary>For connecting, milliseconds.</summary>
        public int ConnectTimeoutMs
        {
            get { return _connectTimeoutMs; }
            set { _connectTimeoutMs = value; }
        }

        /// <summary>From sending a frame to its answer, milliseconds.</summary>
        public int RequestTimeoutMs
        {
            get { return _requestTimeoutMs; }
            set { _requestTimeoutMs = value; }
        }

        /// <summary>Connect as soon as this component is enabled.</summary>
        public bool ConnectOnEnable
        {
            get { return _connectOnEnable; }
            set { _connectOnEnable = value; }
        }

        /// <summary>Tell the console about connections and failures.</summary>
        public bool LogConnection
        {
            get { return _logConnection; }
            set { _logConnection = value; }
        }

        /// <summary>The settings as a session takes them; also for a test of the connection.</summary>
        public SessionOptions Options()
        {
            return new SessionOptions
            {
                Endpoint = _endpoint,
                Token = _token,
                Flow = _flow,
                MaxInFlight = _maxInFlight,
                QueueCapacity = _queueCapacity,
                ConnectTimeoutMs = _connectTimeoutMs,
                RequestTimeoutMs = _requestTimeoutMs,
                ClientName = Application.productName,
            };
        }
    }
}
