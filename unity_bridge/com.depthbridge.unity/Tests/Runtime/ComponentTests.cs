// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using NUnit.Framework;
using UnityEngine;

namespace Depthbridge
{
    /// <summary>Components that are switched on, off and destroyed in whatever order.</summary>
    public class ComponentTests
    {
        private readonly List<GameObject> _made = new List<GameObject>();

        [TearDown]
        public void TearDown()
        {
            foreach (var each in _made)
            {
                Object.DestroyImmediate(each);
            }
            _made.Clear();
        }

        [Test]
        public void AClientThatIsNotConnectedSaysSo()
        {
            var client = Client();
            Assert.AreEqual(SessionState.Stopped, client.State);
            StringAssert.Contains("Not connected", client.Status);
            Assert.IsNull(client.Server);
            Assert.IsNull(client.Counters);
            Assert.AreEqual(SubmitOutcome.Stopped, client.Submit(new DepthRequest()));
        }

        [Test]
        public void DisconnectMayBeCalledAtAnyTimeAndAgain()
        {
            var client = Client();
            client.Disconnect();
            client.Endpoint = "tcp://127.0.0.1:9";
            client.Connect();
            client.Connect();
            client.Disconnect();
            client.Disconnect();
            Assert.AreEqual(SessionState.Stopped, client.State);
            client.enabled = false;
            client.enabled = true;
            Assert.AreEqual(SessionState.Stopped, client.State);
        }

        [Test]
        public void OptionsAreThoseOfTheInspector()
        {
            var client = Client();
            client.Flow = FlowMode.Lossless;
            client.Token = null;
            client.QueueCapacity = 3;
            var options = client.Options();
            Assert.AreEqual("tcp://127.0.0.1:5577", options.Endpoint);
            Assert.AreEqual(FlowMode.Lossless, options.Flow);
            Assert.AreEqual("", options.Token);
            Assert.AreEqual(3, options.QueueCapacity);
        }

        [Test]
        public void ACaptureMaySwitchOnAndOffWithoutCapturing()
        {
            var capture = Make().AddComponent<DepthCapture>();
            for (var i = 0; i < 3; i++)
            {
                capture.enabled = false;
                capture.enabled = true;
            }
            capture.Width = -5;
            Assert.AreEqual(1, capture.Width);
            Assert.AreEqual(0, capture.LastFrameId);
            Assert.IsFalse(capture.IsWaitingForServer);
        }

        [Test]
        public void AMarkedObjectWithoutRenderersHasNoMiddle()
        {
            Vector3 center;
            var marked = Make().AddComponent<DepthObject>();
            Assert.IsFalse(marked.TryGetCenter(new List<Renderer>(), out center));
            marked.KnownDistance = -1;
            Assert.AreEqual(0, marked.KnownDistance);
            marked.Id = null;
            Assert.AreEqual("", marked.Id);
        }

        private DepthBridgeClient Client()
        {
            var holder = Make();
            holder.SetActive(false);
            var client = holder.AddComponent<DepthBridgeClient>();
            client.ConnectOnEnable = false;
            client.LogConnection = false;
            holder.SetActive(true);
            return client;
        }

        private GameObject Make()
        {
            var made = new GameObject("Depthbridge test");
            _made.Add(made);
            return made;
        }
    }
}
