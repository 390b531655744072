// SPDX-License-Identifier: Apache-2.0
using System;

namespace Depthbridge
{
    /// <summary>The pixels of an image or a mask, and how they are to be read. The bytes are sent as they lie there, not copied.</summary>
    public sealed class FramePayload
    {
        /// <summary>"raw", or "png" or "jpeg" for the bytes of such a file (JPEG for images only).</summary>
        public string Encoding { get; set; } = "raw";

        /// <summary>Of raw pixels: "u8" for images; "u8", "u16", "i32" or "u32", little-endian, for masks.</summary>
        public string DType { get; set; } = "u8";

        /// <summary>Of raw pixels: 3 or 4 for images and colour-coded masks, 1 for masks of ids.</summary>
        public int Channels { get; set; } = 4;

        /// <summary>Of colours: "rgb" (RGB, RGBA) or "bgr" (BGR, BGRA).</summary>
        public string Order { get; set; } = "rgb";

        /// <summary>Pixels.</summary>
        public int Width { get; set; }

        /// <summary>Pixels.</summary>
        public int Height { get; set; }

        /// <summary>Which row comes first.</summary>
        public RowOrigin Origin { get; set; }

        /// <summary>The pixels, or the file. Not to be changed before the request's Release.</summary>
        public ArraySegment<byte> Bytes { get; set; }

        /// <summary>Of a mask: its objects are told apart by <see cref="RequestObject.Colour"/> and not by ids.</summary>
        public bool ColourIds { get; set; }

        /// <summary>Raw RGBA, 4 bytes a pixel, as Unity reads a frame back: lower row first.</summary>
        public static FramePayload Rgba(byte[] pixels, int width, int height, RowOrigin origin = RowOrigin.BottomLeft)
        {
            var bytes = new ArraySegment<byte>(pixels, 0, 4 * width * height);
            return new FramePayload { Width = width, Height = height, Origin = origin, Bytes = bytes };
        }

        /// <summary>Ids of 16 bits, low byte first, as an RG16 target is read back: lower row first.</summary>
        public static FramePayload Mask16(byte[] ids, int width, int height, RowOrigin origin = RowOrigin.BottomLeft)
        {
            var bytes = new ArraySegment<byte>(ids, 0, 2 * width * height);
            return new FramePayload { DType = "u16", Channels = 1, Width = width, Height = height, Origin = origin, Bytes = bytes };
        }

        /// <summary>What is wrong with it as an image or as a mask, in one sentence; null when nothing is.</summary>
        internal string Fault(string name)
        {
            if (Width < 1 || Height < 1 || Width > 65535 || Height > 65535)
            {
                return "The " + name + " is " + Width + "x" + Height + " pixels; give 1 to 65535 each way.";
            }
            if (Bytes.Array == null || Bytes.Count == 0)
            {
                return "The " + name + " has no bytes.";
            }
            if (Encoding != "raw")
            {
                var isImage = name == "image";
                var known = Encoding == "png" || (Encoding == "jpeg" && isImage);
                return known ? null : "The " + name + " is encoded as '" + Encoding + "'; send raw" + (isImage ? ", png or jpeg." : " or png.");
            }
            var needed = (long)Width * Height * Channels * BytesPerChannel();
            if (needed != Bytes.Count)
            {
                return "The " + name + " has " + Bytes.Count + " bytes, and " + Width + "x" + Height + " pixels of " + Channels + " " +
                    DType + " need " + needed + ".";
            }
            return null;
        }

        internal void WriteJson(JsonWriter writer, string name)
        {
            var isColour = name == "image" || ColourIds;
            writer.BeginObject().Name("name").Value(name).Name("encoding").Value(Encoding);
            if (Encoding == "raw")
            {
                writer.Name("dtype").Value(DType).Name("channels").Value(Channels);
                if (isColour)
                {
                    writer.Name("order").Value(Order);
                }
            }
            writer.Name("width").Value(Width).Name("height").Value(Height);
            writer.Name("origin").Value(Origin == RowOrigin.TopLeft ? "top_left" : "bottom_left");
            if (name == "mask" && ColourIds)
            {
                writer.Name("ids").Value("colour");
            }
            writer.EndObject();
        }

        private int BytesPerChannel()
        {
            switch (DType)
            {
                case "u8": return 1;
                case "u16": return 2;
                default: return 4;
            }
        }
    }
}
