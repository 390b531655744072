// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>One quantity over the measured pixels of an object; metres, unless the answer's unit is relative.</summary>
    public sealed class Spread
    {
        internal Spread(JsonValue json)
        {
            Center = json.Need("center").AsDouble();
            Mean = json.Need("mean").AsDouble();
            Median = json.Need("median").AsDouble();
            Min = json.Need("min").AsDouble();
            Max = json.Need("max").AsDouble();
        }

        /// <summary>At the object's centre pixel.</summary>
        public double Center { get; private set; }

        /// <summary>Arithmetic mean.</summary>
        public double Mean { get; private set; }

        /// <summary>Of an even count the mean of the middle two.</summary>
        public double Median { get; private set; }

        /// <summary>The nearest.</summary>
        public double Min { get; private set; }

        /// <summary>The farthest.</summary>
        public double Max { get; private set; }
    }
}
