// SPDX-License-Identifier: Apache-2.0
using System.Globalization;

namespace Depthbridge
{
    /// <summary>
    /// A point or direction: in the camera's frame x right, y down, z forward, or in the world of the extrinsics that were sent.
    /// </summary>
    public struct Point3
    {
        /// <summary>A point.</summary>
        public Point3(double x, double y, double z)
        {
            X = x;
            Y = y;
            Z = z;
        }

        /// <summary>Metres.</summary>
        public double X { get; private set; }

        /// <summary>Metres.</summary>
        public double Y { get; private set; }

        /// <summary>Metres.</summary>
        public double Z { get; private set; }

        /// <summary>(x, y, z)</summary>
        public override string ToString()
        {
            return string.Format(CultureInfo.InvariantCulture, "({0:R}, {1:R}, {2:R})", X, Y, Z);
        }

        internal static Point3? Read(JsonValue json)
        {
            if (json == null)
            {
                return null;
            }
            return new Point3(json.Need("x").AsDouble(), json.Need("y").AsDouble(), json.Need("z").AsDouble());
        }
    }
}
