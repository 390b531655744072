// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Text;
using NUnit.Framework;

namespace Depthbridge.Tests
{
    [TestFixture]
    public class MessageTests
    {
        [Test]
        public void ARequestIsWrittenAsTheProtocolHasIt()
        {
            var image = new byte[20];
            var mask = new byte[16];
            var request = new DepthRequest
            {
                Image = new FramePayload
                {
                    Channels = 3, Order = "bgr", Width = 3, Height = 2, Bytes = new ArraySegment<byte>(image, 1, 18)
                },
                Mask = FramePayload.Mask16(mask, 3, 2),
                Camera = PinholeIntrinsics.FromPixels(4.5, 4, 2, 1, 3, 2),
                Extrinsics = new double[] { 1, 0, 0, 5, 0, -1, 0, 6, 0, 0, 1, 7.25 },
                Objects = new List<RequestObject>
                {
                    new RequestObject { MaskValue = 258, Category = "red \"cube\"", Bbox = new[] { 0, 1, 2, 3 }, KnownDistanceM = 2.5 },
                    new RequestObject { MaskValue = 1, Id = "b", ParentId = "258" }
                },
                WantDepth = true,
                HalfDepth = true,
                WantOverlay = true,
                DeadlineMs = 250,
                Model = "m"
            };
            Assert.That(request.Fault(), Is.Null);
            var frames = MessageWriter.Infer(0x0102, request, new SessionOptions { Token = "secret" });
            Assert.That(frames.Count, Is.EqualTo(5));
            Assert.That(Copy(frames[0]), Is.EqualTo(new byte[] { 0x44, 0x44, 0x53, 0x54, 0, 3, 4, 0 }));
            Assert.That(Copy(frames[1]), Is.EqualTo(new byte[] { 2, 1, 0, 0, 0, 0, 0, 0 }));
            Assert.That(Encoding.UTF8.GetString(Copy(frames[2])), Is.EqualTo(
                "{\"token\":\"secret\",\"payloads\":[" +
                "{\"name\":\"image\",\"encoding\":\"raw\",\"dtype\":\"u8\",\"channels\":3,\"order\":\"bgr\",\"width\":3,\"height\":2,\"origin\":\"top_left\"}," +
                "{\"name\":\"mask\",\"encoding\":\"raw\",\"dtype\":\"u16\",\"channels\":1,\"width\":3,\"height\":2,\"origin\":\"bottom_left\"}]," +
                "\"outputs\":[\"objects\",\"depth\",\"overlay\"],\"depth_dtype\":\"f16\"," +
                "\"camera\":{\"fx\":4.5,\"fy\":4,\"cx\":2,\"cy\":1,\"width\":3,\"height\":2,\"extrinsics\":[[1,0,0,5],[0,-1,0,6],[0,0,1,7.25]]}," +
                "\"objects\":[{\"mask_value\":258,\"category\":\"red \\\"cube\\\"\",\"bbox\":[0,1,2,3],\"known_distance_m\":2.5}," +
                "{\"mask_value\":1,\"id\":\"b\",\"parent_id\":\"258\"}],\"model\":\"m\",\"deadline_ms\":250}"));
            Assert.That(frames[3].Array, Is.SameAs(image), "the pixels were copied");
            Assert.That(frames[3].Offset, Is.EqualTo(1));
            Assert.That(frames[4].Array, Is.SameAs(mask), "the mask was copied");
        }

        [Test]
        public void AColourMaskNamesItsColours()
        {
            var request = new DepthRequest
            {
                Image = FramePayload.Rgba(new byte[4], 1, 1),
                Mask = new FramePayload { Width = 1, Height = 1, ColourIds = true, Bytes = new ArraySegment<byte>(new byte[4]) },
                Objects = new List<RequestObject>
                {
                    new RequestObject { MaskValue = 1 },
                    new RequestObject { Id = "x", Colour = new byte[] { 1, 2, 3, 254 } }
                }
            };
            var header = JsonReader.Read(Copy(MessageWriter.Infer(1, request, new SessionOptions())[2]));
            Assert.That(header["payloads"][1]["ids"].AsText(), Is.EqualTo("colour"));
            Assert.That(header["payloads"][1]["order"].AsText(), Is.EqualTo("rgb"));
            const string objects = "[{\"colour\":[121,55,158,255],\"id\":1},{\"colour\":[1,2,3,254],\"id\":\"x\"}]";
            Assert.That(header["objects"].ToString(), Is.EqualTo(objects));
            Assert.That(header.Has("token"), Is.False);
            Assert.That(header["deadline_ms"].AsInt(), Is.EqualTo(30000));
        }

