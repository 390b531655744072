// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>Milliseconds that a request was in each stage of the server.</summary>
    public sealed class StageTiming
    {
        internal StageTiming(JsonValue json)
        {
            Queue = Read(json, "queue");
            Decode = Read(json, "decode");
            Infer = Read(json, "infer");
            Measure = Read(json, "measure");
            Encode = Read(json, "encode");
            Total = Read(json, "total");
        }

        /// <summary>Waiting.</summary>
        public double Queue { get; private set; }

        /// <summary>Bytes to pixels.</summary>
        public double Decode { get; private set; }

        /// <summary>The network.</summary>
        public double Infer { get; private set; }

        /// <summary>Objects.</summary>
        public double Measure { get; private set; }

        /// <summary>Depth map and overlay to bytes.</summary>
        public double Encode { get; private set; }

        /// <summary>All of it.</summary>
        public double Total { get; private set; }

        private static double Read(JsonValue json, string name)
        {
            var value = json != null ? json[name] : null;
            return value != null ? value.AsDouble() : 0;
        }
    }
}
