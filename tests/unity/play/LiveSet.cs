// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Globalization;
using Depthbridge;
using StubUnity;
using UnityEngine;
using UnityEngine.Rendering;

namespace Play
{
    /// <summary>The stage with a capture, a client and an overlay on one GameObject, as a user puts them there.</summary>
    public sealed class LiveSet
    {
        public readonly Stage Stage;
        public readonly GameObject Holder;
        public readonly DepthCapture Capture;
        public readonly DepthBridgeClient Client;
        public readonly DistanceOverlay Overlay;
        public readonly Dolly Dolly;

        public LiveSet(Dictionary<string, string> options)
        {
            PlayerLoop.Enter();
            SystemInfo.supportsAsyncGPUReadback = Scenarios.Get(options, "async", "yes") == "yes";
            if (Scenarios.Get(options, "rg16", "yes") == "no")
            {
                SystemInfo.Missing.Add(RenderTextureFormat.RG16);
            }
            if (Scenarios.Get(options, "gles", "no") == "yes")
            {
                SystemInfo.graphicsDeviceType = GraphicsDeviceType.OpenGLES3;
            }
            AsyncGPUReadback.Latency = int.Parse(Scenarios.Get(options, "latency", "2"));
            var metersPerUnit = float.Parse(Scenarios.Get(options, "meters_per_unit", "1"), CultureInfo.InvariantCulture);
            Stage = new Stage(metersPerUnit);
            Stage.Build();
            if (Scenarios.Get(options, "post_processing", "no") == "yes")
            {
                Screen.width = 900; // another aspect than the capture's
                Camera.AspectWaits = true;
                Stage.Camera.PinsProjection = true;
                Stage.Camera.Jitter = new Vector2(0.0005f, -0.0004f);
            }
            Holder = new GameObject("Depthbridge");
            Holder.SetActive(false);
            Client = Holder.AddComponent<DepthBridgeClient>();
            Client.ConnectOnEnable = options.ContainsKey("endpoint");
            Client.Endpoint = Scenarios.Get(options, "endpoint", Client.Endpoint);
            Client.Flow = (FlowMode)Enum.Parse(typeof(FlowMode), Scenarios.Get(options, "flow", "LatestWins"));
            Client.QueueCapacity = int.Parse(Scenarios.Get(options, "queue", "8"));
            Capture = Holder.AddComponent<DepthCapture>();
            Capture.SourceCamera = Stage.Camera;
            Capture.Width = int.Parse(Scenarios.Get(options, "width", "320"));
            Capture.Height = int.Parse(Scenarios.Get(options, "height", "180"));
            Capture.MetersPerUnit = metersPerUnit;
            Capture.Transfer = (ImageTransfer)Enum.Parse(typeof(ImageTransfer), Scenarios.Get(options, "transfer", "Raw"));
            Capture.JpegQuality = 100;
            Overlay = Holder.AddComponent<DistanceOverlay>();
            Dolly = Stage.Camera.gameObject.AddComponent<Dolly>();
            Dolly.MetersPerUnit = metersPerUnit;
            ImageConversion.Encoder = (rgba, width, height, quality) => Jpeg.Encode(options["python"], rgba, width, height, quality);
        }

        public void Start()
        {
            Holder.SetActive(true);
        }
    }
}