        [Test]
        public void WhatCanNeverBeSentIsToldInOneSentence()
        {
            var good = new DepthRequest { Image = FramePayload.Rgba(new byte[8], 2, 1), Mask = FramePayload.Mask16(new byte[4], 2, 1) };
            Assert.That(good.Fault(), Is.Null);
            foreach (var spoil in new Action<DepthRequest>[]
            {
                r => r.Image = null,
                r => r.Image.Width = 0,
                r => r.Image.Width = 3,
                r => r.Image.Bytes = default(ArraySegment<byte>),
                r => r.Image.Encoding = "bmp",
                r => r.Mask.Encoding = "jpeg",
                r => r.Mask = FramePayload.Mask16(new byte[4], 1, 2),
                r => r.Mask = null,
                r => r.WantObjects = false,
                r => r.WantObjects = r.WantOverlay = (r.Mask = null) != null,
                r => { r.WantObjects = false; r.Mask = null; r.WantDepth = r.WantOverlay = true; },
                r => r.Camera = PinholeIntrinsics.FromPixels(1, 1, 1, 1, 3, 1),
                r => r.Extrinsics = new double[16],
                r => r.Mask.ColourIds = true
            })
            {
                var bad = new DepthRequest { Image = FramePayload.Rgba(new byte[8], 2, 1), Mask = FramePayload.Mask16(new byte[4], 2, 1) };
                spoil(bad);
                Assert.That(bad.Fault(), Is.StringEnding("."));
            }
        }

        [Test]
        public void AnAnswerIsReadWhole()
        {
            const string text = "{\"status\":\"ok\",\"timing_ms\":{\"queue\":1,\"decode\":2,\"infer\":3,\"measure\":4,\"encode\":5,\"total\":15}," +
                "\"result\":{\"model\":\"m\",\"kind\":\"metric\",\"unit\":\"m\",\"camera_source\":\"given\",\"width\":2,\"height\":1,\"fit\":null," +
                "\"mask_flip_suspected\":null,\"warnings\":[\"w\"],\"new\":1,\"objects\":[{\"id\":\"a\",\"mask_value\":4000000000,\"category\":{\"x\":1}," +
                "\"pixel_count\":9,\"measured_pixel_count\":4,\"valid_fraction\":0.5,\"border_fraction\":0.25,\"eroded_px\":1," +
                "\"distance\":{\"center\":1,\"mean\":2,\"median\":3,\"min\":4,\"max\":5},\"range\":null,\"position\":{\"x\":1,\"y\":2,\"z\":3}," +
                "\"position_world\":null,\"extent\":{\"center\":{\"x\":1,\"y\":2,\"z\":3},\"axes\":[[1,0,0],[0,1,0],[0,0,1]],\"size\":[3,2,1]}," +
                "\"extent_world\":null,\"center_px\":[1.5,0.5],\"out_of_range\":false,\"later\":true}," +
                "{\"id\":7,\"mask_value\":null,\"pixel_count\":0,\"valid_fraction\":0,\"distance\":null,\"range\":null,\"position\":null," +
                "\"center_px\":null,\"out_of_range\":null,\"reason\":\"It has no pixel.\"}]}}";
            var answer = Open(text).ReadAnswer(JsonReader.Read(text));
            Assert.That(answer.Timing.Total, Is.EqualTo(15));
            Assert.That(answer.Timing.Infer, Is.EqualTo(3));
            Assert.That(answer.MaskFlipSuspected, Is.Null);
            Assert.That(answer.Warnings, Is.EqualTo(new[] { "w" }));
            Assert.That(answer.Json["result"]["new"].AsInt(), Is.EqualTo(1));
            var first = answer.Find("a");
            Assert.That(first, Is.SameAs(answer.Objects[0]));
            Assert.That(first.Category, Is.EqualTo("{\"x\":1}"));
            Assert.That((uint)first.MaskValue, Is.EqualTo(4000000000));
            Assert.That(new[] { first.Distance.Center, first.Distance.Mean, first.Distance.Median, first.Distance.Min, first.Distance.Max },
                Is.EqualTo(new double[] { 1, 2, 3, 4, 5 }));
            Assert.That(first.Range, Is.Null);
            Assert.That(first.Position.Value.Y, Is.EqualTo(2));
            Assert.That(first.PositionWorld, Is.Null);
            Assert.That(first.Extent.Axes[1].Y, Is.EqualTo(1));
            Assert.That(first.Extent.Size, Is.EqualTo(new double[] { 3, 2, 1 }));
            Assert.That(first.OutOfRange, Is.False);
            Assert.That(first.ErodedPx, Is.EqualTo(1));
            Assert.That(first.Json["later"].AsBool(), Is.True);
            var second = answer.Find(7);
            Assert.That(second.Id, Is.EqualTo("7"));
            Assert.That(second.Reason, Is.EqualTo("It has no pixel."));
            Assert.That(second.OutOfRange, Is.Null);
            Assert.That(answer.Find(8), Is.Null);
        }

