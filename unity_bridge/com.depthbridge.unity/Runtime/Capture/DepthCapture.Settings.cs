// SPDX-License-Identifier: Apache-2.0
using UnityEngine;
using UnityEngine.Events;

namespace Depthbridge
{
    // The settings; they count from the next frame on.
    public sealed partial class DepthCapture
    {
        [Header("Source")]
        [SerializeField]
        [Tooltip("Empty: the camera on this GameObject, else the main camera.")]
        private Camera _camera;

        [SerializeField]
        [Min(1)]
        [Tooltip("Pixels; the window's size has no part in it.")]
        private int _width = 1280;

        [SerializeField]
        [Min(1)]
        [Tooltip("Pixels.")]
        private int _height = 720;

        [SerializeField]
        private CaptureTrigger _trigger = CaptureTrigger.EveryFrames;

        [SerializeField]
        [Min(1)]
        [Tooltip("With Every Frames: 1 is every frame.")]
        private int _everyFrames = 1;

        [SerializeField]
        [Min(0)]
        [Tooltip("With Interval: seconds of the game's time.")]
        private float _intervalSeconds = 0.2f;

        [SerializeField]
        [Tooltip("What gets an id in the mask.")]
        private IdSource _ids = IdSource.DepthObjects;

        [SerializeField]
        [Tooltip("Render true planar depth, too: for datasets and comparisons.")]
        private bool _planarDepth;

        [SerializeField]
        [Tooltip("How long one unit of the scene is. Distances are in metres.")]
        private float _metersPerUnit = 1;

        [Header("Server")]
        [SerializeField]
        [Tooltip("Empty: the client on this GameObject; without any, frames are captured and not sent.")]
        private DepthBridgeClient _client;

        [SerializeField]
        private ImageTransfer _transfer = ImageTransfer.Raw;

        [SerializeField]
        [Range(1, 100)]
        private int _jpegQuality = 90;

        [SerializeField]
        [Tooltip("Ask for the whole depth map as well.")]
        private bool _wantDepthMap;

        [SerializeField]
        [Tooltip("The depth map in 16 bits: half the bytes.")]
        private bool _halfDepthMap;

        [SerializeField]
        [Tooltip("Ask for a picture with outlines and distances drawn as well.")]
        private bool _wantOverlay;

        [SerializeField]
        [Min(0)]
        [Tooltip("The server does not begin with a frame that has waited so many milliseconds; 0: the client's request timeout.")]
        private int _deadlineMs;

        [SerializeField]
        [Tooltip("Refuse any other model; empty: whichever the server has.")]
        private string _model = "";

        [Header("Events")]
        [SerializeField]
        private UnityEvent<CapturedFrame> _frameCaptured = new UnityEvent<CapturedFrame>();

        [SerializeField]
        private UnityEvent<CapturedFrame, DepthAnswer> _distances = new UnityEvent<CapturedFrame, DepthAnswer>();

        /// <summary>The camera; null: the one on this GameObject, else the main camera.</summary>
        public Camera SourceCamera
        {
            get { return _camera; }
            set { _camera = value; }
        }

        /// <summary>Width of what is captured, pixels.</summary>
        public int Width
        {
            get { return _width; }
            set { _width = Mathf.Max(1, value); }
        }

        /// <summary>Height of what is captured, pixels.</summary>
        public int Height
        {
            get { return _height; }
            set { _height = Mathf.Max(1, value); }
        }

        /// <summary>When a frame is captured.</summary>
        public CaptureTrigger Trigger
        {
            get { return _trigger; }
            set { _trigger = value; }
        }

        /// <summary>With the trigger EveryFrames: 1 is every frame.</summary>
        public int EveryFrames
        {
            get { return _everyFrames; }
            set { _everyFrames = Mathf.Max(1, value); }
        }

        /// <summary>With the trigger Interval: seconds of the game's time.</summary>
        public float IntervalSeconds
        {
            get { return _intervalSeconds; }
            set { _intervalSeconds = Mathf.Max(0, value); }
        }

        /// <summary>What gets an id in the mask.</summary>
        public IdSource Ids
        {
            get { return _ids; }
            set { _ids = value; }
        }

        /// <summary>Whether true planar depth is rendered, too.</summary>
        public bool PlanarDepth
        {
            get { return _planarDepth; }
            set { _planarDepth = value; }
        }

        /// <summary>How long one unit of the scene is, metres.</summary>
        public float MetersPerUnit
        {
            get { return _metersPerUnit; }
            set { _metersPerUnit = value; }
        }

        /// <summary>Who sends; null: the client on this GameObject, and without one frames are captured and not sent.</summary>
        public DepthBridgeClient Client
        {
            get { return _client; }
            set
            {
                _client = value;
                if (_sender != null)
                {
                    _sender.Dispose();
                    _sender = new FrameSender(FindClient(), Measured, Say);
                }
            }
        }

        /// <summary>How pictures are sent.</summary>
        public ImageTransfer Transfer
        {
            get { return _transfer; }
            set { _transfer = value; }
        }

        /// <summary>Of compressed pictures, 1 to 100.</summary>
        public int JpegQuality
        {
            get { return _jpegQuality; }
            set { _jpegQuality = Mathf.Clamp(value, 1, 100); }
        }

        /// <summary>Whether the whole depth map is asked for as well.</summary>
        public bool WantDepthMap
        {
            get { return _wantDepthMap; }
            set { _wantDepthMap = value; }
        }

        /// <summary>Whether the depth map comes in 16 bits.</summary>
        public bool HalfDepthMap
        {
            get { return _halfDepthMap; }
            set { _halfDepthMap = value; }
        }

        /// <summary>Whether a picture with outlines and distances drawn is asked for as well.</summary>
        public bool WantOverlay
        {
            get { return _wantOverlay; }
            set { _wantOverlay = value; }
        }

        /// <summary>The server does not begin with a frame that has waited so many milliseconds; 0: the client's request timeout.</summary>
        public int DeadlineMs
        {
            get { return _deadlineMs; }
            set { _deadlineMs = Mathf.Max(0, value); }
        }

        /// <summary>Refuse any other model than this; empty: whichever the server has.</summary>
        public string Model
        {
            get { return _model; }
            set { _model = value; }
        }

        /// <summary>Wait for the graphics card rather than leave a frame out: for datasets, where none may be missing.</summary>
        public bool WaitForReadback { get; set; }

        /// <summary>The same as <see cref="OnFrameCaptured"/>, for the Inspector.</summary>
        public UnityEvent<CapturedFrame> FrameCapturedEvent
        {
            get { return _frameCaptured; }
        }

        /// <summary>The same as <see cref="OnDistances"/>, for the Inspector.</summary>
        public UnityEvent<CapturedFrame, DepthAnswer> DistancesEvent
        {
            get { return _distances; }
        }
    }
}
