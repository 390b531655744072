// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;

namespace Depthbridge
{
    /// <summary>The answer to one request.</summary>
    public sealed class DepthAnswer
    {
        internal DepthAnswer(JsonValue header)
        {
            Json = header;
            var result = header.Need("result");
            Model = result.Need("model").AsText();
            Unit = result.Need("unit").AsText();
            Kind = result["kind"] != null ? result["kind"].AsText() : "";
            CameraSource = result.Need("camera_source").AsText();
            Width = result.Need("width").AsInt();
            Height = result.Need("height").AsInt();
            MaskFlipSuspected = result["mask_flip_suspected"] != null ? result["mask_flip_suspected"].AsBool() : (bool?)null;
            Timing = new StageTiming(header["timing_ms"]);
            var objects = new List<ObjectDistance>();
            foreach (var item in Items(result["objects"]))
            {
                objects.Add(new ObjectDistance(item));
            }
            Objects = objects;
            var warnings = new List<string>();
            foreach (var item in Items(result["warnings"]))
            {
                warnings.Add(item.AsText());
            }
            Warnings = warnings;
        }

        /// <summary>The model that answered.</summary>
        public string Model { get; private set; }

        /// <summary>Of the model's map: metric, relative or disparity.</summary>
        public string Kind { get; private set; }

        /// <summary>"m", or "relative": all lengths up to one scale, the same in the whole frame.</summary>
        public string Unit { get; private set; }

        /// <summary>Whose intrinsics: given, exif, model, assumed or none.</summary>
        public string CameraSource { get; private set; }

        /// <summary>Of the picture, pixels.</summary>
        public int Width { get; private set; }

        /// <summary>Of the picture, pixels.</summary>
        public int Height { get; private set; }

        /// <summary>In the order of the request, or by ascending mask value.</summary>
        public IReadOnlyList<ObjectDistance> Objects { get; private set; }

        /// <summary>Whether the mask seems upside down against the picture; null: the picture cannot tell.</summary>
        public bool? MaskFlipSuspected { get; private set; }

        /// <summary>Sentences, mostly none.</summary>
        public IReadOnlyList<string> Warnings { get; private set; }

        /// <summary>Where the server's time went.</summary>
        public StageTiming Timing { get; private set; }

        /// <summary>If asked for: planar depth, metres (see <see cref="Unit"/>), row by row, the upper one first; else null.</summary>
        public float[] Depth { get; internal set; }

        /// <summary>With the depth map: 1 where it counts, 0 where there is no surface.</summary>
        public byte[] Valid { get; internal set; }

        /// <summary>With the depth map, if the model has it: high is sky.</summary>
        public float[] Sky { get; internal set; }

        /// <summary>With the depth map, if the model has it: the network's own value.</summary>
        public float[] Confidence { get; internal set; }

        /// <summary>If asked for: the bytes of a picture file with outlines and distances; else null.</summary>
        public byte[] Overlay { get; internal set; }

        /// <summary>Of the overlay: jpeg or png.</summary>
        public string OverlayEncoding { get; internal set; }

        /// <summary>The whole header, fields that this version does not know included.</summary>
        public JsonValue Json { get; private set; }

        /// <summary>The object of that mask value; null when the answer has none.</summary>
        public ObjectDistance Find(int maskValue)
        {
            foreach (var item in Objects)
            {
                if (item.MaskValue == maskValue)
                {
                    return item;
                }
            }
            return null;
        }

        /// <summary>The object of that id; null when the answer has none.</summary>
        public ObjectDistance Find(string id)
        {
            foreach (var item in Objects)
            {
                if (item.Id == id)
                {
                    return item;
                }
            }
            return null;
        }

        private static IEnumerable<JsonValue> Items(JsonValue array)
        {
            return array != null ? array.Items : new JsonValue[0];
        }
    }
}
