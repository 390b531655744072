// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;

namespace Depthbridge
{
    /// <summary>Requests as frames for the transport. Pixels are not copied.</summary>
    internal static class MessageWriter
    {
        /// <summary>hello.</summary>
        internal static List<ArraySegment<byte>> Hello(ulong id, SessionOptions options)
        {
            var header = new JsonWriter().BeginObject();
            header.Name("client").Value(options.ClientName).Name("client_version").Value(BridgeProtocol.ClientVersion);
            WriteToken(header, options.Token);
            return Frames(MessageKind.Hello, id, header);
        }

        /// <summary>health, cancel, bye: a header with nothing but the token.</summary>
        internal static List<ArraySegment<byte>> Plain(MessageKind kind, ulong id, string token)
        {
            var header = new JsonWriter().BeginObject();
            WriteToken(header, token);
            return Frames(kind, id, header);
        }

        /// <summary>infer. <see cref="JsonException"/> for numbers or text that JSON cannot hold.</summary>
        internal static List<ArraySegment<byte>> Infer(ulong id, DepthRequest request, SessionOptions options)
        {
            var header = new JsonWriter().BeginObject();
            WriteToken(header, options.Token);
            header.Name("payloads").BeginArray();
            request.Image.WriteJson(header, "image");
            if (request.Mask != null)
            {
                request.Mask.WriteJson(header, "mask");
            }
            header.EndArray();
            WriteOutputs(header, request);
            WriteCamera(header, request);
            WriteObjects(header, request);
            if (request.Model != null)
            {
                header.Name("model").Value(request.Model);
            }
            var deadline = request.DeadlineMs > 0 ? Math.Min(request.DeadlineMs, options.RequestTimeoutMs) : options.RequestTimeoutMs;
            header.Name("deadline_ms").Value(deadline);
            var frames = Frames(MessageKind.Infer, id, header);
            frames.Add(request.Image.Bytes);
            if (request.Mask != null)
            {
                frames.Add(request.Mask.Bytes);
            }
            return frames;
        }

        private static void WriteOutputs(JsonWriter header, DepthRequest request)
        {
            header.Name("outputs").BeginArray();
            if (request.WantObjects)
            {
                header.Value("objects");
            }
            if (request.WantDepth)
            {
                header.Value("depth");
            }
            if (request.WantOverlay)
            {
                header.Value("overlay");
            }
            header.EndArray();
            if (request.WantDepth && request.HalfDepth)
            {
                header.Name("depth_dtype").Value("f16");
            }
        }

        private static void WriteCamera(JsonWriter header, DepthRequest request)
        {
            if (request.Camera == null)
            {
                return;
            }
            header.Name("camera").BeginObject();
            request.Camera.WriteMembers(header);
            if (request.Extrinsics != null)
            {
                header.Name("extrinsics").BeginArray();
                for (var row = 0; row < 3; row++)
                {
                    header.Values(new ArraySegment<double>(request.Extrinsics, 4 * row, 4));
                }
                header.EndArray();
            }
            header.EndObject();
        }

        private static void WriteObjects(JsonWriter header, DepthRequest request)
        {
            if (request.Objects == null)
            {
                return;
            }
            header.Name("objects").BeginArray();
            foreach (var item in request.Objects)
            {
                item.WriteJson(header, request.Mask.ColourIds, request.Mask.Channels);
            }
            header.EndArray();
        }

        private static void WriteToken(JsonWriter header, string token)
        {
            if (!string.IsNullOrEmpty(token))
            {
                header.Name("token").Value(token);
            }
        }

        private static List<ArraySegment<byte>> Frames(MessageKind kind, ulong id, JsonWriter header)
        {
            return new List<ArraySegment<byte>>
            {
                new ArraySegment<byte>(BridgeProtocol.Prefix(kind)),
                new ArraySegment<byte>(BridgeProtocol.IdBytes(id)),
                new ArraySegment<byte>(header.EndObject().ToBytes())
            };
        }
    }
}
