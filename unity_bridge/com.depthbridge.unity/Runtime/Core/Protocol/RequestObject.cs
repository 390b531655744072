// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>What a request says of one object of its mask; the answer repeats it.</summary>
    public sealed class RequestObject
    {
        /// <summary>The object's value in the mask, 1 or more. In a colour-coded mask: the id that the answer gets.</summary>
        public int MaskValue { get; set; }

        /// <summary>
        /// In a colour-coded mask the colour, 3 or 4 numbers, in all objects of a frame alike; null: MaskIds.ToColour of the mask value.
        /// </summary>
        public byte[] Colour { get; set; }

        /// <summary>What the answer calls it; null: the mask value.</summary>
        public string Id { get; set; }

        /// <summary>What it is, or null.</summary>
        public string Category { get; set; }

        /// <summary>Two corners x0, y0, x1, y1 in upright pixels, or null.</summary>
        public int[] Bbox { get; set; }

        /// <summary>The object that it stands on or belongs to, or null.</summary>
        public string ParentId { get; set; }

        /// <summary>Where <see cref="ParentId"/> is null: the mask value of a parent whose id that is; 0: no parent.</summary>
        public int ParentMaskValue { get; set; }

        /// <summary>Its true planar distance in metres at the median of its pixels; the depth map is fitted to what is given.</summary>
        public double? KnownDistanceM { get; set; }

        internal void WriteJson(JsonWriter writer, bool byColour, int channels)
        {
            writer.BeginObject();
            if (byColour)
            {
                var colour = Colour ?? MaskIds.ToColour(MaskValue);
                writer.Name("colour").BeginArray();
                for (var i = 0; i < colour.Length && (Colour != null || i < channels); i++)
                {
                    writer.Value(colour[i]);
                }
                writer.EndArray();
            }
            else
            {
                writer.Name("mask_value").Value(MaskValue);
            }
            WriteNames(writer, byColour);
            if (KnownDistanceM.HasValue)
            {
                writer.Name("known_distance_m").Value(KnownDistanceM.Value);
            }
            writer.EndObject();
        }

        private void WriteNames(JsonWriter writer, bool byColour)
        {
            if (Id != null)
            {
                writer.Name("id").Value(Id);
            }
            else if (byColour && MaskValue > 0)
            {
                writer.Name("id").Value(MaskValue);
            }
            if (Category != null)
            {
                writer.Name("category").Value(Category);
            }
            if (Bbox != null)
            {
                writer.Name("bbox").BeginArray();
                foreach (var edge in Bbox)
                {
                    writer.Value(edge);
                }
                writer.EndArray();
            }
            WriteParent(writer);
        }

        internal void WriteParent(JsonWriter writer)
        {
            if (ParentId != null)
            {
                writer.Name("parent_id").Value(ParentId);
            }
            else if (ParentMaskValue > 0)
            {
                writer.Name("parent_id").Value(ParentMaskValue);
            }
        }
    }
}
