// SPDX-License-Identifier: Apache-2.0
using UnityEngine;
using UnityEngine.Events;

namespace Depthbridge
{
    // The settings; they count from the next Begin on.
    public sealed partial class BatchDatasetCapture
    {
        [SerializeField]
        [Tooltip("Where the capture goes. Relative: beside Assets in the editor, in persistentDataPath in a player. " +
            "If a capture is there, a number is added.")]
        private string _folder = "Captures/capture";

        [SerializeField]
        [Min(0)]
        [Tooltip("How many frames; 0: until End, or until this component is disabled.")]
        private int _frames = 100;

        [SerializeField]
        [Tooltip("Write true planar depth as well, as OpenEXR in metres.")]
        private bool _planarDepth;

        [SerializeField]
        [Tooltip("Write camera and pose into every picture's entry.")]
        private bool _cameraPerImage = true;

        [SerializeField]
        [Min(0)]
        [Tooltip("Seconds of the game's time between two frames, however long they take: the same dataset on every " +
            "machine. 0: real time.")]
        private float _simulationStep = 1f / 30;

        [SerializeField]
        [Tooltip("Write into the folder although a capture is there. Files of the same names are replaced.")]
        private bool _overwrite;

        [SerializeField]
        [Min(1)]
        [Tooltip("annotations.json is brought up to date after so many frames.")]
        private int _flushEvery = 10;

        [SerializeField]
        [Tooltip("Begin as soon as this component is enabled.")]
        private bool _beginOnEnable = true;

        [SerializeField]
        private UnityEvent<CapturedFrame> _frameCaptured = new UnityEvent<CapturedFrame>();

        [SerializeField]
        private UnityEvent<CapturedFrame, DepthAnswer> _distances = new UnityEvent<CapturedFrame, DepthAnswer>();

        /// <summary>Where the capture goes; relative to the project in the editor, to persistentDataPath in a player.</summary>
        public string Folder
        {
            get { return _folder; }
            set { _folder = value; }
        }

        /// <summary>How many frames; 0: until <see cref="End"/>.</summary>
        public int Frames
        {
            get { return _frames; }
            set { _frames = Mathf.Max(0, value); }
        }

        /// <summary>Whether true planar depth is written as well.</summary>
        public bool PlanarDepth
        {
            get { return _planarDepth; }
            set { _planarDepth = value; }
        }

        /// <summary>Whether camera and pose are written into every picture's entry.</summary>
        public bool CameraPerImage
        {
            get { return _cameraPerImage; }
            set { _cameraPerImage = value; }
        }

        /// <summary>Seconds of the game's time between two frames (Time.captureDeltaTime); 0: real time.</summary>
        public float SimulationStep
        {
            get { return _simulationStep; }
            set { _simulationStep = Mathf.Max(0, value); }
        }

        /// <summary>Write into the folder although a capture is there.</summary>
        public bool Overwrite
        {
            get { return _overwrite; }
            set { _overwrite = value; }
        }

        /// <summary>annotations.json is brought up to date after so many frames.</summary>
        public int FlushEvery
        {
            get { return _flushEvery; }
            set { _flushEvery = Mathf.Max(1, value); }
        }

        /// <summary>Begin as soon as this component is enabled.</summary>
        public bool BeginOnEnable
        {
            get { return _beginOnEnable; }
            set { _beginOnEnable = value; }
        }

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