        [Test]
        public void LayersComeInSinglesAndHalves()
        {
            const string layers = "{\"name\":\"depth\",\"dtype\":\"f16\",\"width\":2,\"height\":1,\"origin\":\"top_left\"}," +
                "{\"name\":\"valid\",\"dtype\":\"u8\",\"width\":2,\"height\":1,\"origin\":\"top_left\"}," +
                "{\"name\":\"sky\",\"dtype\":\"f32\",\"width\":2,\"height\":1,\"origin\":\"top_left\"}," +
                "{\"name\":\"overlay\",\"encoding\":\"jpeg\"},{\"name\":\"something new\"}";
            var text = Header(layers);
            byte[] depth = { 0, 0x3C, 0, 0x7C }, valid = { 1, 0 }, sky = { 0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0 };
            var answer = Open(text, depth, valid, sky, new byte[] { 9 }, new byte[0]).ReadAnswer(JsonReader.Read(text));
            Assert.That(answer.Depth, Is.EqualTo(new[] { 1f, float.PositiveInfinity }));
            Assert.That(answer.Valid, Is.EqualTo(new byte[] { 1, 0 }));
            Assert.That(answer.Sky, Is.EqualTo(new[] { 1f, -2f }));
            Assert.That(answer.Confidence, Is.Null);
            Assert.That(answer.Overlay, Is.EqualTo(new byte[] { 9 }));
            Assert.That(answer.OverlayEncoding, Is.EqualTo("jpeg"));
        }

        [TestCase("{\"name\":\"depth\",\"dtype\":\"f32\",\"width\":2,\"height\":1,\"origin\":\"top_left\"}", 4)]
        [TestCase("{\"name\":\"depth\",\"dtype\":\"f32\",\"width\":1,\"height\":1,\"origin\":\"top_left\"}", 4)]
        [TestCase("{\"name\":\"depth\",\"dtype\":\"f32\",\"width\":65536,\"height\":65536,\"origin\":\"top_left\"}", 0)]
        [TestCase("{\"name\":\"depth\",\"dtype\":\"f64\",\"width\":2,\"height\":1,\"origin\":\"top_left\"}", 16)]
        [TestCase("{\"name\":\"depth\",\"dtype\":\"f32\",\"width\":2,\"height\":1,\"origin\":\"bottom_left\"}", 8)]
        [TestCase("{\"name\":\"valid\",\"dtype\":\"u16\",\"width\":2,\"height\":1,\"origin\":\"top_left\"}", 4)]
        [TestCase("{\"dtype\":\"f32\",\"width\":2,\"height\":1,\"origin\":\"top_left\"}", 8)]
        [TestCase("7", 8)]
        [TestCase("", 8)]
        public void AnAnswerThatContradictsItselfIsRefused(string layer, int bytes)
        {
            var text = Header(layer);
            var reply = Open(text, new byte[bytes]);
            Assert.Throws<JsonException>(() => reply.ReadAnswer(JsonReader.Read(text)));
        }

        [Test]
        public void RepliesThatAreNoneAreNotOpened()
        {
            var prefix = BridgeProtocol.Prefix(MessageKind.Infer);
            Assert.That(Reply.Open(new List<byte[]> { prefix, new byte[8], new byte[2] }), Is.Not.Null);
            Assert.That(Reply.Open(new List<byte[]> { prefix, new byte[8] }), Is.Null);
            Assert.That(Reply.Open(new List<byte[]> { prefix, new byte[7], new byte[2] }), Is.Null);
            Assert.That(Reply.Open(new List<byte[]> { new byte[8], new byte[8], new byte[2] }), Is.Null);
            Assert.That(Reply.Open(new List<byte[]>()), Is.Null);
        }

        [Test]
        public void EveryHalfIsItsFloat()
        {
            var bytes = new byte[2 * 65536];
            for (var i = 0; i < 65536; i++)
            {
                bytes[2 * i] = (byte)i;
                bytes[2 * i + 1] = (byte)(i >> 8);
            }
            var values = Floats.FromHalves(bytes);
            for (var i = 0; i < 65536; i++)
            {
                int exponent = i >> 10 & 31, fraction = i & 1023;
                var size = exponent == 0 ? fraction * Math.Pow(2, -24) : (1024 + fraction) * Math.Pow(2, exponent - 25);
                if (exponent == 31)
                {
                    size = fraction == 0 ? double.PositiveInfinity : double.NaN;
                }
                Assert.That(values[i], Is.EqualTo((float)(i >= 32768 ? -size : size)), i.ToString());
            }
            Assert.That(1 / values[32768], Is.EqualTo(float.NegativeInfinity), "minus zero");
        }

        private static string Header(string layers)
        {
            return "{\"status\":\"ok\",\"payloads\":[" + layers + "],\"result\":{\"model\":\"m\",\"kind\":\"metric\",\"unit\":\"m\"," +
                "\"camera_source\":\"none\",\"width\":2,\"height\":1}}";
        }

        private static Reply Open(string header, params byte[][] payloads)
        {
            var frames = new List<byte[]> { BridgeProtocol.Prefix(MessageKind.Infer), BridgeProtocol.IdBytes(1) };
            frames.Add(Encoding.UTF8.GetBytes(header));
            frames.AddRange(payloads);
            return Reply.Open(frames);
        }

        private static byte[] Copy(ArraySegment<byte> frame)
        {
            var copy = new byte[frame.Count];
            Buffer.BlockCopy(frame.Array, frame.Offset, copy, 0, frame.Count);
            return copy;
        }
    }
}
