// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using UnityEngine;

namespace Depthbridge.Samples
{
    /// <summary>One way in which a camera can be set up.</summary>
    internal struct Setup
    {
        public string Name;
        public Action<Camera> Apply;

        /// <summary>The plain one first: everything is checked with it; with the others, that the intrinsics follow.</summary>
        public static List<Setup> All()
        {
            var all = new List<Setup>
            {
                new Setup { Name = "field of view 60", Apply = camera => camera.fieldOfView = 60 },
                new Setup { Name = "field of view 35", Apply = camera => camera.fieldOfView = 35 },
                new Setup { Name = "aspect set to 1", Apply = camera => camera.aspect = 1 },
                new Setup { Name = "viewport of a quarter", Apply = camera => camera.rect = new Rect(0.5f, 0.5f, 0.5f, 0.5f) },
            };
            var fits = new[]
            {
                Camera.GateFitMode.Vertical, Camera.GateFitMode.Horizontal, Camera.GateFitMode.Fill, Camera.GateFitMode.Overscan,
                Camera.GateFitMode.None,
            };
            foreach (var fit in fits)
            {
                all.Add(new Setup { Name = "physical, gate fit " + fit, Apply = camera => MakePhysical(camera, fit) });
            }
            return all;
        }

        private static void MakePhysical(Camera camera, Camera.GateFitMode fit)
        {
            camera.usePhysicalProperties = true;
            camera.sensorSize = new Vector2(36, 24);
            camera.focalLength = 50;
            camera.lensShift = new Vector2(0.1f, 0.2f);
            camera.gateFit = fit;
        }
    }
}
