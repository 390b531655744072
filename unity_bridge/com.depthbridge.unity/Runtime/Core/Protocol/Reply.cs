// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;

namespace Depthbridge
{
    /// <summary>A message from the server, its envelope read and its header not yet.</summary>
    internal sealed class Reply
    {
        private readonly IList<byte[]> _frames;

        private Reply(IList<byte[]> frames, int major, int minor, int kind, ulong id)
        {
            _frames = frames;
            Major = major;
            Minor = minor;
            Kind = kind;
            Id = id;
        }

        internal int Major { get; private set; }

        internal int Minor { get; private set; }

        internal int Kind { get; private set; }

        internal ulong Id { get; private set; }

        internal bool FitsVersion
        {
            get { return Major == BridgeProtocol.Major && (BridgeProtocol.Major > 0 || Minor == BridgeProtocol.Minor); }
        }

        /// <summary>The envelope of a message; null when it is none that this client could have caused.</summary>
        internal static Reply Open(IList<byte[]> frames)
        {
            int major, minor, kind;
            ulong id;
            if (frames.Count < 3 || !BridgeProtocol.TryReadPrefix(frames[0], out major, out minor, out kind) ||
                !BridgeProtocol.TryReadId(frames[1], out id))
            {
                return null;
            }
            return new Reply(frames, major, minor, kind, id);
        }

        /// <summary>The header, an object. <see cref="JsonException"/> when it is none.</summary>
        internal JsonValue ReadHeader()
        {
            var header = JsonReader.Read(_frames[2]);
            header.Need("status");
            return header;
        }

        /// <summary>The error of a header; null when its status is ok.</summary>
        internal static BridgeError ErrorOf(JsonValue header)
        {
            if (header.Need("status").AsText() == "ok")
            {
                return null;
            }
            var error = header.Need("error");
            var retryable = error["retryable"];
            return new BridgeError(error.Need("code").AsText(), error.Need("message").AsText(), retryable != null && retryable.AsBool());
        }

        /// <summary>The answer of an infer request whose header is ok. <see cref="JsonException"/> when it contradicts itself.</summary>
        internal DepthAnswer ReadAnswer(JsonValue header)
        {
            var answer = new DepthAnswer(header);
            var described = header["payloads"];
            var count = described != null ? described.Count : 0;
            if (count != _frames.Count - 3)
            {
                throw new JsonException("The answer describes " + count + " payloads and has " + (_frames.Count - 3) + ".");
            }
            for (var i = 0; i < count; i++)
            {
                ReadPayload(answer, described[i], _frames[3 + i]);
            }
            return answer;
        }

        private static void ReadPayload(DepthAnswer answer, JsonValue description, byte[] bytes)
        {
            switch (description.Need("name").AsText())
            {
                case "depth":
                    answer.Depth = Layer(answer, description, bytes);
                    break;
                case "sky":
                    answer.Sky = Layer(answer, description, bytes);
                    break;
                case "confidence":
                    answer.Confidence = Layer(answer, description, bytes);
                    break;
                case "valid":
                    CheckSize(answer, description, bytes, "u8", 1);
                    answer.Valid = bytes;
                    break;
                case "overlay":
                    answer.Overlay = bytes;
                    answer.OverlayEncoding = description.Need("encoding").AsText();
                    break;
            }
        }

        private static float[] Layer(DepthAnswer answer, JsonValue description, byte[] bytes)
        {
            var half = description.Need("dtype").AsText() == "f16";
            CheckSize(answer, description, bytes, half ? "f16" : "f32", half ? 2 : 4);
            return half ? Floats.FromHalves(bytes) : Floats.FromSingles(bytes);
        }

        private static void CheckSize(DepthAnswer answer, JsonValue description, byte[] bytes, string dtype, int bytesPerPixel)
        {
            var name = description.Need("name").AsText();
            if (description.Need("dtype").AsText() != dtype || description.Need("origin").AsText() != "top_left")
            {
                throw new JsonException("The layer '" + name + "' is " + description + ", and " + dtype + " from the top left is read here.");
            }
            var width = description.Need("width").AsInt();
            var height = description.Need("height").AsInt();
            if (width != answer.Width || height != answer.Height || (long)width * height * bytesPerPixel != bytes.Length)
            {
                throw new JsonException(
                    "The layer '" + name + "' is " + width + "x" + height + " in " + bytes.Length + " bytes, and the picture " +
                    answer.Width + "x" + answer.Height + ".");
            }
        }
    }
}
