// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>The oriented box of an object's visible surface: what faces away is not in it.</summary>
    public sealed class OrientedExtent
    {
        internal OrientedExtent(JsonValue json)
        {
            var axes = json.Need("axes");
            var size = json.Need("size");
            if (axes.Count != 3 || size.Count != 3)
            {
                throw new JsonException("An extent has three axes and sizes, this one " + axes.Count + " and " + size.Count + ".");
            }
            Center = Point3.Read(json.Need("center")).Value;
            Axes = new Point3[3];
            Size = new double[3];
            for (var i = 0; i < 3; i++)
            {
                Axes[i] = new Point3(axes[i][0].AsDouble(), axes[i][1].AsDouble(), axes[i][2].AsDouble());
                Size[i] = size[i].AsDouble();
            }
        }

        /// <summary>The middle of the box.</summary>
        public Point3 Center { get; private set; }

        /// <summary>Three unit vectors, the principal axes of the visible points; they need not be right-handed.</summary>
        public Point3[] Axes { get; private set; }

        /// <summary>Full lengths along the axes, descending, metres.</summary>
        public double[] Size { get; private set; }
    }
}
