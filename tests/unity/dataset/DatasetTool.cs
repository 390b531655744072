// SPDX-License-Identifier: Apache-2.0
// The core's file writers, driven from the outside: raw pixels on the standard input, files on the disk.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using Depthbridge;

namespace DatasetTool
{
    public static class Program
    {
        public static int Main(string[] arguments)
        {
            try
            {
                Run(arguments);
                return 0;
            }
            catch (DepthbridgeException error)
            {
                Console.WriteLine(error.Message);
                return 2;
            }
        }

        private static void Run(string[] arguments)
        {
            switch (arguments[0])
            {
                case "pictures":
                    Pictures(arguments[1]);
                    break;
                case "capture":
                    Capture(arguments[1], int.Parse(arguments[2]), int.Parse(arguments[3]));
                    break;
                default:
                    Broken(arguments[1]);
                    break;
            }
        }

        /// <summary>Of each line "kind width height origin base64" one file: 0.png, 1.exr ...; boxes go to the standard output.</summary>
        private static void Pictures(string folder)
        {
            string line;
            var boxes = new MaskBoxes();
            for (var number = 0; (line = Console.In.ReadLine()) != null; number++)
            {
                var words = line.Split(' ');
                int width = int.Parse(words[1]), height = int.Parse(words[2]);
                var origin = words[3] == "top" ? RowOrigin.TopLeft : RowOrigin.BottomLeft;
                var given = Convert.FromBase64String(words[4]);
                var padded = new byte[given.Length + 5]; // a segment in the middle of an array
                given.CopyTo(padded, 3);
                var bytes = new ArraySegment<byte>(padded, 3, given.Length);
                var name = number + (words[0] == "depth" ? ".exr" : ".png");
                using (var file = new FileStream(Path.Combine(folder, name), FileMode.CreateNew))
                {
                    if (words[0] == "rgba")
                    {
                        PngWriter.WriteRgb(file, bytes, width, height, origin);
                    }
                    else if (words[0] == "mask")
                    {
                        PngWriter.WriteGrey16(file, bytes, width, height, origin);
                        boxes.Read(bytes, width, height, origin);
                        Console.WriteLine(string.Join(";", Enumerable.Range(0, 65536).Where(id => boxes.CountOf(id) > 0)
                            .Select(id => id + ":" + boxes.CountOf(id) + ":" + string.Join(",", boxes.BoxOf(id)))));
                    }
                    else
                    {
                        ExrWriter.WriteFloat(file, bytes, width, height, origin);
                    }
                }
            }
        }

        /// <summary>
        /// So many frames as fast as they are taken in; tells the folder, then each flush, and waits to be killed after the last.
        /// </summary>
        private static void Capture(string folder, int frames, int flushEvery)
        {
            var writer = new DatasetWriter(new DatasetOptions { Folder = folder, FlushEvery = flushEvery, Capacity = 2 });
            Console.WriteLine(writer.Folder);
            var released = 0;
            for (var i = 0; i < frames; i++)
            {
                while (!writer.TryAdd(Frame(i, () => Interlocked.Increment(ref released))))
                {
                    if (writer.Error != null)
                    {
                        throw new DepthbridgeException(writer.Error);
                    }
                    writer.WaitForRoom(1000);
                }
                Console.WriteLine(i);
            }
            writer.Finish(30000);
            writer.Finish(30000);
            var more = writer.TryAdd(Frame(0, null));
            Console.WriteLine(writer.Error ?? "released " + released + " accepted " + writer.Accepted + " then " + more);
        }

        private static DatasetFrame Frame(int number, Action release)
        {
            const int Width = 64, Height = 48;
            var mask = new byte[2 * Width * Height];
            mask[2 * (Width * (number % Height) + 5)] = 7;
            return new DatasetFrame
            {
                Width = Width, Height = Height, Origin = RowOrigin.BottomLeft, Rgba = new ArraySegment<byte>(new byte[4 * Width * Height]),
                Mask = new ArraySegment<byte>(mask), Depth = new ArraySegment<byte>(new byte[4 * Width * Height]),
                Camera = PinholeIntrinsics.FromVerticalFov(number == 3 ? 50 : 60, Width, Height), Release = release,
                Objects = new List<RequestObject>
                {
                    new RequestObject { MaskValue = 7, Category = "dot", Id = "dot \"seven\"", ParentMaskValue = 9 },
                    new RequestObject { MaskValue = 9 },
                },
            };
        }

        private static void Broken(string kind)
        {
            var bytes = new ArraySegment<byte>(new byte[10]);
            if (kind == "png")
            {
                PngWriter.WriteRgb(new MemoryStream(), bytes, 2, 2, RowOrigin.TopLeft);
            }
            ExrWriter.WriteFloat(new MemoryStream(), bytes, 2, 2, RowOrigin.TopLeft);
        }
    }
}
