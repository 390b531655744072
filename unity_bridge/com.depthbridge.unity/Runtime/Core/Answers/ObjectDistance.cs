// SPDX-License-Identifier: Apache-2.0

namespace Depthbridge
{
    /// <summary>What was measured of one object. What could not be told is null, and <see cref="Reason"/> says why.</summary>
    public sealed class ObjectDistance
    {
        internal ObjectDistance(JsonValue json)
        {
            Json = json;
            var id = json.Need("id");
            Id = id.ToDisplay();
            MaskValue = ReadMaskValue(json["mask_value"] ?? (id.Kind == JsonKind.Integer ? id : null));
            Category = json["category"] != null ? json["category"].ToDisplay() : null;
            ParentId = json["parent_id"] != null ? json["parent_id"].ToDisplay() : null;
            PixelCount = json.Need("pixel_count").AsInt();
            MeasuredPixelCount = json["measured_pixel_count"] != null ? json["measured_pixel_count"].AsInt() : 0;
            ValidFraction = json.Need("valid_fraction").AsDouble();
            BorderFraction = json["border_fraction"] != null ? json["border_fraction"].AsDouble() : 0;
            ErodedPx = json["eroded_px"] != null ? json["eroded_px"].AsInt() : 0;
            Distance = ReadSpread(json["distance"]);
            Range = ReadSpread(json["range"]);
            Disparity = ReadSpread(json["disparity"]);
            Position = Point3.Read(json["position"]);
            PositionWorld = Point3.Read(json["position_world"]);
            Extent = ReadExtent(json["extent"]);
            ExtentWorld = ReadExtent(json["extent_world"]);
            var center = json["center_px"];
            CenterPx = center != null ? new[] { center[0].AsDouble(), center[1].AsDouble() } : null;
            OutOfRange = json["out_of_range"] != null ? json["out_of_range"].AsBool() : (bool?)null;
            Reason = json["reason"] != null ? json["reason"].AsText() : null;
        }

        /// <summary>The request's own, or the mask value.</summary>
        public string Id { get; private set; }

        /// <summary>Its value in the mask. Of a colour-coded mask: its id where that is a whole number, else 0.</summary>
        public int MaskValue { get; private set; }

        /// <summary>As sent, or null.</summary>
        public string Category { get; private set; }

        /// <summary>As sent, or null.</summary>
        public string ParentId { get; private set; }

        /// <summary>Pixels of its mask.</summary>
        public int PixelCount { get; private set; }

        /// <summary>Pixels that the numbers are over.</summary>
        public int MeasuredPixelCount { get; private set; }

        /// <summary>0 to 1: the part of its pixels that has a depth.</summary>
        public double ValidFraction { get; private set; }

        /// <summary>0 to 1: the part of its outline in the picture's outermost rows and columns; 0 is wholly in view.</summary>
        public double BorderFraction { get; private set; }

        /// <summary>1: its silhouette, where two depths mix, was left out; 0: it is too small for that.</summary>
        public int ErodedPx { get; private set; }

        /// <summary>Planar, along the optical axis.</summary>
        public Spread Distance { get; private set; }

        /// <summary>Along each pixel's ray.</summary>
        public Spread Range { get; private set; }

        /// <summary>Of a disparity model, in place of all lengths; larger is nearer.</summary>
        public Spread Disparity { get; private set; }

        /// <summary>The surface at the centre pixel, camera frame.</summary>
        public Point3? Position { get; private set; }

        /// <summary>The same in the world of the extrinsics.</summary>
        public Point3? PositionWorld { get; private set; }

        /// <summary>Its visible surface, camera frame.</summary>
        public OrientedExtent Extent { get; private set; }

        /// <summary>The same in the world of the extrinsics.</summary>
        public OrientedExtent ExtentWorld { get; private set; }

        /// <summary>u, v in upright pixels: the middle of the centre pixel.</summary>
        public double[] CenterPx { get; private set; }

        /// <summary>Whether it is as far as the model can say, or farther; null where the model states no end.</summary>
        public bool? OutOfRange { get; private set; }

        /// <summary>Why something is null.</summary>
        public string Reason { get; private set; }

        /// <summary>The whole record, fields that this version does not know included.</summary>
        public JsonValue Json { get; private set; }

        private static int ReadMaskValue(JsonValue json)
        {
            if (json == null)
            {
                return 0;
            }
            var value = json.AsLong();
            return value >= int.MinValue && value <= uint.MaxValue ? unchecked((int)value) : 0;
        }

        private static Spread ReadSpread(JsonValue json)
        {
            return json != null ? new Spread(json) : null;
        }

        private static OrientedExtent ReadExtent(JsonValue json)
        {
            return json != null ? new OrientedExtent(json) : null;
        }
    }
}
