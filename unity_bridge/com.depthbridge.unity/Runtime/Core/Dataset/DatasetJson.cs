// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>The JSON of a capture folder.</summary>
    public static class DatasetJson
    {
        /// <summary>The content of camera_intrinsics.json.</summary>
        public static string Intrinsics(PinholeIntrinsics camera)
        {
            var writer = new JsonWriter().BeginObject();
            WriteCamera(writer, camera);
            writer.Name("pixel_convention");
            writer.Value("edges: the image spans [0, width] x [0, height] from its upper left corner; OpenCV: subtract 0.5");
            return writer.EndObject().ToString();
        }

        /// <summary>One entry of annotations.json.</summary>
        /// <param name="image">Name of the file in images/.</param>
        /// <param name="frame">What it shows.</param>
        /// <param name="boxes">Of its mask.</param>
        /// <param name="ownCamera">Write the camera, and where it stood, into the entry.</param>
        public static string Entry(string image, DatasetFrame frame, MaskBoxes boxes, bool ownCamera)
        {
            var writer = new JsonWriter().BeginObject().Name("image").Value(image);
            if (ownCamera)
            {
                writer.Name("camera").BeginObject();
                WriteCamera(writer, frame.Camera);
                WriteExtrinsics(writer, frame.Extrinsics);
                writer.EndObject();
            }
            writer.Name("objects").BeginArray();
            foreach (var item in frame.Objects)
            {
                if (boxes.CountOf(item.MaskValue) > 0)
                {
                    WriteObject(writer, item, boxes.BoxOf(item.MaskValue));
                }
            }
            return writer.EndArray().EndObject().ToString();
        }

        private static void WriteCamera(JsonWriter writer, PinholeIntrinsics camera)
        {
            writer.Name("fov_vertical").Value(camera.VerticalFovDegrees);
            writer.Name("width").Value(camera.Width).Name("height").Value(camera.Height);
            writer.Name("focal_length_x").Value(camera.Fx).Name("focal_length_y").Value(camera.Fy);
            writer.Name("principal_point_x").Value(camera.Cx).Name("principal_point_y").Value(camera.Cy);
        }

        private static void WriteExtrinsics(JsonWriter writer, double[] pose)
        {
            if (pose == null)
            {
                return;
            }
            writer.Name("extrinsics").BeginArray();
            for (var row = 0; row < 3; row++)
            {
                writer.BeginArray();
                for (var column = 0; column < 4; column++)
                {
                    writer.Value(pose[4 * row + column]);
                }
                writer.EndArray();
            }
            writer.EndArray();
        }

        private static void WriteObject(JsonWriter writer, RequestObject item, int[] box)
        {
            writer.BeginObject().Name("id");
            if (item.Id != null)
            {
                writer.Value(item.Id);
            }
            else
            {
                writer.Value(item.MaskValue);
            }
            writer.Name("mask_value").Value(item.MaskValue);
            if (item.Category != null)
            {
                writer.Name("category").Value(item.Category);
            }
            writer.Name("bbox").BeginArray();
            foreach (var edge in box)
            {
                writer.Value(edge);
            }
            writer.EndArray();
            item.WriteParent(writer);
            writer.EndObject();
        }
    }
}
